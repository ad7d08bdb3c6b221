"""`lab.check(step)`: asks the cluster now whether a step is done; and says what it saw."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from labkit.errors import CheckFailed, LabError, NotFound, OllamaSaid, Unreachable
from labkit.kube import session
from labkit.kube.session import Session
from labkit.lessons import hints, progress, steps
from labkit.lessons.seen import Seen
from labkit.lessons.step import Step
from labkit.setup.cluster.outage import asked_again
from labkit.setup.host import speed
from labkit.setup.host.poll import Poll
from labkit.ui import units
from labkit.ui.live import Live, echo
from labkit.ui.notebook import Shown
from labkit.ui.table import Table

if TYPE_CHECKING:
    from labkit.diagnosis.mistake import Mistake

WAIT_S = 10.0
PASSES = 2  # one after the other: something that only flickers is not done
PAUSE_S = 0.25
AT_ONCE = 4
_SIGNS = {True: "done", False: "not yet", None: "could not tell"}


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """What a check of a step came to: did it pass, what was seen, after how many seconds.

    Of one that did not, also: `cause`, the likely one (or empty), `question`, the first hint,
    `fix`, what to try, `look`, a line to look for oneself. `passed` is None where it could not
    be told. `passed_at`: when the learner first passed it, however the cluster is now; or empty.
    """

    step: str
    saw: str
    waited_s: float = 0.0
    passed: bool | None = True
    cause: str = ""
    question: str = ""
    fix: str = ""
    look: str = ""
    passed_at: str = ""

    def plain(self) -> dict[str, Any]:
        """For programs."""
        names = ("step", "passed", "saw", "cause", "question", "fix", "look", "passed_at")
        found = {name: getattr(self, name) for name in names}
        return {**found, "waited_s": round(self.waited_s, 1)}

    def __str__(self) -> str:
        return f"{self.step}: {self.saw}"

    __repr__ = __str__


def check(step: str | None = None, *, timeout_s: float | None = None) -> Verdict | Table:
    """Check whether a step is done, and show what was seen.

    A notebook's name alone, such as `"00-start"`, stands for those of its steps that no later one
    undoes. What was done a moment ago may need that moment, so a check tries again for up to
    `timeout_s` seconds ($LAB_CHECK_WAIT_S, else 10, and more on a slow machine). It changes no
    object of the cluster; an Ollama that it queries may load the model. When a step passes, the
    time is kept in your folder of notebooks.

        lab.check("00-start/run")

    Without a step it returns a table of all of them: how each is in the cluster now, and when you
    passed it. Equals `./lab check`.

    Raises CheckFailed (not yet: what was seen, the likely cause, and a question to think about;
    `.verdict` has all, and `lab.hint` more), UnknownStep, ApiSilent.
    """
    if step is None:
        return every()
    if timeout_s is None:
        timeout_s = _patience_s()
    verdicts = [_wait_for(one, timeout_s) for one in steps.named(step)]
    if len(verdicts) == 1:
        return verdicts[0]
    saw = f"{units.count(len(verdicts), 'step')} done"
    return Verdict(step, saw, sum(verdict.waited_s for verdict in verdicts))


def every() -> Table:
    """Return the table of `check()` without a step."""
    here = session.current()
    echo("./lab check")
    found = ask("")
    earlier, now = (
        sum(bool(getattr(one, name)) for one in found) for name in ("passed_at", "passed")
    )
    caption = f"namespace {here.namespace}: steps passed {earlier} of {len(found)}"
    return table(found, f"{caption}, done in the cluster now {now}")


def _patience_s() -> float:
    told = os.environ.get("LAB_CHECK_WAIT_S")
    return float(told) if told else speed.deadline(WAIT_S)


def solved(step: str) -> bool:
    """Return whether the check of a step would pass now; it looks once, without waiting.

    For code that leaves alone what works already.

        if not lab.solved("00-start/your-turn"):
            ...
    """
    here = session.current()
    done = all(_look(one, here).passed for one in steps.named(step))
    if done:
        print(f"✓ {step} is solved already.")
    return done


def ask(step: str = "", *, wait: bool = False) -> list[Verdict]:
    """Return the verdict on a step, or on each step of a notebook, checked once at the same time.

    With `wait` the steps are checked one after the other, each for as long as `check` waits.
    Without a step it checks every step once: notebooks at the same time, the steps of a notebook
    one after the other, because they query the same Ollama. That keeps no step as passed, because
    a step of one notebook may pass by the work of another.
    """
    here = session.current()
    if not step:
        groups = [list(group) for _, group in itertools.groupby(steps.STEPS, lambda s: s.notebook)]
        return _dated(_at_once(groups, here, AT_ONCE), here)
    chosen = steps.named(step)
    if wait:
        timeout_s = _patience_s()
        return _dated([_patiently(one, here, timeout_s) for one in chosen], here)
    found = _at_once([[one] for one in chosen], here, len(chosen))
    for verdict in found:
        if verdict.passed:
            progress.passed(verdict.step, here)
    mistake = hints.likely(here) if any(one.passed is False for one in found) else None
    found = [one if one.passed is not False else _with_cause(one, mistake) for one in found]
    return _dated(found, here)


def _dated(found: list[Verdict], here: Session) -> list[Verdict]:
    """The verdicts, with when each step was first passed."""
    kept = progress.kept(here)
    return [
        replace(one, passed_at=kept[one.step].isoformat()) if one.step in kept else one
        for one in found
    ]


def _at_once(groups: list[list[Step]], here: Session, count: int) -> list[Verdict]:
    """Return the verdicts on the steps of each group, with so many groups at the same time."""
    if len(groups) > 1:
        here.api.resource("pods")  # what kinds there are is asked once, and not by each thread

    def of(group: list[Step]) -> list[Verdict]:
        return [_once(one, here) for one in group]

    with ThreadPoolExecutor(count) as pool:
        return [verdict for found in pool.map(of, groups) for verdict in found]


def table(found: list[Verdict], caption: str = "") -> Table:
    """A line for each verdict: how it is now, and when it was passed; `.items` has all of each."""
    rows = [[one.step, _SIGNS[one.passed], progress.clock(one.passed_at), one.saw] for one in found]
    items = [one.plain() for one in found]
    return Table(["STEP", "NOW", "PASSED AT", "SAW"], rows, caption=caption, items=items)


def report(found: list[Verdict]) -> str:
    """The verdicts as text: all that is known of one, a line each of several."""
    if len(found) > 1:
        return repr(table(found))
    (one,) = found
    lines = [f"{one.step}: {_SIGNS[one.passed]}", f"saw: {one.saw}"]
    if one.passed_at and not one.passed:
        lines.insert(1, f"passed at {progress.clock(one.passed_at)}, and no longer so")
    # the answer itself is for -o json, and for lab.hint
    more = {"cause": one.cause, "question": one.question}
    more |= {"try": "" if one.question else one.fix, "look": one.look}
    return "\n".join(lines + [f"{name}: {text}" for name, text in more.items() if text])


def _patiently(step: Step, here: Session, timeout_s: float) -> Verdict:
    try:
        return _wait_for(step, timeout_s)
    except CheckFailed as error:
        assert isinstance(error.verdict, Verdict)  # lessons raise it, with one
        return error.verdict
    except LabError as error:
        return Verdict(step.id, f"{error.happened}: {error.saw}", passed=None, fix=error.hint)


def _once(step: Step, here: Session) -> Verdict:
    try:
        seen = _look(step, here)
    except LabError as error:
        return Verdict(step.id, f"{error.happened}: {error.saw}", passed=None, fix=error.hint)
    return Verdict(step.id, seen.saw) if seen.passed else _not_done(step, seen, 0.0)


def _wait_for(step: Step, timeout_s: float) -> Verdict:
    here = session.current()
    poll = Poll(timeout_s, every_s=PAUSE_S)
    look = partial(_look, step, here)
    passes = 0
    with Live(f"check {step.id}") as live:
        live.show(f"{step.id}: looking")
        while True:
            # it changes nothing, so what it runs in a Pod may run twice
            seen = asked_again(look, poll.deadline, repeatable=True, on_wait=live.show)
            waited_s = poll.waited_s
            passes = passes + 1 if seen.passed else 0
            if passes == PASSES:
                hints.forget(step.id)
                verdict = Verdict(step.id, seen.saw, waited_s)
                live.done(f"{verdict}{progress.passed(step.id, here)}")
                return verdict
            if not seen.passed:
                if waited_s >= timeout_s:
                    error = _failed(step, here, seen, waited_s)
                    live.stopped(f"{step.id}: not done yet")  # the error below has the reason
                    raise error
                live.show(f"{step.id}: {seen.saw} ({waited_s:.0f} s of {timeout_s:.0f} s)")
            poll.pause()


def _failed(step: Step, here: Session, seen: Seen, waited_s: float) -> CheckFailed:
    """What was seen, the likely cause, and the first hint: a question, not the answer."""
    verdict = _with_cause(_not_done(step, seen, waited_s), hints.likely(here))
    saw = f"{verdict.saw}; likely: {verdict.cause}" if verdict.cause else verdict.saw
    happened = f"{step.id} ({step.title}): {_not_yet(waited_s)}"
    return CheckFailed(happened, saw, hints.first(step, verdict.fix), verdict=verdict)


def _with_cause(verdict: Verdict, mistake: Mistake | None) -> Verdict:
    if mistake is None:
        return verdict
    return replace(verdict, cause=mistake.cause, fix=mistake.fix, look=mistake.look)


def _not_done(step: Step, seen: Seen, waited_s: float) -> Verdict:
    verdict = Verdict(step.id, seen.saw, waited_s, passed=False, fix=seen.hint)
    ladder = step.ladder
    return replace(verdict, question=ladder.question, look=ladder.look) if ladder else verdict


def _look(step: Step, here: Session) -> Seen:
    """What the check sees; a Pod that ends during the query is something seen too."""
    try:
        return step.check(here)
    except (NotFound, Unreachable, OllamaSaid) as error:
        return Seen(False, f"{error.happened}: {error.saw}", error.hint)


def _not_yet(waited_s: float) -> str:
    """
    >>> _not_yet(0.2), _not_yet(10.1)
    ('not done', 'not done after 10 s')
    """
    return "not done" if waited_s < 1 else f"not done after {waited_s:.0f} s"
