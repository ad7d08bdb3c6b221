"""The steps of all notebooks in their order, and how one is found by its name."""

from __future__ import annotations

import difflib

from labkit.errors import UnknownStep
from labkit.lessons.desired_state import State
from labkit.lessons.notebooks import (
    n00_start,
    n01_ollama,
    n02_pod,
    n03_service,
    n04_scale,
    n05_models_everywhere,
    n06_helm,
    n07_load,
    n08_metrics,
    n08b_problems,
    n10_troubleshoot,
)
from labkit.lessons.step import Step

_NOTEBOOKS = (
    n00_start,
    n01_ollama,
    n02_pod,
    n03_service,
    n04_scale,
    n05_models_everywhere,
    n06_helm,
    n07_load,
    n08_metrics,
    n08b_problems,
    n10_troubleshoot,
)
STEPS = tuple(step for notebook in _NOTEBOOKS for step in notebook.STEPS)


def named(name: str, doing: str = "check") -> list[Step]:
    """The step of that name, or of the notebook of that name those that hold at its end.

    >>> [step.id for step in named("00-start")]
    ['00-start/run', '00-start/pull', '00-start/your-turn']
    >>> [step.id for step in named("04-scale")]
    ['04-scale/again']

    Raises UnknownStep with the three names that come nearest; `doing` is what was to be done to it.
    """
    found = [step for step in STEPS if step.id == name]
    found = found or [step for step in STEPS if step.holds and step.id.startswith(f"{name}/")]
    if not found:
        nearest = _nearest(name, 3)
        saw = f"the nearest: {', '.join(nearest)}"
        hint = f'lab.{doing}("{nearest[0]}"), or lab.check_all(), which lists all steps'
        raise UnknownStep(f"no step is called {name!r}", saw, hint)
    return found


def one(name: str, doing: str = "check") -> Step:
    """The step of that name, or the first one of the notebook of that name.

    >>> one("05-models-everywhere").id
    '05-models-everywhere/model'

    Raises UnknownStep.
    """
    found = [step for step in STEPS if name in (step.id, step.notebook)]
    return (found or named(name, doing))[0]


def _nearest(name: str, count: int) -> list[str]:
    """Return the steps and notebooks with the nearest names; equal ones in the lessons' order.

    >>> _nearest("03-servcie", 2)
    ['03-service', '03-service/pulled']
    """
    known = dict.fromkeys(part for step in STEPS for part in (step.notebook, step.id))

    def unlike(other: str) -> float:
        return -difflib.SequenceMatcher(None, other, name).ratio()

    return sorted(known, key=unlike)[:count]


def before(step: Step) -> State:
    """What the sections before a step leave; nothing at the beginning of a notebook.

    >>> before(one("03-service/right-port")).folders
    ('03-deployment', '03-service-wrong')
    """
    place = STEPS.index(step)
    if place and STEPS[place - 1].notebook == step.notebook:
        return STEPS[place - 1].state
    return State(local="absent") if step.state.local else State()
