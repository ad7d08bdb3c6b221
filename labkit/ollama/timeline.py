"""`lab.timeline`: when Pods were made, started, had the model, were ready; as picture and text."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from typing import Any, NamedTuple

import labkit
from labkit.errors import LabError
from labkit.kube import refs
from labkit.kube.proxy import Connection
from labkit.kube.session import Session, current
from labkit.ollama import client
from labkit.ollama.model_name import same
from labkit.ui import chart, kubectl_line, units
from labkit.ui.live import echo
from labkit.ui.table import Table

_KINDS = ("made", "scheduled", "started", "ended", "model", "ready", "trouble")
_COLOURS = dict(
    zip(
        _KINDS, ("#666", "#0072B2", "#56B4E9", "#999", "#E69F00", "#009E73", "#D55E00"), strict=True
    )
)
_TROUBLE = {"FailedPostStartHook", "Killing", "BackOff", "Unhealthy", "Failed"}
_WIDTH, _LEFT, _LANE, _TOP = 640, 150, 30, 40


_Found = tuple[str, datetime.datetime, str]  # kind, when, in words


class Moment(NamedTuple):
    """Something that happened to a Pod, `at_s` seconds after it was made."""

    pod: str
    at_s: float
    kind: str
    what: str


class Timeline:
    """Moments of Pods, in order: a lane each in a picture, and the same as a table."""

    def __init__(self, title: str, moments: list[Moment]) -> None:
        self.title = title
        self.moments = moments
        rows = [[m.pod, f"{m.at_s:.0f}", m.what] for m in moments]
        self.table = Table(["POD", "SECONDS", "WHAT"], rows, caption=title, empty="no Pods")

    def seconds(self, kind: str) -> dict[str, float]:
        """Pod → seconds until the first moment of that kind: "model", "ready" …"""
        found: dict[str, float] = {}
        for moment in self.moments:
            if moment.kind == kind:
                found.setdefault(moment.pod, moment.at_s)
        return found

    def beside(self, other: Timeline, name: str, its_name: str) -> Timeline:
        """Both in one picture, each Pod under the name that its timeline is given."""
        found = [
            moment._replace(pod=f"{said} {moment.pod[-5:]}")
            for one, said in ((self, name), (other, its_name))
            for moment in one.moments
        ]
        return Timeline(f"{name} beside {its_name}", found)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        lanes = list(dict.fromkeys(moment.pod for moment in self.moments))
        said = "; ".join(f"{m.pod} {m.what} after {m.at_s:.0f} s" for m in self.moments)
        data = base64.b64encode(svg(self.title, self.moments).encode()).decode()
        return (
            f'<img alt="{escape(f"{self.title}, {len(lanes)} Pods. {said}")}"'
            f' src="data:image/svg+xml;base64,{data}" style="max-width:100%">'
            f"<details><summary>{escape(self.title)}: the moments</summary>"
            f"{self.table._repr_html_()}</details>"
        )


def timeline(target: str) -> Timeline:
    """Return what happened to each Pod of a target, in seconds since the Pod was created.

        lab.timeline("deployment/ollama")

    From the Pods' own states, their events, and the moment at which each Ollama reports
    the lab's model. Kubernetes records whole seconds. Equals reading
    `kubectl get pods --output=yaml`, and `kubectl events`. Raises NotFound, Unreachable (it has
    no Pod).
    """
    session = current()
    one = refs.parsed(session, target)
    pods = refs.pods_of(session, one)
    labels = "" if one.resource.kind == "Pod" else refs.selector(refs.found(session, one))
    what = "pods" if labels else str(one)
    echo(kubectl_line.line("get", what, selector=labels, output="yaml"))
    events = session.api.resource("events").path(session.namespace)
    found = []
    for pod in sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"]):
        query = {"fieldSelector": f"involvedObject.uid={pod['metadata']['uid']}"}
        happened = session.api.request("GET", events, query=query)["items"]
        found += of_pod(pod, happened, model_at(session, pod))
    return Timeline(f"Timeline of {target}", found)


def of_pod(
    pod: dict[str, Any], events: list[dict[str, Any]], had_model: datetime.datetime | None
) -> list[Moment]:
    """The moments of one Pod, in order."""
    name = pod["metadata"]["name"]
    begun = units.moment_of(pod["metadata"]["creationTimestamp"])
    found = [("made", begun, "made"), *_states(pod), *_conditions(pod)]
    for event in events:
        at = event.get("firstTimestamp") or event.get("eventTime")
        if event["reason"] in _TROUBLE and at:
            times = f", {event['count']} times" if event.get("count", 1) > 1 else ""
            found.append(("trouble", units.moment_of(at), f"{event['reason']}{times}"))
    if had_model:
        found.append(("model", had_model, "has the model"))
    moments = [
        Moment(name, max(0.0, (at - begun).total_seconds()), kind, what) for kind, at, what in found
    ]
    # within a second Kubernetes' own moments have no order; by their nature they have
    return sorted(moments, key=lambda moment: (int(moment.at_s), _KINDS.index(moment.kind)))


def ready_at(pod: dict[str, Any]) -> datetime.datetime | None:
    """When the Pod became Ready, in whole seconds; None when it is not."""
    return next((at for kind, at, _ in _conditions(pod) if kind == "ready"), None)


def model_at(session: Session, pod: dict[str, Any]) -> datetime.datetime | None:
    """When this Pod's Ollama had written the lab's model to its disk; None when it has not."""
    with suppress(LabError), client.server(f"pod/{pod['metadata']['name']}") as server:
        return had_model(server)
    return None


def had_model(server: Connection) -> datetime.datetime | None:
    """When that Ollama had written the lab's model to its disk; None when it has not."""
    for model in server.get("/api/tags", timeout_s=10)["models"] or []:
        if same(model["name"], labkit.model):
            return units.moment_of(model["modified_at"])
    return None


