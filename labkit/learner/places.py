"""Where the lessons are, and where the learner works on copies of them."""

from __future__ import annotations

import os
from pathlib import Path

from labkit.setup.host import paths

WORK = "LAB_WORK"  # the variable that names the learner's folder
LESSONS = ".lessons.json"  # in it: file → hash of what was written into it


def lessons() -> Path:
    """The folder of the lessons: the wheel's, else the clone's."""
    wheel = paths.PACKAGE / "notebooks"
    return wheel if wheel.is_dir() else paths.PACKAGE.parent / "notebooks"


def work() -> Path:
    """Where the learner works: $LAB_WORK, else `work` in the clone or, without one, here.

    Here itself, where the lessons have been copied into this very folder.
    """
    named = os.environ.get(WORK)
    if named:
        return Path(named).expanduser().absolute()
    clone = paths.PACKAGE.parent
    if lessons().parent == clone:
        return clone / "work"
    here = Path.cwd()
    return here if (here / LESSONS).is_file() else here / "work"
