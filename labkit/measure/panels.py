"""The dashboard's panels: the PromQL of each, and what it came to as text and as HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from labkit.kube import pod_names
from labkit.measure.prometheus import Metrics, Series, with_gaps
from labkit.ui.chart import image, number
from labkit.ui.table import FRAME, Table

ACROSS = "time (s, 0 is now)"
ENDED_S = 10.0  # a few scrapes; one may be late on a busy machine
SIZE = (300, 150)  # three beside each other in a notebook, all seven on one screen
LEAST_PX = 260  # narrower, and the words in a chart are too small to read
UP = 'up{namespace="NAMESPACE", job="pods"}'


class Line(NamedTuple):
    """Lines of a panel: a query, and the label that tells its series apart, or a name."""

    query: str
    by: str = ""
    name: str = ""


class Panel(NamedTuple):
    """A title with its unit, its query, and what it takes before there is an answer."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    needs: str


class Seen(NamedTuple):
    """What a panel came to: a name and its points, (s before now, value), for each series."""

    panel: Panel
    queries: tuple[str, ...]
    series: dict[str, list[tuple[float, float]]]
    missing: str  # why there are none


def _quantile(share: float, name: str) -> Line:
    first = "gen_ai_server_time_to_first_token_seconds_bucket"
    rate = f'sum by (le) (rate({first}{{namespace="NAMESPACE"}}[30s]))'
    return Line(f"histogram_quantile({share}, {rate})", name=name)


_PROXY = 'namespace="NAMESPACE", proxy="inference"'
PANELS = (
    Panel(
        "in flight",
        "requests",
        (Line(f"sum by (pod) (haproxy_server_current_sessions{{{_PROXY}}})", by="pod"),),
        "a Pod with the proxy of k8s/steps/08-proxy",
    ),
    Panel(
        "queued",
        "requests",
        # not haproxy_server_current_queue, which stays 0: requests wait for the backend's turn
        (Line(f"sum by (pod) (haproxy_backend_current_queue{{{_PROXY}}})", by="pod"),),
        "a Pod with the proxy of k8s/steps/08-proxy",
    ),
    Panel(
        "time to first token",
        "s",
        (_quantile(0.5, "p50"), _quantile(0.95, "p95")),
        "answers that ended in the last 30 s",
    ),
    Panel(
        "tokens",
        "tokens/s",
        (
            Line(
                "sum by (pod) (rate(gen_ai_client_token_usage_sum"
                '{namespace="NAMESPACE", gen_ai_token_type="output"}[30s]))',
                by="pod",
            ),
        ),
        "an answer that has ended",
    ),
    Panel(
        "memory",
        "MB",
        (
            Line(
                'sum by (process) (ollama_process_resident_bytes{namespace="NAMESPACE"}) / 1e6',
                by="process",
            ),
        ),
        "a Pod with the exporter of k8s/steps/08-proxy",
    ),
    Panel(
        "loaded models",
        "models",
        (Line('sum by (pod) (ollama_loaded_models{namespace="NAMESPACE"})', by="pod"),),
        "an Ollama that answers, in a Pod with the exporter of k8s/steps/08-proxy",
    ),
    Panel(
        "errors",
        "in 1 min",
        (
            Line(
                "sum by (outcome) (increase(ollama_answers_total"
                '{namespace="NAMESPACE", outcome!="ok"}[1m]))',
                by="outcome",
            ),
        ),
        "a Pod with the exporter of k8s/steps/08-proxy",
    ),
)


def asked(text: str, namespace: str) -> str:
    """The query of a namespace.

    >>> asked(UP, "lab")
    'up{namespace="lab", job="pods"}'
    """
    return text.replace("NAMESPACE", namespace)


