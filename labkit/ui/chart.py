"""A line chart: an SVG image, its summary in words, and its numbers as a table."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from labkit.ui import units
from labkit.ui.table import Table

Series = Mapping[str, Sequence[tuple[float, float]]]
Place = tuple[float, float]
Size = tuple[int, int]
Scale = Callable[[float], float]  # seconds, or what a chart is drawn over, to pixels

# Okabe-Ito: told apart by colour-blind readers too. Dashes and markers carry the same
# difference; their counts have no common factor, so that 20 series differ.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00")
_DASHES = ("none", "7 4", "2 3", "10 3 2 3")
MARKERS = (  # around 0,0
    '<circle r="3.5"/>',
    '<rect x="-3" y="-3" width="6" height="6"/>',
    '<path d="M0-4.5 4 3H-4Z"/>',
    '<path d="M0-4.5 4.5 0 0 4.5-4.5 0Z"/>',
    '<path d="M-4-1h3v-3h2v3h3v2h-3v3h-2v-3h-3Z"/>',
)
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 320, 64, 16, 34, 46
_LEGEND_LINE = 18


class Chart:
    """Lines over a common x: an image with a text for screen readers, and the numbers as a table.

    A point that is not a number ends its line; the next one begins a new line.

        >>> Chart("Load", "users", "tokens/s", {"1 replica": [(1, 9.5), (2, 11)], "2": [(2, 21)]})
        Load
        users   1 replica (tokens/s)   2 (tokens/s)
        1       9.5                    –
        2       11                     21
    """

    _ROWS = 40  # more than a reader compares; a long run is thinned evenly

    def __init__(self, title: str, x: str, y: str, series: Series) -> None:
        self.title, self.x, self.y = title, x, y
        self.series = {name: list(points) for name, points in series.items()}
        found = {name: dict(points) for name, points in self.series.items()}
        places = sorted({place for points in found.values() for place in points})
        every = -(-len(places) // self._ROWS) or 1
        thinned = f", each {every}th of {len(places)} points" if every > 1 else ""
        self.table = Table(
            [x, *(f"{name} ({y})" for name in found)],
            [
                [number(place), *(_value(points, place) for points in found.values())]
                for place in places[::every]
            ],
            caption=f"{title}{thinned}",
            empty=f"{title}: no points",
        )

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        shown = image(self.title, self.x, self.y, self.series)
        return (
            f"{shown}<details><summary>{escape(self.title)}: the numbers</summary>"
            f"{self.table._repr_html_()}</details>"
        )


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that span low to high, about as many as wanted.

    >>> ticks(0, 97)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    >>> ticks(0.13, 0.19)
    [0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19]
    """
    if high <= low:
        low, high = (0.0, high or 1.0) if high >= 0 else (low, 0.0)
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw * 0.75)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def number(value: float) -> str:
    """Four digits are what a reader compares; no exponent where none is needed.

    >>> number(1234.5), number(0.123456), number(3.0), number(250000)
    ('1234', '0.1235', '3', '250000')
    """
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.4g}"


def said(title: str, x: str, y: str, series: Series) -> str:
    """What the chart says, for those who do not see it.

    >>> said("Load", "time (s)", "tokens/s", {"1 replica": [(0, 5), (1, 9)]})
    'Load. Line chart of tokens/s over time (s). 1 replica: 2 points, from 5 to 9, min 5, max 9.'
    """
    parts = [f"{title}. Line chart of {y} over {x}."]
    for name, points in series.items():
        values = [value for _, value in _finite(points)]
        if values:
            parts.append(
                f"{name}: {units.count(len(values), 'point')},"
                f" from {number(values[0])} to {number(values[-1])},"
                f" min {number(min(values))}, max {number(max(values))}."
            )
        else:
            parts.append(f"{name}: no points.")
    return " ".join(parts)


def image(
    title: str,
    x: str,
    y: str,
    series: Series,
    *,
    size: Size = (_WIDTH, _HEIGHT),
    span: Place | None = None,
    fills: bool = False,
) -> str:
    """The chart as an `<img>`, which also an untrusted notebook shows; inline SVG it would not.

    `size` and `span` are svg()'s. `fills`: as wide as its place, and not only at most so.
    """
    picture = svg(title, x, y, series, size=size, span=span)
    return img(picture, said(title, x, y, series), fills=fills)


