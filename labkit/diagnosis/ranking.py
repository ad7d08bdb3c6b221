"""Which rows the facts show, the surest first; `likely` names the first."""

from __future__ import annotations

from dataclasses import replace

from labkit.diagnosis import (
    admission,
    evidence,
    gathering,
    images,
    policies,
    probes,
    programs,
    reach,
    scheduling,
    storage,
    workloads,
)
from labkit.diagnosis.facts import Facts
from labkit.diagnosis.mistake import LOGGED, SAID, Mistake
from labkit.diagnosis.mistakes import MISTAKES
from labkit.errors import LabError
from labkit.kube.session import Session

# of troubles that the workshop does not make; a row may rule out a classic one
WIDER: tuple[Mistake, ...] = (
    *admission.ROWS,
    *scheduling.ROWS,
    *images.ROWS,
    *programs.ROWS,
    *probes.ROWS,
    *storage.ROWS,
    *workloads.ROWS,
    *reach.ROWS,
    *policies.ROWS,
)
ROWS = (*WIDER, *MISTAKES)


def likely(session: Session, error: LabError | None = None) -> Mistake | None:
    """The mistake that explains best the state of the cluster now, and `error` if there is one.

    Asks the cluster once, two seconds at most for each thing asked; changes nothing. None: no
    mistake of the tables is seen, which does not mean that all is well.
    """
    return diagnosed(gathering.gather(session, error))


def diagnosed(facts: Facts) -> Mistake | None:
    """The first of those that the facts show."""
    return next(iter(ranked(facts)), None)


def ranked(facts: Facts) -> list[Mistake]:
    """What the facts show, the surest first, each with what it saw.

    One classic mistake at most: each of them presupposes that those before it are not there.
    """
    facts = evidence.now(facts)
    seen = [one for row in ROWS if (one := _look(row, facts))]
    found: list[Mistake] = []
    out: set[str] = set()
    has_classic = False
    for one in sorted(seen, key=lambda one: -one.sure):
        is_classic = one.id in _CLASSIC
        if one.id in out or (is_classic and has_classic):
            continue
        has_classic = has_classic or is_classic
        found.append(one)
        out.update(one.rules_out)
    return found


def _look(row: Mistake, facts: Facts) -> Mistake | None:
    saw = row.seen(facts)
    if not saw:
        return None
    sure = row.sure
    if sure == LOGGED and facts.error and row.seen(replace(facts, logs={})):
        sure = SAID  # what a command has just been told is no old line of a log
    return row._replace(saw=saw, sure=sure)


_CLASSIC = {row.id for row in MISTAKES}
