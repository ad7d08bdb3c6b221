"""A row of the tables of mistakes, and how sure a diagnosis of it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from labkit.diagnosis.facts import Facts

# how sure a diagnosis is: the cluster reports it, its objects show it, a log suggests it
SAID, SHOWN, LOGGED = 3, 2, 1
SURE = {SAID: "the cluster reports it", SHOWN: "its objects show it", LOGGED: "a log suggests it"}


class Mistake(NamedTuple):
    """One row. `look`: a line to look for oneself; `source`: where labkit looks, and `seen` reads
    it. `saw` is what it saw here and now, "" in the table. `sure` is SAID, SHOWN or LOGGED.
    `unless` would refute it. `rules_out` are names that the same facts could get, wrongly.
    `aside`: true while everything works; a diagnosis has it, and a failed check never names it.
    """

    id: str
    symptom: str
    cause: str
    fix: str
    look: str
    source: str = ""
    seen: Callable[[Facts], str] = lambda facts: ""
    saw: str = ""
    sure: int = SAID
    unless: str = ""
    rules_out: tuple[str, ...] = ()
    aside: bool = False
