"""The result of `lab.load_test`: a table, a chart, a comparison, and JSON."""

from __future__ import annotations

import json
from html import escape

from labkit.load.figures import IN_TABLE, between
from labkit.load.notes import LOOK
from labkit.load.result import Result
from labkit.ui import units
from labkit.ui.chart import Chart, number
from labkit.ui.notebook import Shown
from labkit.ui.table import FRAME, Table

SWEEP = "labkit.load-sweep/1"
_QUANTILES = (("p50", 0.5), ("p95", 0.95))
_TIMES = {"first token": "ttft_ms", "gap": "gap_ms", "queue": "queue_ms", "whole": "latency_ms"}
_SHOWN = (*IN_TABLE, "queue_ms.p50", "queue_ms.p95")
_DRAWN = {"first token": "ttft_ms", "whole answer": "latency_ms"}
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


class Measured(Shown):
    """What a load test measured: one level, or several of a sweep.

    `.levels` are the results of labkit.load, `.items` the same as plain objects of the schema
    `labkit.load/2`. Times are milliseconds; rates count answers that were whole, and nothing else.
    """

    def __init__(
        self,
        target: str,
        levels: list[Result],
        *,
        pods: int = 0,
        swept: bool = False,
        behind: int = 0,  # how many Pods share the connections to the target; 0: not known
    ):
        self.target, self.levels, self.pods, self.swept = target, levels, pods, swept
        self.behind = behind

    @property
    def items(self) -> list[dict]:
        """The levels as plain objects."""
        return [level.plain() for level in self.levels]

    @property
    def succeeded(self) -> int:
        """Answers that were whole, of all levels."""
        return sum(level.succeeded for level in self.levels)

    @property
    def failed(self) -> int:
        """Requests that failed, of all levels."""
        return sum(level.failed for level in self.levels)

    @property
    def failures(self) -> dict[str, int]:
        """Kind of failure → how many, of all levels; those that there were."""
        kinds = {kind for level in self.levels for kind, count in level.failures.items() if count}
        return {kind: sum(level.failures[kind] for level in self.levels) for kind in sorted(kinds)}

    @property
    def doubts(self) -> list[str]:
        """Why the figures of the table should not be trusted; empty when they can be."""
        return [doubt for level in self.levels for doubt in level.doubts(_SHOWN)]

    @property
    def interrupted(self) -> bool:
        """Was it ended before its time?"""
        return any(level.interrupted for level in self.levels)

    def points(
        self, metric: str, figure: str = "p50", *, end: str = ""
    ) -> list[tuple[float, float]]:
        """The load of each level and one of its figures, for a chart: `points("ttft_ms", "mean")`.

        Metrics and figures are those of the schema; a level that has none of it is left out. With
        `end="low"` or `"high"` it is that bound of the figure: a check that must not pass by luck
        takes the one that could prove it wrong.
        """
        pairs = [(self._load(level), level.metrics[metric].summary()) for level in self.levels]
        return [(load, summary.get(end, summary)[figure]) for load, summary in pairs if summary]

    def table(self) -> Table:
        """One row a level; of a time the value that half keep below, and the one that 95 % do."""
        times = [f"{name} ms" for name in _TIMES]
        columns = [self._load_name(), "answers", "failed", "requests/s", "tokens/s", *times]
        rows = []
        for level in self.levels:
            least, most = level.rate_bounds()
            rates = (("requests_per_s", 2), ("tokens_per_s", 1))
            cells = [between(least[name], most[name], decimals) for name, decimals in rates]
            cells += [_shown(level, metric) for metric in _TIMES.values()]
            rows.append([self._load(level), level.succeeded, level.failed, *cells])
        columns = [column.upper() for column in columns]
        caption = f"{self._caption()}; times: half keep below the first, 95 % below the second"
        return Table(columns, rows, caption=caption, items=self.items)

    def plot(self) -> Chart:
        """A sweep: times against the load. One level: the time that each share kept below."""
        if self.swept:
            series = {
                f"{name}, {share}": [
                    (self._load(level), level.metrics[metric].bounds(q))
                    for level in self.levels
                    if level.metrics[metric].count
                ]
                for name, metric in _DRAWN.items()
                for share, q in _QUANTILES
            }
            series = _with_bands(series)
            return Chart(f"{self.target}: load and waiting", self._load_name(), "ms", series)
        (level,) = self.levels
        series = _with_bands(
            {
                name: [(share * 100, level.metrics[metric].bounds(share)) for share in _SHARES]
                for name, metric in _DRAWN.items()
                if level.metrics[metric].count
            }
        )
        return Chart(f"{self.target}: how long, for how many", "% of answers", "ms", series)

    def compare(self, other: Measured) -> Table:
        """Both, level by level, and how many times the other's figure this one's is.

        `lab.compare` also has how sure each difference is.
        Levels are matched by their load; one that only one of both has is left out.
        """
        theirs = {_rate_and_clients(level): level for level in other.levels}
        asked = [(one, _rate_and_clients(one)) for one in self.levels]
        pairs = [(one, theirs[load]) for one, load in asked if load in theirs]
        if len(self.levels) == len(other.levels) == 1:  # nothing else it could be compared with
            pairs = [(self.levels[0], other.levels[0])]
        rows = []
        for one, two in pairs:
            for name, a, b in _figures(one, two):
                ratio = f"{a / b:.2f} ×" if a is not None and b else "–"
                rows.append([self._load(one), name, _number(a), _number(b), ratio])
        columns = [self._load_name().upper(), "FIGURE", "THIS", "OTHER", "THIS/OTHER"]
        caption = f"this: {self._caption()}; other: {other._caption()}"
        return Table(columns, rows, caption=caption, empty="no level is in both")

    def to_json(self) -> str:
        """One line: schema labkit.load/2, or labkit.load-sweep/1 of a sweep."""
        if self.swept:
            return json.dumps({"schema": SWEEP, "levels": self.items})
        return self.levels[0].to_json()

    def __repr__(self) -> str:
        return "\n".join([repr(self.table()), *self.words()])

    def _repr_html_(self) -> str:
        words = "".join(f"<div>{escape(line)}</div>" for line in self.words())
        return f'{self.table()._repr_html_()}<div style="{FRAME}">{words}</div>'

    def words(self) -> list[str]:
        """What failed and how, and whether the figures can be trusted."""
        lines = []
        for kind, count in self.failures.items():
            example = next(e for level in self.levels if (e := level.failure_examples.get(kind)))
            lines.append(f"✗ {count} {kind}, such as: {example}")
            lines += [f"  {LOOK[kind]}"] if kind in LOOK else []
        lines += [f"■ doubtful: {reason}" for reason in self.doubts]
        lines = lines or ["✓ no answer failed, and the figures can be trusted"]
        lines += dict.fromkeys(
            f"● prompt cache: {note}" if note == level.cached() else f"● {note}"
            for level in self.levels
            for note in level.notes()
        )
        lines += [f"● {one}" for one in self.left_out()]
        late_ms = [delay["p99"] for level in self.levels for delay in _delays(level)]
        if late_ms:
            who = "each worker" if self.pods > 1 else "the client"
            lines.append(f"{who} read 99 % of what arrived within {max(late_ms):.2g} ms")
        return lines

    def left_out(self) -> list[str]:
        """Where Pods behind a Service got no request, in words.

        Each connection leads to one Pod, so fewer connections than Pods leave some out.
        """
        lines = []
        for level in self.levels:
            if 0 < level.connections < self.behind:
                load = f"{self._load(level)} {self._load_name()}: " if self.swept else ""
                pods = units.count(self.behind, "Pod")
                lines.append(
                    f"{load}at most {level.connections} of the {pods} behind"
                    f" {self.target} answered, one for each connection"
                    f" (-c {self.behind} or more, or --disable-keepalive)"
                )
        return lines

    def _load(self, level: Result) -> float | int:
        """What tells the levels apart: a sweep differs in its clients, at whatever rate."""
        return level.plan.clients if self.swept else level.plan.rate or level.plan.clients

    def _load_name(self) -> str:
        by_rate = not self.swept and self.levels and self.levels[0].plan.rate
        return "sent/s" if by_rate else "at a time"

    def _caption(self) -> str:
        workers = f", from {self.pods} Pod{'s' * (self.pods != 1)}" if self.pods else ""
        seconds = sum(level.duration_s for level in self.levels)
        ended = " (interrupted)" if self.interrupted else ""
        return f"{self.target}{workers}, {seconds:.1f} s{ended}"


