"""What one step is, from its heading to its hints."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from labkit.kube.session import Session
from labkit.lessons.desired_state import State
from labkit.lessons.seen import Seen


class Ladder(NamedTuple):
    """A question, where its answer stands and the line that shows it, and the command."""

    question: str
    pointer: str
    look: str
    command: str


class Step(NamedTuple):
    """One section of a notebook that changes something and ends in a check.

    `title` is the section's heading. `holds`: no later step of its notebook undoes it.
    `mistake`: a shell line after which the check of a done step fails, for the tests.
    """

    id: str
    title: str
    check: Callable[[Session], Seen]
    state: State = State()
    holds: bool = True
    ladder: Ladder | None = None
    mistake: str = ""

    @property
    def notebook(self) -> str:
        return self.id.partition("/")[0]
