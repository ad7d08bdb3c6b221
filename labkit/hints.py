"""`lab.hint(step)`: from a question to where to look to the command, a rung at each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit import session, steps
from labkit.display import Shown
from labkit.errors import LabError
from labkit.session import Session

if TYPE_CHECKING:
    from labkit.mistakes import Mistake

_given: dict[str, int] = {}  # step → how many rungs this kernel has shown; nothing else is kept


@dataclass(frozen=True)
class Hint(Shown):
    """One rung: 1 a question, 2 where to look, 3 the command."""

    step: str
    rung: int
    text: str

    def __repr__(self) -> str:
        return self.text


def hint(step: str) -> Hint:
    """The next hint for a step: a question, then where to look, then the command.

        lab.hint("03-service/right-port")

    `lab.check` shows the question; each call shows one more, and the last one again and again,
    until the check passes. The second also names the likely cause, from the cluster as it is
    now. Raises UnknownStep.
    """
    one = steps.one(step)
    ladder = one.ladder
    rung = min(_given.get(one.id, 0) + 1, 3)
    _given[one.id] = rung
    if rung == 1:
        text = ladder.question
    elif rung == 2:
        found = likely(session.current())
        cause = f"Likely: {found.cause}. " if found else ""
        look = found.look if found else ladder.look
        text = f"{cause}{ladder.pointer}\n$ {look}"
    else:
        text = ladder.command
    given = Hint(one.id, rung, text)
    print(given)
    return given


def first(step: steps.Step, otherwise: str) -> str:
    """The question for one whose check has failed, and how to get more."""
    if not step.ladder:
        return otherwise
    _given[step.id] = max(_given.get(step.id, 0), 1)
    return f'{step.ladder.question} More: lab.hint("{step.id}")'


def forget(step: str) -> None:
    """A step that is done begins with its question the next time."""
    _given.pop(step, None)


def likely(here: Session) -> Mistake | None:
    """The classic mistake that the namespace looks like now, if any."""
    from labkit import mistakes  # it reads much, and a check that passes needs none of it

    try:
        return mistakes.likely(here)
    except LabError:  # of what the check itself saw one hears anyway
        return None
