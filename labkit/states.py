"""`lab.goto` and `lab.reset`: from anything to the state in which a step begins, and verified.

Nothing is remembered: each round looks at all that the namespace holds and does what comes first
of what is left to do, and the last one finds nothing. An interrupted one is begun again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from labkit import clearing, contents, declared, filling, holding, making, releases, steps
from labkit import session as sessions
from labkit.contents import Found
from labkit.display import Live, Shown
from labkit.errors import (
    AlreadyExists,
    ApiSilent,
    CommandFailed,
    NotFound,
    OllamaSaid,
    PodFailed,
    Refused,
    TimedOut,
    Unreachable,
)
from labkit.filling import Change
from labkit.session import Session
from labkit.steps import State
from labkit.table import Table
from labkit.until import Until, usual
from labkit.waiting import look

TIMEOUT_S = 300.0
PAUSE_S = 0.3
TRIES = 5  # of what fails and may not the next time, before its error is raised
_RUNNING = {"Pod", "Deployment", "Job"}  # kinds that take their time to be ready


@dataclass(frozen=True, repr=False)
class Reached(Shown):
    """Where one is now: the step, the heading to go on from, how much changed, in what time."""

    step: str
    heading: str
    changes: tuple[Change, ...]
    seconds: float

    def plain(self) -> dict:
        """For programs."""
        changes = [change._asdict() for change in self.changes]
        found = {"step": self.step, "heading": self.heading, "changes": changes}
        return {**found, "seconds": round(self.seconds, 1)}

    def __str__(self) -> str:
        notebook = self.step.partition("/")[0] or "00-start"
        place = f"at the start of {self.step}" if self.step else "empty, as on the first day"
        count = len(self.changes)
        how = f"{count} change{'s' * (count != 1)}" if count else "nothing was to change"
        return f"{place} ({how}, {self.seconds:.1f} s); go on in {notebook} at: {self.heading}"

    __repr__ = __str__


class _Plan(NamedTuple):
    """What is left to do to a namespace's objects."""

    goes: dict[str, tuple[Found, str]]  # uid → what is to go, and why
    makes: list[dict]
    release: str  # why the release is to be made; or empty

    def changes(self) -> list[Change]:
        # what goes with its owner needs no line of its own
        shown = [(one, why) for one, why in self.goes.values() if not _follows(one, self.goes)]
        gone = [Change("delete", str(one), why) for one, why in shown]
        again = {change.target for change in gone}
        names = [f"{item['kind'].lower()}/{item['metadata']['name']}" for item in self.makes]
        new = [Change("create", n, "anew" if n in again else "is missing") for n in names]
        name = f"release/{declared.RELEASE}"
        return gone + new + ([Change("install", name, self.release)] if self.release else [])


def _follows(one: Found, goes: dict[str, tuple[Found, str]]) -> bool:
    services = {it.name for it, _ in goes.values() if it.resource.kind == "Service"}
    is_services = one.resource.kind == "Endpoints" and one.name in services
    return bool(is_services or contents.owners(one) & goes.keys())


def goto(step: str, *, timeout_s: float = TIMEOUT_S) -> Reached:
    """Brings your namespace to where a step begins: to what the sections before it leave.

        lab.goto("05-models-everywhere/sidecar")

    From anything, and says the heading to go on from; a notebook's name alone stands for its
    first step. All that neither those sections nor Kubernetes put into the namespace goes:
    objects, fields, Helm releases, models in Pods. Your notebooks are not touched. What it
    changes is shown first. Equals `./lab goto STEP`; can be interrupted, and run again.
    Raises UnknownStep, PodFailed, TimedOut (with what it waited for), Refused, ApiSilent.
    """
    return go(steps.one(step), timeout_s=timeout_s)


def reset(step: str | None = None, *, timeout_s: float = TIMEOUT_S) -> Reached:
    """Empties your namespace, as it was on the first day; with a step the same as `lab.goto`.

        lab.reset()

    Equals `./lab reset`. Raises what `lab.goto` raises.
    """
    return go(steps.one(step) if step else None, timeout_s=timeout_s)