def seen(
    panel: Panel, namespace: str, answers: Sequence[Metrics], targets: Sequence[Series]
) -> Seen:
    """A panel from the answers to its lines' queries, and the series of UP."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line, answer in zip(panel.lines, answers, strict=True):
        for one in answer.series:
            name = one.labels.get(line.by, "") or line.name or panel.title
            points = [(at - answer.end, value) for at, value in one.points]
            found[name] = with_gaps(points, answer.step_s)
    queries = tuple(asked(line.query, namespace) for line in panel.lines)
    has_value = any(math.isfinite(value) for points in found.values() for _, value in points)
    return Seen(panel, queries, found, "" if has_value else _why(panel, namespace, targets))


def _why(panel: Panel, namespace: str, targets: Sequence[Series]) -> str:
    """Why there is nothing: nothing is scraped, something does not answer, or nothing happened."""
    if not targets:
        return f"Prometheus scrapes no Pod of namespace {namespace}; it needs {panel.needs}"
    down = [
        f"{one.labels['pod']}/{one.labels['container']}" for one in targets if not one.points[-1][1]
    ]
    if down:
        return f"Prometheus gets no answer from {', '.join(down)}"
    return f"it needs {panel.needs}"


def table(found: Sequence[Seen], caption: str) -> Table:
    """A line a series: its value now, the least and the largest; why, where there is none."""
    rows = []
    for one in found:
        name = f"{one.panel.title} ({one.panel.unit})"
        if one.missing:
            rows.append([name, "–", "no data", "", ""])
            continue
        for series, points in one.series.items():
            values = [value for _, value in points if math.isfinite(value)]
            least, most = (number(f(values)) if values else "–" for f in (min, max))
            rows.append([name, series, now(points), least, most])
    return Table(["PANEL", "SERIES", "NOW", "MIN", "MAX"], rows, caption=caption)


def text(found: Sequence[Seen], caption: str) -> str:
    """The table; below it why something is not there, and what to paste into a cell."""
    lines = [f"{one.panel.title}: no data: {one.missing}" for one in found if one.missing]
    lines += [f"{one.panel.title}: lab.metrics('{ask}')" for one in found for ask in one.queries]
    return "\n".join([repr(table(found, caption)), "", *lines])


def line(found: Sequence[Seen]) -> str:
    """The values now in one line, for a terminal."""
    parts = []
    for one in found:
        ends = pod_names.short(one.series)
        values = {ends[name]: now(points) for name, points in one.series.items()}
        named = [f"{name} {value}" if len(values) > 1 else value for name, value in values.items()]
        parts.append(f"{one.panel.title}: {'no data' if one.missing else ', '.join(named)}")
    return "; ".join(parts)


def now(points: Sequence[tuple[float, float]]) -> str:
    """The last value; of a series that has ended, such as a Pod's that is gone, that it has.

    >>> now([(-4, 1.0), (-2, 3.0)]), now([(-60, 3.0)]), now([(0, math.nan)])
    ('3', 'ended', '–')
    """
    at, value = points[-1]
    return number(value) if at > -ENDED_S else "ended"


def html(found: Sequence[Seen], caption: str, span_s: float, *, queries: bool = True) -> str:
    """A grid of charts that fills the width, all of one time span; the PromQL opens at a click.

    Without `queries` for a display that is painted again and again, which would fold them.
    """
    boxes = "".join(_box(one, span_s, queries=queries) for one in found)
    grid = f"display:grid;grid-template-columns:repeat(auto-fit,minmax({LEAST_PX}px,1fr));gap:.6em"
    style = f"{FRAME};white-space:normal;{grid}"
    return f'<span>{escape(caption)}</span><div style="{style}">{boxes}</div>'


def _box(one: Seen, span_s: float, *, queries: bool) -> str:
    """The last values stand in the legend: a colour is not what tells them apart."""
    if one.missing:
        shown = (
            f'<div style="padding:1em 0"><b>{escape(one.panel.title)}</b>: no data:'
            f" {escape(one.missing)}</div>"
        )
    else:
        ends = pod_names.short(one.series)
        named = {f"{ends[name]}: {now(points)}": points for name, points in one.series.items()}
        shape = {"size": SIZE, "span": (-span_s, 0)}
        shown = image(one.panel.title, ACROSS, one.panel.unit, named, **shape, fills=True)
    asks = ""
    if queries:
        lines = "".join(
            f'<div><code style="font-size:11px;overflow-wrap:anywhere">{escape(query)}</code></div>'
            for query in one.queries
        )
        asks = f"<details><summary>{escape(one.panel.title)}: PromQL</summary>{lines}</details>"
    return f'<div style="min-width:0">{shown}{asks}</div>'
