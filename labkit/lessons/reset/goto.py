"""`lab.goto` and `lab.reset`: from anything to the state in which a step begins, and verified.

Nothing is remembered: each round looks at all that the namespace holds and does what comes first
of what is left to do, and the last one finds nothing. An interrupted one is begun again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, overload

from labkit.errors import (
    AlreadyExists,
    CommandFailed,
    NotFound,
    OllamaSaid,
    Refused,
    TimedOut,
    Unreachable,
)
from labkit.kube import session as sessions
from labkit.kube.session import Session
from labkit.lessons import desired_objects, steps
from labkit.lessons.desired_state import State
from labkit.lessons.reset import delete, fill, helm_state, lease
from labkit.lessons.reset.fill import Change
from labkit.lessons.reset.plan import compared
from labkit.lessons.reset.readiness import until_ready
from labkit.lessons.step import Step
from labkit.ollama import models
from labkit.setup.cluster import outage
from labkit.setup.host import speed
from labkit.setup.host.poll import pause
from labkit.ui.notebook import Shown
from labkit.ui.table import Table

TIMEOUT_S = 300.0  # on the reference machine
ENTER_S = 60.0  # for an API server that is away before anything has begun, on any machine
PAUSE_S = 0.3
TRIES = 5  # of what fails and may not the next time, before its error is raised


@dataclass(frozen=True, repr=False)
class Reached(Shown):
    """Where one is now: the step, the heading to continue from, how much changed, in what time."""

    step: str
    heading: str
    changes: tuple[Change, ...]
    seconds: float

    def plain(self) -> dict[str, Any]:
        """For programs."""
        changes = [{"verb": c.verb, "target": c.target, "why": c.why} for c in self.changes]
        found = {"step": self.step, "heading": self.heading, "changes": changes}
        return {**found, "seconds": round(self.seconds, 1)}

    def __str__(self) -> str:
        notebook = self.step.partition("/")[0] or "00-start"
        place = f"at the start of {self.step}" if self.step else "empty, as on the first day"
        count = len(self.changes)
        how = f"{count} change{'s' * (count != 1)}" if count else "nothing was to change"
        return f"{place} ({how}, {self.seconds:.1f} s); continue in {notebook} at: {self.heading}"

    __repr__ = __str__


def goto(step: str, *, timeout_s: float | None = None) -> Reached:
    """Bring your namespace to where a step begins: to what the sections before it leave.

        lab.goto("05-models-everywhere/sidecar")

    From anything, and reports the heading to continue from; a notebook's name alone stands for its
    first step. It deletes everything that those sections or Kubernetes did not create:
    objects, fields, Helm releases, models in Pods. Your notebooks are not touched. What it
    changes is shown first. Equals `./lab goto STEP`; can be interrupted, and run again.
    Raises UnknownStep, PodFailed, TimedOut (with what it waited for), Refused, ApiSilent.
    """
    return go(steps.one(step, "goto"), timeout_s=timeout_s)


def reset(step: str | None = None, *, timeout_s: float | None = None) -> Reached:
    """Empty your namespace, as on the first day; with a step the same as `lab.goto`.

        lab.reset()

    Equals `./lab reset`. Raises what `lab.goto` raises.
    """
    return go(steps.one(step) if step else None, timeout_s=timeout_s)


@overload
def go(step: Step | None, *, timeout_s: float | None = None) -> Reached: ...
@overload
def go(
    step: Step | None, *, timeout_s: float | None = None, agree: Callable[[], bool]
) -> Reached | None: ...
def go(
    step: Step | None,
    *,
    timeout_s: float | None = None,
    agree: Callable[[], bool] = lambda: True,
) -> Reached | None:
    """The same; None when `agree`, called after the changes were shown, returns False."""
    begun = time.monotonic()
    timeout_s = speed.deadline(TIMEOUT_S, timeout_s)
    here = replace(sessions.current())  # which asks anew what kinds of objects there are
    state = steps.before(step) if step else State()
    changes = _tried(here, lambda: planned(here, state), begun + timeout_s)
    if changes:
        print(Table(["DO", "OBJECT", "WHY"], [(c.verb, c.target, c.why) for c in changes]))
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
    trouble = lease.misfit(lease.there(here))
    space = [Change("create", f"namespace/{here.namespace}", trouble)] if trouble else []
    changes = space + compared(here, state, desired_objects.objects(here, state)).changes()
    return changes or (fill.left(here, state) if state.ready else [])


def bring(
    here: Session, state: State, what: str, *, timeout_s: float | None = None
) -> list[Change]:
    """Bring the namespace to this state; return what was changed, in order."""
    timeout_s = speed.deadline(TIMEOUT_S, timeout_s)
    deadline = time.monotonic() + timeout_s
    items = desired_objects.objects(
        here, state
    )  # not of the cluster: files, and what helm makes of them
    done: list[Change] = []
    with lease.alone(here, what, timeout_s) as hold:
        advance = partial(_advance, here, state, items, hold, deadline)
        while changes := _tried(here, advance, deadline):
            done += changes
    return done


def _tried(here: Session, act: Callable[[], list[Change]], deadline: float) -> list[Change]:
    """What it gives, as soon as no temporary error prevents it."""
    failed = 0

    def once() -> list[Change]:
        nonlocal failed
        while True:
            try:
                return act()
            except (AlreadyExists, CommandFailed, NotFound, OllamaSaid, Refused, Unreachable):
                here.api.ready()  # helm, kubectl and a Pod may fail only because that is away
                # somebody else changed what was just looked at, a Pod went that was asked, or a
                # Namespace is so new that it has no service account yet
                failed += 1
                if failed > TRIES or time.monotonic() > deadline:
                    raise
                pause(PAUSE_S * failed)

    # it looks anew each time: what was made, and not told, is there
    return outage.asked_again(once, deadline, repeatable=True)


def _advance(
    here: Session, state: State, items: list[dict[str, Any]], hold: lease.Hold, deadline: float
) -> list[Change]:
    """Make the first change that is left; when none is left, all is proved to be done."""
    hold.require()
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        left = [f"{one.verb} {one.target}: {one.why}" for one in planned(here, state)]
        raise TimedOut(
            f"namespace {here.namespace} is not yet as it should be",
            f"left to do: {'; '.join(left)}",
            "once more: it continues from here",
        )
    hold.restore(left_s)
    plan = compared(here, state, items)
    left_s = deadline - time.monotonic()
    if plan.goes:
        delete.clear(here, [one for one, _ in plan.goes.values()], left_s)
        return [change for change in plan.changes() if change.verb == "delete"]
    if plan.release:
        helm_state.install(here, state, left_s)
    if plan.makes and "05-baked" in state.folders:
        models.bake()
    for item in plan.makes:
        path = here.api.resource(item["kind"]).path(here.namespace)
        here.api.request("POST", path, query={"fieldManager": "labkit"}, body=item)
    if not state.ready:
        return plan.changes()
    until_ready(here, items, deadline)
    if plan.makes or plan.release:
        return plan.changes()
    inside = fill.left(here, state)
    fill.do(here, state, inside, deadline - time.monotonic())
    return inside
