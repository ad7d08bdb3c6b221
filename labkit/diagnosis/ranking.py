"""Which rows the facts show, the surest first; `likely` names the first."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from labkit.diagnosis import (
    admission,
    engine,
    evidence,
    gathering,
    images,
    policies,
    probes,
    programs,
    reach,
    rules,
    scheduling,
    starts,
    storage,
    stores,
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
    *starts.ROWS,
    *programs.ROWS,
    *probes.ROWS,
    *storage.ROWS,
    *stores.ROWS,
    *engine.ROWS,
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


class Weighed(NamedTuple):
    """What the facts show, the surest first, and the names that this rules out."""

    found: list[Mistake]
    ruled_out: list[str]


def diagnosed(facts: Facts) -> Mistake | None:
    """The first of those that the facts show, and that keep something from working."""
    return next((one for one in weighed(facts).found if not one.aside), None)


def weighed(facts: Facts) -> Weighed:
    """What the facts show, the surest first, each with what it saw.

    One classic mistake at most: each of them presupposes that those before it are not there.
    """
    facts = evidence.now(facts)
    seen = sorted(filter(None, (_look(row, facts) for row in ROWS)), key=lambda one: -one.sure)
    # what is ruled out rules out nothing
    refuted = {name for one in seen for name in one.rules_out}
    out = {name for one in seen if one.id not in refuted for name in one.rules_out}
    if any(one.id == NODE_DOWN for one in seen):
        kept = [one for one in seen if one.id not in _CLASSIC or one.id == NODE_DOWN]
        seen = sorted([*kept, *_elsewhere(facts)], key=lambda one: -one.sure)
    found: list[Mistake] = []
    for one in seen:
        has_classic = any(other.id in _CLASSIC - {NODE_DOWN} for other in found)
        if one.id not in out and not (has_classic and one.id in _CLASSIC):
            found.append(one)
    return Weighed(found, [one.id for one in seen if one.id in out])


def _elsewhere(facts: Facts) -> list[Mistake]:
    """The classic mistakes of Pods on other nodes than those that are down."""
    down = rules.down_nodes(facts)
    pods = [pod for pod in facts.pods if pod["spec"].get("nodeName", "") not in {*down, ""}]
    rows = [row for row in MISTAKES if row.id != NODE_DOWN]
    # what is seen without any Pod is not about one of these
    nothing = replace(facts, pods=[])
    rest = replace(facts, pods=pods)
    return [one for row in rows if not row.seen(nothing) and (one := _look(row, rest))]


def _look(row: Mistake, facts: Facts) -> Mistake | None:
    saw = row.seen(facts)
    if not saw:
        return None
    sure = row.sure
    if sure == LOGGED and facts.error and row.seen(replace(facts, logs={})):
        sure = SAID  # what a command has just been told is no old line of a log
    return row._replace(saw=saw, sure=sure)


NODE_DOWN = "node-down"
_CLASSIC = {row.id for row in MISTAKES}