def _states(pod: dict[str, Any]) -> Iterator[_Found]:
    status = pod.get("status", {})
    inits, mains = status.get("initContainerStatuses", []), status.get("containerStatuses", [])
    for container in (*inits, *mains):
        name = container["name"]
        for state in (container.get("lastState", {}), container.get("state", {})):
            running, ended = state.get("running", {}), state.get("terminated", {})
            if begun := running.get("startedAt") or ended.get("startedAt"):
                yield "started", units.moment_of(begun), f"{name} started"
            if over := ended.get("finishedAt"):
                code = ended["exitCode"]
                kind = "trouble" if code else "ended"
                yield kind, units.moment_of(over), f"{name} ended with exit code {code}"


def _conditions(pod: dict[str, Any]) -> Iterator[_Found]:
    kinds = {"PodScheduled": "scheduled", "Ready": "ready"}
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["status"] == "True" and condition["type"] in kinds:
            kind = kinds[condition["type"]]
            yield kind, units.moment_of(condition["lastTransitionTime"]), kind


def svg(title: str, moments: list[Moment]) -> str:
    """The picture: a lane for each Pod, white ground, because an image knows no theme."""
    lanes = list(dict.fromkeys(moment.pod for moment in moments))
    last = max((moment.at_s for moment in moments), default=1.0) or 1.0
    ticks = chart.ticks(0, last, 7)
    bottom = _TOP + _LANE * len(lanes)
    height = bottom + 60

    def x(at_s: float) -> float:
        return round(_LEFT + at_s / ticks[-1] * (_WIDTH - _LEFT - 20), 1)

    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        chart.text(10, 20, title, size=14),
    ]
    for tick in ticks:
        body.append(chart.line(x(tick), _TOP - 8, x(tick), bottom, "#ddd"))
        body.append(chart.text(x(tick), bottom + 16, chart.number(tick), anchor="middle"))
    body.append(chart.text(_WIDTH - 20, bottom + 32, "seconds", anchor="end"))
    for index, lane in enumerate(lanes):
        top = _TOP + _LANE * index + _LANE / 2
        body.append(chart.text(10, top + 4, lane[-20:]))
        ends = [m.at_s for m in moments if m.pod == lane]
        body.append(chart.line(x(0), top, x(max(ends)), top, "#888"))
        for moment in moments:
            if moment.pod == lane:
                body.append(_mark(x(moment.at_s), top, moment.kind, moment.what))
    shown = [kind for kind in _KINDS if any(m.kind == kind for m in moments)]
    for index, kind in enumerate(shown):
        left = 20 + index * 88
        body += [_mark(left, bottom + 46, kind, kind), chart.text(left + 8, bottom + 50, kind)]
    return "".join(body) + "</svg>"


def _mark(left: float, top: float, kind: str, said: str) -> str:
    marker = chart.MARKERS[_KINDS.index(kind) % len(chart.MARKERS)]
    return (
        f'<g transform="translate({left:g} {top:g}) scale(1.4)" fill="{_COLOURS[kind]}">'
        f"<title>{escape(said)}</title>{marker}</g>"
    )
