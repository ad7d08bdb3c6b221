"""A stub of the table of classic mistakes: it diagnoses nothing yet."""

from __future__ import annotations

from typing import NamedTuple

from labkit.session import Session


class Mistake(NamedTuple):
    """A classic mistake: what one sees, why, what mends it, and where to look for oneself."""

    id: str
    symptom: str
    cause: str
    fix: str
    look: str


def likely(session: Session) -> Mistake | None:
    """The mistake that the namespace looks like now; None when it looks like none."""
    return None
