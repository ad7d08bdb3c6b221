"""For those who teach: is all ready, who is where, how long it takes, what usually goes wrong."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.commands import status as parts
from labkit.diagnosis import mistakes
from labkit.errors import LabError
from labkit.kube import session
from labkit.learner import places
from labkit.lessons import checks, steps
from labkit.lessons.reset import goto
from labkit.setup.host import paths
from labkit.ui.live import echo
from labkit.ui.table import Table
from labkit.ui.widgets import Panel, panel

_WORKS = {True: "ok", False: "no", None: "could not tell"}
_MINUTES = re.compile(r"^\| time \| (\d+) minutes\b", re.MULTILINE)


def status() -> Table:
    """Return each part of the lab, whether it works, and whether a workshop can begin.

        lab.status()

    Equals `./lab status`; its caption is the last line of that. Needs no `lab.start()`.
    """
    context = os.environ.get("LAB_CONTEXT", "")
    echo("./lab status" + (f" --context {context}" if context else ""))
    found = parts.parts(context)
    items = [{"name": one.name, "works": one.works, "saw": one.saw} for one in found]
    rows = [[part.name, _WORKS[part.works], part.saw] for part in found]
    line = parts.readiness(found, context)
    return Table(["PART", "WORKS", "SAW"], rows, caption=line, items=items)


def check_all() -> Table:
    """Return the verdict on every step, each checked once; `.csv()` is for a spreadsheet.

        lab.check_all()

    The same as `lab.check()`, and equals `./lab check`. Raises NotStarted, ApiSilent.
    """
    return checks.every()


def timetable(begin: str = "0:00") -> Table:
    """Return the notebooks in order: when each begins, and the minutes that a learner needs.

        lab.timetable("9:30")

    MINUTES are those that the notebook names in its first cell. RUN S is measured: the seconds
    that all its cells took on this machine without a learner, in the last `./lab test notebooks`.
    Raises LabError for a time that is none.
    """
    at = _clock(begin)
    rows: list[list[Any]] = []
    items: list[dict[str, Any]] = []
    for file in sorted(places.lessons().glob("[0-9]*.ipynb")):
        minutes, run_s = _minutes(file), _run_s(file.name)
        begins = f"{at // 60 % 24}:{at % 60:02}"
        rows.append([file.stem, begins, minutes, "" if run_s is None else f"{run_s:.0f}"])
        named = {"notebook": file.stem, "begins": begins, "minutes": minutes, "run_s": run_s}
        items.append(named)
        at += minutes
    caption = f"{sum(item['minutes'] for item in items)} minutes without breaks"
    caption += f", until {at // 60 % 24}:{at % 60:02}"
    if any(item["run_s"] is None for item in items):
        caption += "; RUN S is measured by ./lab test notebooks"
    return Table(["NOTEBOOK", "BEGINS", "MINUTES", "RUN S"], rows, caption=caption, items=items)


def troubles() -> Table:
    """Return what usually fails: the symptom, the cause, the fix, and a line to look at it.

        lab.troubles()

    `lab.check` names the likely one of them automatically, from the state of the cluster.
    """
    names = ("id", "symptom", "cause", "fix", "look")
    items = [{name: getattr(one, name) for name in names} for one in mistakes.MISTAKES]
    rows = [[item[name] for name in names[1:]] for item in items]
    return Table(["SYMPTOM", "CAUSE", "FIX", "LOOK"], rows, items=items)


def step_buttons() -> Panel:
    """Show a list of all steps with the buttons check, goto and reset.

        buttons = lab.step_buttons()

    They act in your namespace, and show the call that each equals: `lab.check(STEP)`,
    `lab.goto(STEP)`, `lab.reset()`. Click when no cell runs, for both would change the same.
    Code chooses by `buttons.value = STEP` and clicks by `buttons.press("goto")`. Raises
    NotStarted.
    """
    session.current()
    actions: dict[str, Callable[[str], object]]
    actions = {"check": checks.check, "goto": goto.goto, "reset": lambda _: goto.reset()}

    def call(action: str, step: str) -> str:
        return "lab.reset()" if action == "reset" else f'lab.{action}("{step}")'

    return panel("step", [step.id for step in steps.STEPS], actions, call)


def _clock(text: str) -> int:
    """Minutes since midnight.

    >>> _clock("0:00"), _clock("13:05")
    (0, 785)
    """
    try:
        at = datetime.datetime.strptime(text, "%H:%M")
    except ValueError:
        saw, hint = "no hours and minutes with a colon between", 'lab.timetable("9:30")'
        raise LabError(f"{text!r} is not a time of day", saw, hint) from None
    return at.hour * 60 + at.minute


def _minutes(file: Path) -> int:
    """The minutes that the notebook's first cell states; 0 where it states none."""
    cells = json.loads(file.read_bytes())["cells"]
    found = _MINUTES.search("".join(cells[0]["source"])) if cells else None
    return int(found[1]) if found else 0


def _run_s(name: str) -> float | None:
    """How long the executed copy took; None when there is none of a run that passed."""
    # the notebook that asks runs in a folder of its own, beside which there are no artefacts
    folder = Path(os.environ.get("LAB_ARTIFACTS") or paths.PACKAGE.parent / "artifacts")
    facts = paths.read_json(folder / name).get("metadata", {}).get("labkit", {})
    return None if facts.get("failed") else facts.get("seconds")