def go(
    step: steps.Step | None,
    *,
    timeout_s: float = TIMEOUT_S,
    agree: Callable[[], bool] = lambda: True,
) -> Reached | None:
    """The same; None when `agree`, asked after the changes were shown, says no."""
    begun = time.monotonic()
    here = replace(sessions.current())  # which asks anew what kinds of objects there are
    state = steps.before(step) if step else State()
    changes = _tried(lambda: planned(here, state), begun + timeout_s)
    if changes:
        print(Table(["DO", "OBJECT", "WHY"], changes))
        if not agree():
            return None
    what = f"goto {step.id}" if step else "reset"
    done = bring(here, state, what, timeout_s=timeout_s)
    heading = (step or steps.STEPS[0]).title
    reached = Reached(step.id if step else "", heading, tuple(done), time.monotonic() - begun)
    print(reached)
    return reached


def planned(here: Session, state: State) -> list[Change]:
    """What there is to do now, as far as it can be told before the first of it is done."""
    trouble = holding.misfit(holding.there(here))
    space = [Change("create", f"namespace/{here.namespace}", trouble)] if trouble else []
    changes = space + _judged(here, state, declared.objects(here, state)).changes()
    return changes or (filling.left(here, state) if state.ready else [])


def bring(here: Session, state: State, what: str, *, timeout_s: float = TIMEOUT_S) -> list[Change]:
    """Brings the namespace to this state; what was changed, in order."""
    deadline = time.monotonic() + timeout_s
    items = declared.objects(here, state)  # not of the cluster: files, and what helm makes of them
    done: list[Change] = []
    with holding.alone(here, what, timeout_s) as hold:
        while changes := _tried(lambda: _advance(here, state, items, hold, deadline), deadline):
            done += changes
    return done


def _tried(act: Callable[[], list[Change]], deadline: float) -> list[Change]:
    """What it gives, as soon as nothing that passes by itself keeps it from that."""
    failed = 0
    while True:
        try:
            return act()
        except ApiSilent:  # it restarts
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        except (AlreadyExists, CommandFailed, NotFound, OllamaSaid, Refused, Unreachable):
            # somebody else changed what was just looked at, a Pod went that was asked, or a
            # Namespace is so new that it has no service account yet
            failed += 1
            if failed > TRIES or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_S * failed)


def _advance(
    here: Session, state: State, items: list[dict], hold: holding.Hold, deadline: float
) -> list[Change]:
    """Does what comes first of what is left to do; nothing left is the proof that all is done."""
    hold.require()
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        left = [f"{verb} {target}: {why}" for verb, target, why in planned(here, state)]
        raise TimedOut(
            f"namespace {here.namespace} is not yet as it should be",
            f"left to do: {'; '.join(left)}",
            "once more: it goes on from here",
        )
    hold.restore(left_s)
    plan = _judged(here, state, items)
    if plan.goes:
        clearing.clear(here, [one for one, _ in plan.goes.values()], left_s)
        return [change for change in plan.changes() if change.verb == "delete"]
    if plan.release:
        releases.install(here, state, left_s)
    if plan.makes and "05-baked" in state.folders:
        making.bake()
    for item in plan.makes:
        path = here.api.resource(item["kind"]).path(here.namespace)
        here.api.request("POST", path, query={"fieldManager": "labkit"}, body=item)
    if not state.ready:
        return plan.changes()
    _settle(here, items, deadline)
    if plan.makes or plan.release:
        return plan.changes()
    left = filling.left(here, state)
    filling.do(here, state, left, left_s)
    return left


def _judged(here: Session, state: State, items: list[dict]) -> _Plan:
    """Compares what the namespace holds with what it should hold."""
    found = contents.listed(here)
    there = {contents.identity(one.resource.api_version, one.item): one for one in found}
    goes: dict[str, tuple[Found, str]] = {}
    stays, makes, release = [], [], ""
    for item in items:
        one = there.get(contents.identity(item["apiVersion"], item))
        unlike = _unlike(here, state, item, one.item) if one else ""
        if one and not unlike:
            stays.append(one)
            goes |= _misshapen(here, state, one, found)
            continue
        makes.append(item)
        if one:
            goes[one.uid] = one, unlike
    if state.release is not None:
        release = releases.misfit(found, state) or ("its objects are not its chart's" * bool(makes))
        stays, makes = ([], []) if release else ([*stays, *releases.records(found)], makes)
    staying = contents.kept(found, stays)
    for one in found:
        if one.uid not in staying:
            goes.setdefault(one.uid, (one, "no part of this step"))
    return _Plan(goes, makes, release)