def _delays(level: Result) -> list[dict]:
    """Each worker's own delay, between the kernel's time of arrival and its reading."""
    clients = [worker["client"] for worker in level.workers] or [level.client()]
    return [client["delay_ms"] for client in clients if client["delay_ms"]]


def _rate_and_clients(level: Result) -> tuple[float | None, int]:
    return level.plan.rate, level.plan.clients


def _shown(level: Result, metric: str) -> str:
    histogram = level.metrics[metric]
    if not histogram.count:
        return "–"
    return " / ".join(between(*histogram.bounds(share)) for _, share in _QUANTILES)


def _with_bands(
    lines: dict[str, list[tuple[float, tuple[float, float]]]],
) -> dict[str, list[tuple[float, float]]]:
    """Each line; where its values are bounds that are apart, a line for each of the two.

    >>> _with_bands({"gap": [(50, (20.0, 20.0)), (99, (21.0, 60.0))]})
    {'gap, at least': [(50, 20.0), (99, 21.0)], 'gap, at most': [(50, 20.0), (99, 60.0)]}
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for name, points in lines.items():
        if all("…" not in between(*ends) for _, ends in points):
            found[name] = [(x, sum(ends) / 2) for x, ends in points]
        else:
            found[f"{name}, at least"] = [(x, low) for x, (low, _) in points]
            found[f"{name}, at most"] = [(x, high) for x, (_, high) in points]
    return found


def _figures(one: Result, two: Result) -> list[tuple[str, float | None, float | None]]:
    """Name and value of both, of what at least one of them has."""
    rates = ("requests_per_s", "tokens_per_s")
    pairs = [(name.replace("_per_s", "/s"), one.rates()[name], two.rates()[name]) for name in rates]
    found = [(name, a, b) for name, a, b in pairs if a or b]
    for name, metric in _TIMES.items():
        for share, q in _QUANTILES:
            a, b = (
                each.metrics[metric].quantile(q) if each.metrics[metric].count else None
                for each in (one, two)
            )
            if a is not None or b is not None:
                found.append((f"{name} {share} ms", a, b))
    return [*found, ("failed", one.failed, two.failed)]


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)
