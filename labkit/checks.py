"""`lab.check(step)`: asks the cluster now whether a step is done; says what it saw, what to try."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from labkit import session, steps
from labkit.display import Live, Shown
from labkit.errors import CheckFailed, NotFound, OllamaSaid, Unreachable

WAIT_S = 10.0
PASSES = 2  # one after the other: something that only flickers is not done
PAUSE_S = 0.25


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """A check that passed: which step, what was seen, how long it waited (seconds)."""

    step: str
    saw: str
    waited_s: float

    def __str__(self) -> str:
        return f"{self.step}: {self.saw}"

    __repr__ = __str__


def check(step: str, *, timeout_s: float | None = None) -> Verdict:
    """Is the step done? Says what it saw.

    A notebook's name alone, such as `"00-start"`, stands for those of its steps that no later
    one undoes. What was done a moment ago may need that moment, so a check asks again for up
    to `timeout_s` seconds ($LAB_CHECK_WAIT_S, else 10). It remembers nothing and changes no
    object of the cluster; an Ollama that it asks may load the model.

        lab.check("00-start/run")

    Raises CheckFailed (not yet: what was seen, what to try), UnknownStep, ApiSilent.
    """
    if timeout_s is None:
        timeout_s = float(os.environ.get("LAB_CHECK_WAIT_S", WAIT_S))
    verdicts = [_wait_for(one, timeout_s) for one in steps.named(step)]
    if len(verdicts) == 1:
        return verdicts[0]
    saw = f"{len(verdicts)} steps are done"
    return Verdict(step, saw, sum(verdict.waited_s for verdict in verdicts))


def solved(step: str) -> bool:
    """Would the check of that step pass now? Asks once, without waiting.

    For the hidden solution of an exercise: it leaves alone what works already.

        if not lab.solved("00-start/your-turn"):
            ...
    """
    here = session.current()
    done = all(_look(one, here).passed for one in steps.named(step))
    if done:
        print(f"✓ {step} is solved already.")
    return done


def _wait_for(step: steps.Step, timeout_s: float) -> Verdict:
    here = session.current()
    begun = time.monotonic()
    passes = 0
    with Live(f"check {step.id}") as live:
        live.show(f"{step.id}: looking")
        while True:
            seen = _look(step, here)
            waited_s = time.monotonic() - begun
            passes = passes + 1 if seen.passed else 0
            if passes == PASSES:
                verdict = Verdict(step.id, seen.saw, waited_s)
                live.done(str(verdict))
                return verdict
            if not seen.passed:
                if waited_s >= timeout_s:
                    raise CheckFailed(f"{step.id} ({step.title}): {_not_yet(waited_s)}", *seen[1:])
                live.show(f"{step.id}: {seen.saw} ({waited_s:.0f} s of {timeout_s:.0f} s)")
            time.sleep(PAUSE_S)


def _look(step: steps.Step, here: session.Session) -> steps.Seen:
    """What the check sees; a Pod that goes while it is asked is something seen too."""
    try:
        return step.check(here)
    except (NotFound, Unreachable, OllamaSaid) as error:
        return steps.Seen(False, f"{error.happened}: {error.saw}", error.hint)


def _not_yet(waited_s: float) -> str:
    """
    >>> _not_yet(0.2), _not_yet(10.1)
    ('not done', 'not done, asked for 10 s')
    """
    return "not done" if waited_s < 1 else f"not done, asked for {waited_s:.0f} s"
