"""`lab.wait`: over one watch until an object is ready, fails, is gone, or time is up."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from labkit import targets
from labkit.display import Live, Shown, echo
from labkit.errors import Gone, LabError, NotFound, PodFailed, TimedOut
from labkit.session import Session, current
from labkit.until import Until, observed, parsed, usual
from labkit.verdict import Trouble, pod_doing, trouble, workload_trouble

if TYPE_CHECKING:
    from labkit.api import Api, Resource

__all__ = ["Trouble", "Waited", "rollout", "trouble", "wait"]

_LOOK_EVERY_S = 1.0
_WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}
# goals that a Pod in trouble will not reach; any other may well be reached because of it
_HEALTHY = {"ready", "containersready", "podscheduled", "initialized", "available", "complete"}


@dataclass(frozen=True)
class Waited(Shown):
    """How a wait ended well: after how many seconds, and with which object."""

    target: str
    until: str
    seconds: float
    item: dict = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return f"{self.target}: {self.until} after {self.seconds:.1f} s"


def wait(target: str, *, until: str | None = None, timeout_s: float = 90.0) -> Waited:
    """Waits until the object is ready; `.seconds` says how long that took.

        lab.wait("deployment/ollama")
        lab.wait("pod/client", until="delete", timeout_s=30)

    Equals `kubectl wait deployment/ollama --for=condition=Available --timeout=90s`, and
    ends as soon as the outcome is certain. `until` is kubectl's `--for`: condition=NAME,
    jsonpath={..ip}, delete, create; by itself Ready for a Pod, Available for a Deployment,
    Complete for a Job. Raises PodFailed (`.reason` says why it will not become ready),
    Gone (deleted meanwhile), TimedOut, and NotFound when there is nothing to wait for.
    """
    goal = parsed(until) if until else None

    def line(target: str, goal: Until) -> str:
        return f"kubectl wait {target} {shlex.quote(f'--for={goal}')} --timeout={timeout_s:g}s"

    return _wait(target, goal, line, timeout_s)


def rollout(target: str, *, timeout_s: float = 120.0) -> Waited:
    """Waits until a Deployment runs as it was last told to: every Pod new, ready, and none left.

        lab.rollout("deployment/ollama")

    Equals `kubectl rollout status deployment/ollama --timeout=120s`. After `lab.scale` and
    `lab.restart`, where `wait` would be content with the old Pods. Raises what `wait` raises.
    """

    def line(target: str, _: Until) -> str:
        return f"kubectl rollout status {target} --timeout={timeout_s:g}s"

    return _wait(target, Until("rollout"), line, timeout_s)


def _wait(
    target: str, goal: Until | None, line: Callable[[str, Until], str], timeout_s: float
) -> Waited:
    session = current()
    word, name, resource, namespace = named = targets.parsed(session, target)
    target = str(named)
    is_usual = goal is None
    began = time.monotonic()
    states = _states(session.api, resource.path(namespace), name, timeout_s)
    _, first = next(states)
    goal = goal or usual(resource.kind, first or {})
    echo(line(target, goal))
    if first is None and goal.verb not in ("create", "delete"):
        raise NotFound(
            f"there is no {target} in namespace {namespace}",
            "nothing to wait for",
            f'lab.wait("{target}", until="create") if it comes later; lab.get("{word}")',
        )
    if goal.verb == "rollout" and resource.kind not in ("Deployment", "StatefulSet"):
        saw, hint = f"it is a {resource.kind}", f'lab.wait("{target}")'
        raise LabError(f"{target} has no rollout that can be followed", saw, hint)
    verb = "rollout" if goal.verb == "rollout" else "wait"
    wanted = _words(goal, default=is_usual)
    expects_health = (
        is_usual
        or goal.verb == "rollout"
        or (goal.name.lower() in _HEALTHY and goal.value.lower() in ("", "true"))
    )
    uid = (first or {}).get("metadata", {}).get("uid")
    looked, seen, since = float("-inf"), _Seen("not there yet"), {}
    # closed by hand: a notebook keeps the frames of its last error, and with it the watch
    with closing(states), Live(f"wait for {target}") as live:
        for event, item in chain([("LISTED", first)], states):
            seconds = time.monotonic() - began
            if _reached(goal, event, item, uid):
                live.done(f"{target} {wanted} after {seconds:.1f} s")
                return Waited(target, wanted, seconds, item or {})
            if goal.verb != "create" and (event == "DELETED" or item is None):
                raise Gone(
                    f"{target} in namespace {namespace} was deleted while we waited for it",
                    f"{seen.doing}, until it went after {seconds:.1f} s",
                    "create it again, then wait again",
                )
            if item and (event != "TICK" or seconds - looked >= _LOOK_EVERY_S):
                seen, looked = look(session, resource, item), seconds
            found = seen.trouble if expects_health else None
            since = {found.reason: since.get(found.reason, seconds)} if found else {}
            if found and seconds - since[found.reason] >= found.holds_s:
                raise PodFailed(
                    f"{target} in namespace {namespace} will not be {wanted}",
                    f"{seen.of}{found.reason}: {found.message}",
                    found.hint,
                    reason=found.reason,
                )
            live.show(f"{target} {seen.doing}, {seconds:.0f} s of {timeout_s:g} s")
        held = seen.trouble and f"; {seen.of}{seen.trouble.reason}: {seen.trouble.message}"
        raise TimedOut(
            f"{target} in namespace {namespace} not {wanted} after {timeout_s:g} s",
            f"{seen.doing}{held or ''}",
            f'lab.{verb}("{target}", timeout_s={2 * timeout_s:g}) if it needs longer;'
            " lab.events() says what happens",
        )


@dataclass(frozen=True)
class _Seen:
    doing: str
    trouble: Trouble | None = None
    of: str = ""  # the Pod that is in trouble, where the target is not one


def _states(api: Api, path: str, name: str, timeout_s: float) -> Iterator[tuple[str, dict | None]]:
    """What happened and the object: first as listed, then each change, TICK where none."""
    query = {"fieldSelector": f"metadata.name={name}"}
    listed = api.request("GET", path, query=query)
    item = next(iter(listed["items"]), None)
    yield "LISTED", item
    version = {"resourceVersion": listed["metadata"]["resourceVersion"]}
    for news in api.watch(path, query={**query, **version}, timeout_s=timeout_s):
        event, item = news or ("TICK", item)
        yield event, item
    # a watch that had to start anew tells what is there, and not what went meanwhile
    yield "LISTED", next(iter(api.request("GET", path, query=query)["items"]), None)


def _reached(goal: Until, event: str, item: dict | None, uid: str | None) -> bool:
    if goal.verb == "delete":  # another one of its name is not the one that was there
        return item is None or event == "DELETED" or item["metadata"]["uid"] != uid
    if item is None or event == "DELETED":
        return False
    return goal.verb == "create" or goal.met(item)


def _words(goal: Until, *, default: bool) -> str:
    if goal.verb in ("delete", "create"):
        return {"delete": "gone", "create": "there"}[goal.verb]
    if goal.verb == "rollout":
        return "rolled out"
    if goal.name == "Complete":
        return "complete"
    return "ready" if default or goal == ("condition", "Ready", "") else str(goal)


def look(session: Session, resource: Resource, item: dict) -> _Seen:
    """What it is at, from its Pods and their events too: plain GETs, a moment each."""
    name = item["metadata"]["name"]
    if resource.kind == "Pod":
        events = _events(session, item) if _waits(item) else []
        return _Seen(pod_doing(item, events), trouble(item, events))
    if resource.kind not in _WORKLOADS:
        phase = item.get("status", {}).get("phase")
        return _Seen(f"phase {phase}" if phase else "there, not yet as wanted")
    if not observed(item):  # its Pods are still those of before the last change
        return _Seen("has changed, and its controller has not seen it yet")
    pods = _pods(session, resource.kind, item)
    own = workload_trouble(item, [] if pods else _events(session, item))
    ready = [pod for pod in pods if not _waits(pod)]
    spec = item.get("spec", {})
    doing = f"{len(ready)} of {spec.get('replicas', spec.get('parallelism', 1))} Pods ready"
    for pod in pods:
        if own is None and pod not in ready:
            events = _events(session, pod)
            name = pod["metadata"]["name"]
            doing = f"{doing}; {name} {pod_doing(pod, events)}"
            found = trouble(pod, events)
            # a Job counts its Pods' crashes itself, and may yet succeed
            if found and (resource.kind, found.reason) != ("Job", "CrashLoopBackOff"):
                return _Seen(doing, found, f"pod/{name} ")
    return _Seen(doing, own)


def _pods(session: Session, kind: str, item: dict) -> list[dict]:
    """A workload's Pods that still count: not those of an earlier template, none that ended."""
    labels = dict(item.get("spec", {}).get("selector", {}).get("matchLabels", {}))
    if kind == "Deployment":
        labels |= _newest_template(session, item, labels)
    elif revision := item.get("status", {}).get("updateRevision"):
        labels["controller-revision-hash"] = revision
    if not labels:
        return []
    found = _list(session, "pods", labelSelector=_joined(labels))
    return [
        pod
        for pod in found
        if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded") and targets.stays(pod)
    ]


def _newest_template(session: Session, item: dict, labels: dict) -> dict:
    # Pods of the image that the learner has just corrected must not fail the wait
    key = "deployment.kubernetes.io/revision"
    revision = item["metadata"].get("annotations", {}).get(key)
    for replicas in _list(session, "replicasets", labelSelector=_joined(labels)):
        if replicas["metadata"].get("annotations", {}).get(key) == revision:
            hashed = replicas["metadata"].get("labels", {}).get("pod-template-hash")
            return {"pod-template-hash": hashed} if hashed else {}
    return {}


def _events(session: Session, item: dict) -> list[dict]:
    uid = item["metadata"]["uid"]
    found = _list(session, "events", fieldSelector=f"involvedObject.uid={uid}")
    return sorted(found, key=lambda event: event.get("lastTimestamp") or "")


def _list(session: Session, plural: str, **query: str) -> list[dict]:
    path = session.api.resource(plural).path(session.namespace)
    return session.api.request("GET", path, query=query)["items"]


def _waits(pod: dict) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return not any(part["type"] == "Ready" and part["status"] == "True" for part in conditions)


def _joined(labels: dict) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())