def img(picture: str, alt: str, *, fills: bool = False) -> str:
    """An SVG as an `<img>`, with the words that say the same."""
    data = base64.b64encode(picture.encode()).decode()
    style = f"{'width' if fills else 'max-width'}:100%"
    return f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}" style="{style}">'


def svg(
    title: str,
    x: str,
    y: str,
    series: Series,
    *,
    size: Size = (_WIDTH, _HEIGHT),
    span: Place | None = None,
) -> str:
    """The chart as one SVG document: white ground, because an image knows no theme.

    `size`: width and height in pixels; the legend comes below. `span`: from and to on the x axis,
    for charts that are compared; else that of the points.
    """
    width, tall = size
    everything = [point for found in series.values() for point in _finite(found)] or [(0.0, 0.0)]
    begin, end = span or (min(p[0] for p in everything), max(p[0] for p in everything))
    across = ticks(begin, end, width // 90)
    # from 0, where that does not flatten the lines: lengths can be compared then
    low, high = min(p[1] for p in everything), max(p[1] for p in everything)
    upward = ticks(min(low, 0.0) if low < 0.5 * high or high <= 0 else low, high, tall // 60)
    height = tall + _LEGEND_LINE * len(series)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        right = (point[0] - across[0]) / (across[-1] - across[0])
        up = (point[1] - upward[0]) / (upward[-1] - upward[0])
        return (
            round(_LEFT + right * (width - _LEFT - _RIGHT), 1),
            round(tall - _BOTTOM - up * (tall - _TOP - _BOTTOM), 1),
        )

    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        text(_LEFT, 20, title, size=14),
        text((_LEFT + width - _RIGHT) / 2, tall - 8, x, anchor="middle"),
        text(14, (_TOP + tall - _BOTTOM) / 2, y, anchor="middle", turned=True),
    ]
    for tick in across:
        left, _ = place((tick, upward[0]))
        body.append(line(left, tall - _BOTTOM, left, tall - _BOTTOM + 5, "#222"))
        body.append(text(left, tall - _BOTTOM + 18, number(tick), anchor="middle"))
    for tick in upward:
        _, top = place((across[0], tick))
        colour = "#222" if tick == upward[0] else "#ccc"
        body.append(line(_LEFT, top, width - _RIGHT, top, colour))
        body.append(text(_LEFT - 8, top + 4, number(tick), anchor="end"))
    for index, (name, found) in enumerate(series.items()):
        runs = [[place(point) for point in run] for run in _runs(found)]
        places = [one for run in runs for one in run]
        every = max(1, len(places) // 20)  # markers that touch each other tell nothing
        body += _drawn(index, runs, places[::every])
        top = tall + _LEGEND_LINE * index + 4
        body += _drawn(index, [[(_LEFT, top), (_LEFT + 40, top)]], [(_LEFT + 20, top)])
        body.append(text(_LEFT + 50, top + 4, name))
    return "".join(body) + "</svg>"


def _drawn(index: int, runs: list[list[Place]], marked: list[Place]) -> Iterator[str]:
    colour = COLOURS[index % len(COLOURS)]
    dash = _DASHES[index % len(_DASHES)]
    for run in runs:
        path = " ".join(f"{left:g},{top:g}" for left, top in run)
        yield (
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
            f' stroke-dasharray="{dash}"/>'
        )
    marker = MARKERS[index % len(MARKERS)]
    for left, top in marked:
        yield f'<g transform="translate({left:g} {top:g})" fill="{colour}">{marker}</g>'


def _finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The points between those that are not finite.

    >>> _runs([(0, 1.0), (1, math.nan), (2, 5.0), (3, 6.0)])
    [[(0, 1.0)], [(2, 5.0), (3, 6.0)]]
    """
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if _finite([point]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return runs


def _value(points: dict[float, float], place: float) -> str:
    return number(points[place]) if place in points else "–"


def text(
    left: float,
    top: float,
    text: object,
    *,
    anchor: str = "start",
    size: int = 12,
    turned: bool = False,
) -> str:
    turn = f' transform="rotate(-90 {left:g} {top:g})"' if turned else ""
    return (
        f'<text x="{left:g}" y="{top:g}" text-anchor="{anchor}" font-size="{size}"{turn}>'
        f"{escape(str(text))}</text>"
    )


def line(left: float, top: float, right: float, bottom: float, colour: str) -> str:
    return (
        f'<line x1="{left:g}" y1="{top:g}" x2="{right:g}" y2="{bottom:g}"'
        f' stroke="{colour}" stroke-width="1"/>'
    )
