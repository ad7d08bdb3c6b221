"""`lab.metrics`: what Prometheus knows, as a table and as a chart."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from labkit.errors import ApiSilent, LabError, NotFound, Refused, TimedOut, Unreachable
from labkit.kube.session import Session, current
from labkit.setup.cluster import labs, monitoring
from labkit.ui.chart import Chart, number
from labkit.ui.live import describe
from labkit.ui.table import Table

SERVICE = f"/api/v1/namespaces/{labs.SYSTEM}/services/{monitoring.PROMETHEUS}:9090/proxy"
PATH = f"{SERVICE}/api/v1/query_range"
POINTS = 150  # a chart of 640 pixels shows no more
LEAST_STEP_S = 2  # what Prometheus scrapes in
NONE = "–"  # the series of all that lacks the label which one sums by


class Series(NamedTuple):
    """One line: its labels, and (Unix time in s, value) for each step where it has a value."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Metrics:
    """The answer to a query: `.table()` compares the series, `.plot()` draws them.

    >>> waiting = Series({"pod": "a", "namespace": "lab"}, [(100, 0), (102, 3), (106, 1)])
    >>> Metrics("queue", 110, 2, [waiting])
    queue
    SERIES   LAST   MIN   MEAN    MAX   POINTS
    queue    1      0     1.333   3     3
    """

    query: str
    end: float  # Unix time in s
    step_s: float
    series: Sequence[Series]

    def table(self) -> Table:
        """One row a series: its last value, the least, the mean and the largest."""
        rows = []
        for name, line in zip(named(self.query, self.series), self.series, strict=True):
            values = [value for _, value in line.points if math.isfinite(value)]
            last = line.points[-1][1]
            told = [last, min(values), sum(values) / len(values), max(values)] if values else [last]
            cells = [number(value) for value in told] + ["–"] * (4 - len(told))
            rows.append([name, *cells, len(line.points)])
        items = [line._asdict() for line in self.series]
        columns = ["SERIES", "LAST", "MIN", "MEAN", "MAX", "POINTS"]
        return Table(columns, rows, caption=self.query, items=items, empty=self._nothing)

    def plot(self, title: str = "", y: str = "value") -> Chart:
        """The lines over time in seconds, 0 is now; where a series had no value its line ends."""
        lines = {
            name: with_gaps([(at - self.end, value) for at, value in line.points], self.step_s)
            for name, line in zip(named(self.query, self.series), self.series, strict=True)
        }
        return Chart(title or self.query, "time (s, 0 is now)", y, lines)

    @property
    def _nothing(self) -> str:
        return f"{self.query}: no series. Is the name right, and was anything scraped?"

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def metrics(query: str, *, minutes: float = 5.0, step_s: float | None = None) -> Metrics:
    """Return the series of a PromQL query over the last minutes.

        lab.metrics('sum by (pod) (haproxy_backend_current_queue)').plot()

    One value every `step_s` seconds, by default 150 of them and not closer than 2 s. It prints what
    it queries; as a command that would be 250 characters of
    `kubectl get --raw …/services/prometheus:9090/proxy/api/v1/query_range?query=QUERY…`. Raises
    Refused with Prometheus' own words for a query that is none, NotFound and Unreachable where
    no Prometheus is, TimedOut for one that takes it too long, ApiSilent.
    """
    session = current()
    asked = asking(query, minutes=minutes, step_s=step_s)
    said = " ".join(query.split("\n"))  # a shell takes the line as a comment
    describe(f"PromQL, of the last {minutes:g} min, a value every {asked['step']:g} s: {said}")
    return queried(session, asked)


def asking(query: str, *, minutes: float = 5.0, step_s: float | None = None) -> dict[str, Any]:
    """What Prometheus is asked with. Raises LabError for a span of time that is none."""
    step_s = step_s or max(LEAST_STEP_S, math.ceil(minutes * 60 / POINTS))
    if minutes <= 0 or step_s <= 0:
        raise LabError("there is no such span of time", f"minutes={minutes}", "minutes=5")
    end = math.floor(time.time() / step_s) * step_s  # the same moments whenever one asks
    return {"query": query, "start": end - round(minutes * 60), "end": end, "step": step_s}


def queried(session: Session, asked: dict[str, Any]) -> Metrics:
    """The answer, without printing anything: for what asks again and again."""
    try:
        found = session.api.request("GET", PATH, query=asked)["data"]["result"]
    except NotFound as error:
        raise NotFound("there is no Prometheus in this lab", error.saw, "./lab up") from None
    except Refused as error:
        hint = "fix the query; one that works: lab.metrics('up')"
        raise Refused("Prometheus refuses the query", error.saw, hint) from None
    except ApiSilent as error:
        if error.saw.startswith("query timed out"):  # its own 503: it answers, but not this
            hint = "fewer minutes, or a larger step_s"
            raise TimedOut("Prometheus did not come to an end", error.saw, hint) from None
        if not error.of_service:
            raise
        raise Unreachable("Prometheus does not answer", error.saw, "./lab up") from None
    return Metrics(asked["query"], asked["end"], asked["step"], [_series(row) for row in found])


def _series(row: dict[str, Any]) -> Series:
    return Series(row["metric"], [(at, float(value)) for at, value in row["values"]])


def named(query: str, series: Sequence[Series]) -> list[str]:
    """What tells the series apart: the labels in which they differ, and no more than it takes.

    >>> a, b = ({"job": "pods", "pod": name, "instance": f"{name}:80"} for name in "ab")
    >>> named("up", [Series(a, []), Series(b, [])])
    ['a', 'b']
    >>> named("up", [Series({**a, "code": "2xx"}, []), Series({**a, "code": "5xx"}, [])])
    ['2xx', '5xx']
    >>> nodes = [Series({"job": "cadvisor", "node": name}, []) for name in "xy"]
    >>> named("up", [Series(a, []), *nodes])
    ['pod=a', 'node=x', 'node=y']
    >>> named("up", [Series(a, []), Series({}, [])])
    ['a', '–']
    >>> named("up", [Series(a, [])])
    ['up']
    """
    if len(series) < 2:
        return [query for _ in series]
    needed = sorted({label for line in series for label in line.labels})
    for label in sorted(needed, key=_worth):
        fewer = [name for name in needed if name != label]
        left = [_values(line, fewer) for line in series]
        told = all(
            any(values) or not line.labels for values, line in zip(left, series, strict=True)
        )
        if len(set(left)) == len(series) and told:
            needed = fewer
    if len(needed) == 1:
        return [line.labels.get(needed[0], NONE) for line in series]
    return [
        ", ".join(f"{name}={line.labels[name]}" for name in needed if name in line.labels) or NONE
        for line in series
    ]


def _worth(label: str) -> int:
    """How gladly a reader would do without it, the least first: an address tells him nothing."""
    order = ("__name__", "instance", "namespace", "node", "job", "container", "pod")
    return order.index(label) if label in order else len(order)


def _values(line: Series, labels: list[str]) -> tuple[str, ...]:
    return tuple(line.labels.get(name, "") for name in labels)


def with_gaps(points: list[tuple[float, float]], step_s: float) -> list[tuple[float, float]]:
    """The points, with a NaN where a step or more has no value: a line that would hide it ends.

    >>> with_gaps([(0, 1.0), (2, 1.0), (8, 5.0)], 2)
    [(0, 1.0), (2, 1.0), (4, nan), (8, 5.0)]
    """
    found: list[tuple[float, float]] = []
    for at, value in points:
        if found and at - found[-1][0] > 1.5 * step_s:
            found.append((found[-1][0] + step_s, math.nan))
        found.append((at, value))
    return found
