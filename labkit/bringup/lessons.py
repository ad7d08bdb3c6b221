"""The learner's copies of the notebooks: JupyterLab works on these, never on the lessons."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from labkit.bringup import paths

RECORD = ".lessons.json"  # in the folder of copies: the digest of each lesson as it was brought


def lessons() -> Path:
    """The notebooks as they are published: a clone's, else those in the wheel."""
    clone = paths.PACKAGE.parent / "notebooks"
    return clone if clone.is_dir() else paths.PACKAGE / "notebooks"


def folder() -> Path:
    """Where the copies are: $LAB_WORK, else `work` in the clone, or in the current folder."""
    asked = os.environ.get("LAB_WORK")
    if asked:
        return Path(asked).absolute()
    clone = paths.PACKAGE.parent
    return (clone if (clone / "notebooks").is_dir() else Path.cwd()) / "work"


def bring(source: Path, target: Path) -> list[str]:
    """Copy each lesson that is not there; the names of the files that arrived.

    Nothing of the learner's is written over: a lesson that has changed since it was brought
    arrives beside the copy, as NAME.new.ipynb.
    """
    record = target / RECORD
    brought = paths.read_json(record)
    arrived = []
    for lesson in sorted(source.glob("*.ipynb")):
        text = lesson.read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        copy = target / lesson.name
        if copy.exists() and brought.get(lesson.name) == digest:
            continue
        if copy.exists() and copy.read_text(errors="replace") != text:
            copy = _free(copy)
        if not copy.exists():
            paths.write_text(copy, text)
            arrived.append(copy.name)
        brought[lesson.name] = digest
        paths.write_json(record, brought)
    return arrived


def _free(copy: Path) -> Path:
    """NAME.new.ipynb, or with a number when the learner still has an earlier one."""
    number, name = 1, copy.with_suffix(".new.ipynb")
    while name.exists():
        number += 1
        name = copy.with_suffix(f".new{number}.ipynb")
    return name
