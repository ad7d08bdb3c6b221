"""`lab.hint(step)`: from a question to where to look to the command, a rung at each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.kube import session
from labkit.kube.session import Session
from labkit.learner import solutions
from labkit.lessons import steps
from labkit.lessons.step import Ladder, Step
from labkit.ui.notebook import Shown

if TYPE_CHECKING:
    from labkit.diagnosis.mistake import Mistake

_given: dict[str, int] = {}  # step → how many rungs this kernel has shown; nothing else is kept


@dataclass(frozen=True)
class Hint(Shown):
    """One rung: 1 a question, 2 where to look, 3 the command, 4 the solution of a notebook."""

    step: str
    rung: int
    text: str

    def __repr__(self) -> str:
        return self.text


def hint(step: str) -> Hint:
    """Show the next hint for a step: a question, then where to look, then the command.

        lab.hint("03-service/right-port")

    `lab.check` shows the question; each call shows one more, and the last one again and again,
    until the check passes. The second also names the likely cause, from the cluster as it is
    now. Raises UnknownStep.
    """
    one, ladder = of(step)
    rung = min(_given.get(one.id, 0) + 1, 3)
    _given[one.id] = rung
    if rung == 1:
        text = ladder.question
    elif rung == 2:
        now = with_cause(ladder, session.current())
        text = f"{now.pointer}\n$ {now.look}"
    else:
        text = ladder.command
    given = Hint(one.id, rung, text)
    print(given)
    return given


def solution(step: str) -> Hint:
    """Print the solution of an exercise, as its notebook has it folded; nothing is run.

        lab.solution("00-start/your-turn")

    Copy what you want of it into the cell of the exercise. A notebook's name stands for its first
    exercise. Raises UnknownStep, and LabError for a step that is not an exercise.
    """
    steps.named(step, "solution")
    for one in steps.STEPS:
        if step in (one.id, one.notebook) and (text := solutions.of(one.id)):
            given = Hint(one.id, 4, text)
            print(given)
            return given
    saw = "its notebook has no exercise there"
    raise LabError(f"{step} has no solution", saw, f'lab.hint("{step}")')


def of(name: str) -> tuple[Step, Ladder]:
    """Return a step and its hints. Raise UnknownStep, or LabError when it has no hints."""
    one = steps.one(name, "hint")
    if one.ladder is None:
        raise LabError(f"{one.id} has no hints", "none are written", f'lab.check("{one.id}")')
    return one, one.ladder


def with_cause(ladder: Ladder, here: Session) -> Ladder:
    """Return the hints with the likely mistake in the namespace, if there is one."""
    found = likely(here)
    if not found:
        return ladder
    return ladder._replace(pointer=f"Likely: {found.cause}. {ladder.pointer}", look=found.look)


def first(step: Step, otherwise: str) -> str:
    """What to try after a check that failed: the next hint, and a question to think about."""
    if not step.ladder:
        return otherwise
    _given[step.id] = max(_given.get(step.id, 0), 1)
    return f'lab.hint("{step.id}"); think first: {step.ladder.question}'


def forget(step: str) -> None:
    """A step that is done begins with its question the next time."""
    _given.pop(step, None)


def likely(here: Session) -> Mistake | None:
    """The classic mistake that the namespace looks like now, if any."""
    from labkit.diagnosis import ranking  # it reads much, and a check that passes needs none of it

    try:
        return ranking.likely(here)
    except LabError:  # of what the check itself saw one hears anyway
        return None
