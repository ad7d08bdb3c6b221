"""`lab.wait`: over one watch until an object is ready, fails, is gone, or time is up."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from labkit.errors import Gone, LabError, PodFailed, TimedOut
from labkit.kube import refs
from labkit.kube.conditions import Until, parsed, usual
from labkit.kube.doing import Seen, look
from labkit.kube.pod_status import Trouble, trouble
from labkit.kube.rollouts import FOLLOWED, observed, pending, unfollowed
from labkit.kube.session import current
from labkit.setup.cluster.outage import asked_again
from labkit.setup.host import speed
from labkit.ui.live import Live, echo
from labkit.ui.notebook import Shown

if TYPE_CHECKING:
    from labkit.kube.client import Api

__all__ = ["Trouble", "Waited", "look", "rollout", "trouble", "wait"]

READY_S, ROLLOUT_S = 90.0, 120.0  # on the reference machine
_LOOK_EVERY_S = 1.0
# goals that a Pod in trouble will not reach; any other may well be reached because of it
_HEALTHY = {"ready", "containersready", "podscheduled", "initialized", "available", "complete"}


@dataclass(frozen=True)
class Waited(Shown):
    """How a wait ended well: after how many seconds, and with which object."""

    target: str
    until: str
    seconds: float
    item: dict[str, Any] = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return f"{self.target}: {self.until} after {self.seconds:.1f} s"


def wait(target: str, *, until: str | None = None, timeout_s: float | None = None) -> Waited:
    """Wait until the object is ready; `.seconds` is how long that took.

        lab.wait("deployment/ollama")
        lab.wait("pod/client", until="delete", timeout_s=30)

    Equals `kubectl wait deployment/ollama --for=condition=Available --timeout=90s`, and
    ends as soon as the outcome is certain. `until` is kubectl's `--for`: condition=NAME,
    jsonpath={..ip}, delete, create. The default is Ready for a Pod, Available for a Deployment,
    Complete for a Job; `timeout_s` is 90 by default, and more on a slow machine. Raises PodFailed
    (`.reason` says why it will not become ready),
    Gone (deleted meanwhile), TimedOut, and NotFound when there is nothing to wait for.
    """
    goal = parsed(until) if until else None
    timeout_s = speed.deadline(READY_S, timeout_s)

    def line(target: str, goal: Until) -> str:
        if goal.verb == "rollout":
            return f"kubectl rollout status {target} --timeout={timeout_s:g}s"
        return f"kubectl wait {target} {shlex.quote(f'--for={goal}')} --timeout={timeout_s:g}s"

    return _wait(target, goal, line, timeout_s)


def rollout(target: str, *, timeout_s: float | None = None) -> Waited:
    """Wait until a workload runs as last changed: every new Pod ready, and no old one left.

        lab.rollout("deployment/ollama")

    Equals `kubectl rollout status deployment/ollama --timeout=120s`, for a Deployment, a
    StatefulSet (up to its partition) or a DaemonSet. After `lab.scale` and `lab.restart`, where
    `wait` would accept the old Pods. `timeout_s` is by default 120 s, and more on a slow
    machine. Raises what `wait` raises.
    """
    timeout_s = speed.deadline(ROLLOUT_S, timeout_s)

    def line(target: str, _: Until) -> str:
        return f"kubectl rollout status {target} --timeout={timeout_s:g}s"

    return _wait(target, Until("rollout"), line, timeout_s)


def _wait(
    target: str, goal: Until | None, line: Callable[[str, Until], str], timeout_s: float
) -> Waited:
    session = current()
    is_usual = goal is None
    began = time.monotonic()
    deadline = began + timeout_s
    named = asked_again(lambda: refs.parsed(session, target), deadline)
    word, name, resource, namespace = named
    target = str(named)
    states = _states(session.api, resource.path(namespace), name, timeout_s)
    _, first = next(states)
    goal = goal or usual(resource.kind, first or {})
    echo(line(target, goal))
    if first is None and goal.verb not in ("create", "delete"):
        hint = f'lab.wait("{target}", until="create") if it comes later; lab.get("{word}")'
        raise refs.missing(session, named, "nothing to wait for", hint)
    if not is_usual and goal.verb == "rollout":
        goal = Until("rollout", resource.kind)
        if saw := unfollowed(resource.kind, first or {}):
            hint = f'lab.wait("{target}")'
            if resource.kind in FOLLOWED:
                hint = "lab.delete() of its Pods, one after the other"
            raise LabError(f"{target} has no rollout that can be followed", saw, hint)
    verb = "rollout" if goal.verb == "rollout" and not is_usual else "wait"
    wanted = _words(goal, default=is_usual)
    expects_health = (
        is_usual
        or goal.verb == "rollout"
        or (goal.name.lower() in _HEALTHY and goal.value.lower() in ("", "true"))
    )
    uid = (first or {}).get("metadata", {}).get("uid")
    looked, seen = float("-inf"), Seen("not there yet")
    since: dict[str, float] = {}  # trouble → when it was seen first
    # closed by hand: a notebook keeps the frames of its last error, and with it the watch
    with closing(states), Live(f"wait for {target}") as live:
        for event, item in chain([("LISTED", first)], states):
            seconds = time.monotonic() - began
            is_told = True
            if is_usual and item:  # how many it wants may change
                goal, is_told = usual(resource.kind, item), observed(item, resource.kind)
            if is_told and _reached(goal, event, item, uid):
                live.done(f"{target} {wanted} after {seconds:.1f} s")
                return Waited(target, wanted, seconds, item or {})
            if goal.verb != "create" and (event == "DELETED" or item is None):
                raise Gone(
                    f"{target} in namespace {namespace} was deleted while we waited for it",
                    f"{seen.doing}, until it went after {seconds:.1f} s",
                    "create it again, then wait again",
                )
            if item and (event != "TICK" or seconds - looked >= _LOOK_EVERY_S):
                seen = asked_again(
                    partial(look, session, resource, item), deadline, on_wait=live.show
                )
                looked = seconds
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
        left = pending(resource.kind, item or {}) if verb == "rollout" else ""
        left = f"; {left}" if left not in ("", seen.doing) else ""
        raise TimedOut(
            f"{target} in namespace {namespace} not {wanted} after {timeout_s:g} s",
            f"{seen.doing}{left}{held or ''}",
            f'lab.{verb}("{target}", timeout_s={2 * timeout_s:g}) if it needs longer;'
            " lab.events() says what happens",
        )


def _states(
    api: Api, path: str, name: str, timeout_s: float
) -> Generator[tuple[str, dict[str, Any] | None], None, None]:
    """What happened and the object: first as listed, then each change, TICK where none."""
    query = {"fieldSelector": f"metadata.name={name}"}
    list_ = partial(api.request, "GET", path, query=query)
    listed = asked_again(list_, time.monotonic() + timeout_s)
    item = next(iter(listed["items"]), None)
    yield "LISTED", item
    version = {"resourceVersion": listed["metadata"]["resourceVersion"]}
    for news in api.watch(path, query={**query, **version}, timeout_s=timeout_s):
        event, item = news or ("TICK", item)
        yield event, item
    # a watch that had to start anew tells what is there, and not what went meanwhile
    yield "LISTED", next(iter(list_()["items"]), None)


def _reached(goal: Until, event: str, item: dict[str, Any] | None, uid: str | None) -> bool:
    if goal.verb == "delete":  # another one of its name is not the one that was there
        return item is None or event == "DELETED" or item["metadata"]["uid"] != uid
    if item is None or event == "DELETED":
        return False
    return goal.verb == "create" or goal.met(item)


def _words(goal: Until, *, default: bool) -> str:
    if goal.verb in ("delete", "create"):
        return {"delete": "gone", "create": "there"}[goal.verb]
    if goal.verb == "rollout" and not default:
        return "rolled out"
    if goal.name == "Complete":
        return "complete"
    return "ready" if default or goal == ("condition", "Ready", "") else str(goal)
