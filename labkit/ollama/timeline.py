"""`lab.timeline`: when Pods were made, started, had the model, were ready."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from typing import Any

import labkit
from labkit.errors import LabError
from labkit.kube import pod_names, pod_status, refs
from labkit.kube.proxy import Connection
from labkit.kube.session import Session, current
from labkit.ollama import client
from labkit.ollama.lanes import KINDS, Moment, image
from labkit.ollama.model_name import same
from labkit.ui import units
from labkit.ui.table import Table

_TROUBLE = {"FailedPostStartHook", "Killing", "BackOff", "Unhealthy", "Failed"}

_Found = tuple[str, datetime.datetime, str]  # kind, when, in words


class Timeline:
    """Moments of Pods, in order: a lane each in a picture, and the same as a table."""

    def __init__(self, title: str, moments: list[Moment]) -> None:
        self.title = title
        self.moments = moments
        rows = [[m.pod, m.seconds, m.what] for m in moments]
        self.table = Table(["POD", "SECONDS", "WHAT"], rows, caption=title, empty="no Pods")

    def seconds(self, kind: str) -> dict[str, float]:
        """Pod → seconds until the first moment of that kind: "model", "ready" …

        Of a moment that is known to a whole second, its beginning.
        """
        found: dict[str, float] = {}
        for moment in self.moments:
            if moment.kind == kind:
                found.setdefault(moment.pod, moment.at_s)
        return found

    def beside(self, other: Timeline, name: str, its_name: str) -> Timeline:
        """Both in one picture, each Pod under the name that its timeline is given."""
        found = []
        for one, said in ((self, name), (other, its_name)):
            ends = pod_names.short(moment.pod for moment in one.moments)
            found += [m._replace(pod=f"{said} {ends[m.pod]}") for m in one.moments]
        return Timeline(f"{name} beside {its_name}", found)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        ends = pod_names.short(moment.pod for moment in self.moments)
        return (
            image(self.title, [moment._replace(pod=ends[moment.pod]) for moment in self.moments])
            + f"<details><summary>{escape(self.title)}: the moments</summary>"
            f"{self.table._repr_html_()}</details>"
        )


def timeline(target: str) -> Timeline:
    """Return what happened to each Pod of a target, in seconds since the Pod was created.

        lab.timeline("deployment/ollama")

    From the Pods' own states, their events, and the moment at which each Ollama reports
    the lab's model. Kubernetes records whole seconds, so most moments are known to a second:
    "7 to 8". Equals reading `kubectl get pods --output=yaml`, and `kubectl events`. Raises
    NotFound, Unreachable (it has no Pod).
    """
    session = current()
    pods = refs.pods_of(session, refs.parsed(session, target))
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
            count = event.get("count") or 1
            times = f", {units.count(count, 'time')}" if count > 1 else ""
            found.append(("trouble", units.moment_of(at), f"{event['reason']}{times}"))
    if had_model:
        found.append(("model", had_model, "has the model"))
    moments = [
        # what has a fraction was noted exactly, by Ollama; Kubernetes cuts it off
        Moment(name, max(0.0, (at - begun).total_seconds()), kind, what, float(not at.microsecond))
        for kind, at, what in found
    ]
    # within a second Kubernetes' own moments have no order; by their nature they have
    return sorted(moments, key=lambda moment: (int(moment.at_s), KINDS.index(moment.kind)))


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
    for container in pod_status.statuses(pod):
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
