"""What a cell asks for by its tags: how long it may take, by its kind of work and the machine.

| tag | the cell | seconds on the reference machine |
|---|---|---|
| none | asks, shows, waits for Pods whose image is there | 120 |
| `work-pull` | waits for models or images: pulls, and rollouts whose Pods pull | 300 |
| `work-load` | tests under load, sweeps, measures many answers | 300 |
| `work-build` | builds an image or a model | 600 |
"""

from __future__ import annotations

import re

from labkit.setup.host import speed

WORK_S = {"answer": 120.0, "pull": 300.0, "load": 300.0, "build": 600.0}
TAGS = tuple(f"work-{kind}" for kind in WORK_S if kind != "answer")
NUMBER = re.compile(r"timeout-(\d+)")  # in other people's notebooks; the lint refuses it


def tags(cell: dict) -> list[str]:
    """The cell's tags; none when they are not a list, as in nbval.

    >>> tags({"metadata": {"tags": ["check"]}}), tags({"metadata": {"tags": "check"}}), tags({})
    (['check'], [], [])
    """
    found = cell.get("metadata", {}).get("tags", [])
    return found if isinstance(found, list) else []


def limit_s(cell: dict) -> float:
    """Seconds that a cell may take on this machine.

    A number, `timeout-N`, is taken as it stands: it does not follow the machine.

    >>> limit_s({"metadata": {"tags": ["timeout-7"]}})
    7.0
    """
    mine = tags(cell)
    for tag in mine:
        if match := NUMBER.fullmatch(tag):
            return float(match[1])
    kinds = [tag.removeprefix("work-") for tag in mine if tag in TAGS] or ["answer"]
    return speed.deadline(max(WORK_S[kind] for kind in kinds))