def _misshapen(
    here: Session, state: State, owner: Found, found: list[Found]
) -> dict[str, tuple[Found, str]]:
    """The Pods of a Deployment that are not as its template says: somebody changed one alone."""
    if owner.resource.kind != "Deployment":
        return {}
    sets = {one.uid for one in found if owner.uid in contents.owners(one)}
    goes = {}
    template = {"apiVersion": "v1", "kind": "Pod", **owner.item["spec"]["template"]}
    for pod in found:
        is_ours = pod.resource.kind == "Pod" and contents.owners(pod) & sets and not pod.going
        if is_ours and (unlike := _unlike(here, state, template, pod.item)):
            goes[pod.uid] = pod, unlike
    return goes


def _unlike(here: Session, state: State, item: dict, there: dict) -> str:
    """How an object differs from one that would be made now; empty when it does not.

    The API server says what it would make: with its defaults, without what others have set.
    """
    if "deletionTimestamp" in there["metadata"]:
        return "it is going"
    resource = here.api.resource(item["kind"])
    meta = {**item.get("metadata", {}), "generateName": "labkit-"}  # its own name is taken
    meta.pop("name", None)
    query = {"dryRun": "All", "fieldManager": "labkit"}
    try:
        path = resource.path(here.namespace)
        made = here.api.request("POST", path, query=query, body={**item, "metadata": meta})
    except Refused as error:
        return f"it would be refused now: {error.saw}"
    unlike = contents.differences(contents.pure(made), contents.pure(there))
    status = there.get("status", {})
    if item["kind"] == "Pod":
        restarts = sum(one["restartCount"] for one in status.get("containerStatuses", []))
        if status.get("phase") in ("Failed", "Succeeded"):
            unlike.append("it has ended")
        elif restarts and state.ready:
            unlike.append(f"it has restarted {restarts} times")
        elif state.ready and _was_ready(status):
            unlike.append("it was ready, and is no more")
    failed = [c for c in status.get("conditions", []) if c["type"] == "Failed"]
    return (unlike + ["it has failed" for _ in failed] + [""])[0]


def _was_ready(status: dict) -> bool:
    """Of a Pod that is not ready: was it once? Nobody may be left who would mend it.

    >>> started = {"state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}}}
    >>> ready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    >>> _was_ready({"conditions": [ready], "containerStatuses": [started]})
    False
    >>> later = {**ready, "lastTransitionTime": "2026-01-01T00:01:00Z"}
    >>> _was_ready({"conditions": [later], "containerStatuses": [started]})
    True
    """
    began = [
        one["state"]["running"]["startedAt"]
        for one in status.get("containerStatuses", [])
        if "running" in one.get("state", {})
    ]
    return any(
        one["type"] == "Ready"
        and one["status"] == "False"
        and one["lastTransitionTime"] > max(began)
        for one in status.get("conditions", [])
        if began
    )


def _settle(here: Session, items: list[dict], deadline: float) -> None:
    """Waits until what runs is ready. Raises PodFailed, TimedOut."""
    since: dict[tuple[str, str], float] = {}
    begun, shown = time.monotonic(), False
    with Live("wait") as live:
        while True:
            now, late, seen_now = time.monotonic(), [], {}
            for item in items:
                if item["kind"] not in _RUNNING:
                    continue
                resource = here.api.resource(item["kind"])
                name = item["metadata"]["name"]
                there = here.api.request("GET", resource.path(here.namespace, name))
                is_workload = item["kind"] == "Deployment"
                goal = Until("rollout") if is_workload else usual(item["kind"], there)
                if goal.met(there):
                    continue
                seen = look(here, resource, there)
                target = f"{item['kind'].lower()}/{name}"
                late.append(f"{target} {seen.doing}")
                if seen.trouble:
                    key = target, seen.trouble.reason
                    seen_now[key] = since.get(key, now)
                    if now - seen_now[key] >= seen.trouble.holds_s:
                        raise PodFailed(
                            f"{target} in namespace {here.namespace} will not be ready",
                            f"{seen.of}{seen.trouble.reason}: {seen.trouble.message}",
                            seen.trouble.hint,
                            reason=seen.trouble.reason,
                        )
            if not late:
                if shown:
                    live.done(f"ready after {now - begun:.1f} s")
                return
            if now > deadline:
                raise TimedOut(
                    f"what runs in namespace {here.namespace} is not ready yet",
                    "; ".join(late),
                    "once more: it goes on from here",
                )
            since = seen_now
            shown = True
            live.show(f"waiting: {'; '.join(late)}")
            time.sleep(PAUSE_S)
