"""The pictures of a load test's page, as inline SVG whose colours are the page's, dark or light.

Axes and ticks are those of ui/chart. That file's own charts are images, which know no theme, and
have neither bands nor bars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from labkit.load.result import Result
from labkit.load.sample import FIELDS
from labkit.ui import units
from labkit.ui.chart import line, number, text, ticks

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 260, 56, 12, 12, 44
ROWS = 100  # of the timeline: more are too thin to be seen
SHARES = [*(step / 50 for step in range(50)), 0.99, 0.999]
GRID, INK = "var(--grid)", "currentColor"

Point = tuple[float, float]
Place = Callable[[float, float], Point]


def framed(
    said: str, x: str, y: str, across: Sequence[float], upward: Sequence[float]
) -> tuple[list[str], Place]:
    """The beginning of a picture, with its axes, and where in it a point is."""

    def place(right: float, up: float) -> Point:
        part = (right - across[0]) / (across[-1] - across[0])
        high = (up - upward[0]) / (upward[-1] - upward[0])
        return (
            round(LEFT + part * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - high * (HEIGHT - TOP - BOTTOM), 1),
        )

    body = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}"'
        ' fill="currentColor" font-size="12">',
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x, anchor="middle"),
        text(14, (TOP + HEIGHT - BOTTOM) / 2, y, anchor="middle", turned=True),
    ]
    for tick in across:
        left, _ = place(tick, upward[0])
        body.append(line(left, HEIGHT - BOTTOM, left, HEIGHT - BOTTOM + 5, INK))
        body.append(text(left, HEIGHT - BOTTOM + 18, number(tick), anchor="middle"))
    for tick in upward:
        _, top = place(across[0], tick)
        body.append(line(LEFT, top, WIDTH - RIGHT, top, INK if tick == upward[0] else GRID))
        body.append(text(LEFT - 6, top + 4, number(tick), anchor="end"))
    return body, place


def timeline(level: Result) -> str:
    """A line for each kept request: waiting, reading the prompt, tokens; ✗ where it failed."""
    rows: list[dict[str, Any]] = [
        dict(zip(FIELDS, row, strict=True)) for row in level.sample.rows if row[0] is not None
    ]
    if not rows:
        return ""
    rows.sort(key=lambda row: row["due"])
    rows = rows[:: -(-len(rows) // ROWS)]
    failed = sum(bool(row["failure"]) for row in rows)
    end = max(row["end"] for row in rows)
    said = f"Timeline of {units.count(len(rows), 'request')} over {number(end)} s, {failed} failed."
    upward = [0.0, float(len(rows))]
    body, place = framed(said, "seconds after the start", "requests", ticks(0, end, 5), upward)
    for index, row in enumerate(rows):
        first = row["end"] if row["first"] is None else row["first"]
        reading = max(row["due"], first - row["read"])
        _, top = place(0, len(rows) - index - 0.5)
        for name, begin, until, thick in (
            ("wait", row["due"], reading, 0.2),
            ("prompt", reading, first, 0.5),
            ("tokens", first, row["end"], 0.8),
        ):
            if until > begin:
                left, right = place(begin, 0)[0], place(until, 0)[0]
                high = max(0.6, thick * (HEIGHT - TOP - BOTTOM) / len(rows))
                high = min(high, 14 * thick)
                colour = "failed" if row["failure"] else name
                body.append(
                    f'<rect class="{colour}" x="{left}" y="{top - high / 2:.1f}"'
                    f' width="{max(0.5, right - left):.1f}" height="{high:.1f}"/>'
                )
        if row["failure"]:
            body.append(
                f'<g class="failed"><title>{escape(row["failure"])}</title>'
                f"{text(place(row['end'], 0)[0], top + 4, '✗', anchor='middle')}</g>"
            )
    return "".join(body) + "</svg>"


def cumulative(level: Result, metric: str, label: str) -> str:
    """The share of values at or below each time, to 99.9 %; a band where no more is known."""
    histogram: Any = level.metrics[metric]
    if not histogram.count:
        return ""
    ends = [getattr(histogram, end, histogram) for end in ("low", "high")]
    low, high = ([(end.quantile(share), 100 * share) for share in SHARES] for end in ends)
    middle, tail = (histogram.quantile(share) for share in (0.5, 0.99))
    said = f"{label}: half within {number(middle)} ms, 99 % within {number(tail)} ms."
    across = ticks(min(low[0][0], 0.7 * high[-1][0]), high[-1][0], 5)
    body, place = framed(said, f"{label} (ms)", "% of values", across, ticks(0, 100, 5))
    if low != high:
        band = [place(*point) for point in (*low, *reversed(high))]
        body.append(f'<polygon class="band" points="{_points(band)}"/>')
    for curve in (low, high) if low != high else (high,):
        found = [place(*point) for point in curve]
        body.append(f'<polyline class="curve" points="{_points(found)}"/>')
    for share, value in ((50, middle), (99, tail)):
        left, top = place(value, share)
        body.append(f'<circle class="mark" cx="{left}" cy="{top}" r="4"/>')
    return "".join(body) + "</svg>"


def by_time(level: Result) -> str:
    """Answers a second in each block of time, and failed requests as bars."""
    blocks, begin = level.blocks.each, 0.0
    if not blocks:
        return ""
    rates, bars = [], []
    for block in blocks:
        end = begin + block.seconds
        if block.seconds:
            rate = block.counts["succeeded"] / block.seconds
            rates += [(begin, rate), (end, rate)]
            bars.append((begin, end, block.counts["failed"] / block.seconds))
        begin = end
    failed = sum(block.counts["failed"] for block in blocks)
    said = f"{level.succeeded} answers and {failed} failed requests over {number(begin)} s."
    most = max([rate for _, rate in rates] + [high for *_, high in bars] + [0.1])
    axes = ticks(0, begin, 5), ticks(0, most, 4)
    body, place = framed(said, "seconds after the start", "per second", *axes)
    body.append(f'<polyline class="curve" points="{_points([place(*one) for one in rates])}"/>')
    for left, right, high in bars:
        if high:
            (x, y), (until, ground) = place(left, high), place(right, 0)
            body.append(
                f'<rect class="failed" x="{x}" y="{y}" width="{max(1.0, until - x):.1f}"'
                f' height="{ground - y:.1f}"/>'
            )
    return "".join(body) + "</svg>"


def knee(levels: Sequence[Result]) -> int | None:
    """The level with the most throughput for its latency: the power of Kleinrock (1979).

    Below it there is room, above it requests only wait longer. None: no level has an answer, or the
    last one still has the most, so that the sweep did not reach the knee.
    """
    found = [
        (level.rates()["requests_per_s"] / level.metrics["latency_ms"].quantile(0.5), index)
        for index, level in enumerate(levels)
        if level.metrics["latency_ms"].count
    ]
    best = max(found)[1] if found else None
    return None if best == len(levels) - 1 else best


def throughput(levels: Sequence[Result]) -> str:
    """A sweep: latency over throughput, a point for each number of clients, the knee marked."""
    levels = [level for level in levels if level.metrics["latency_ms"].count]
    if not levels:
        return ""
    best = knee(levels)
    points = [
        (one.rates()["requests_per_s"], one.metrics["latency_ms"].quantile(0.5)) for one in levels
    ]
    where = "not reached" if best is None else f"at {levels[best].plan.clients} at a time"
    said = f"Whole answer (p50) over answers a second; the knee is {where}."
    across, upward = (ticks(0, 1.1 * max(part), 5) for part in zip(*points, strict=True))
    body, place = framed(said, "answers per second", "whole answer, p50 (ms)", across, upward)
    body.append(f'<polyline class="curve" points="{_points([place(*one) for one in points])}"/>')
    for index, (level, point) in enumerate(zip(levels, points, strict=True)):
        left, top = place(*point)
        is_knee = index == best
        body.append(f'<circle class="mark" cx="{left}" cy="{top}" r="{7 if is_knee else 4}"/>')
        label = f"knee: {level.plan.clients}" if is_knee else level.plan.clients
        # the line rises to the right of a knee
        body.append(text(left, top - 12, label, anchor="end" if is_knee else "middle"))
    return "".join(body) + "</svg>"


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{left:g},{top:g}" for left, top in points)
