"""The learner's copies of the lessons: what is missing is brought, what is theirs is left alone."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from labkit.learner import places
from labkit.setup.host import paths


def refresh(work: Path, lessons: Path | None = None) -> list[str]:
    """Copy what is not there; the names of changed lessons that were laid beside older copies.

    A lesson that changed since it was copied arrives as NAME.new.ipynb. No file that is there
    and may hold a learner's work is ever written to.
    """
    work.mkdir(parents=True, exist_ok=True)
    written = paths.read_json(work / places.LESSONS)
    arrived = []
    for lesson in sorted((lessons or places.lessons()).glob("*.ipynb")):
        content = lesson.read_bytes()
        copy = work / lesson.name
        if not copy.exists():
            # Recorded first: killed in between, the copy is missing and comes the next time.
            _record(work, written, copy, content)
            _write(copy, content)
        elif _hash(content) in [written.get(name) for name in _family(lesson, written)]:
            continue  # it was brought before, and what became of it is the learner's business
        elif copy.read_bytes() == content:
            _record(work, written, copy, content)
        else:
            beside = _beside(copy, content, written)
            # Written first: killed in between, it is found whole and only recorded.
            _write(beside, content)
            _record(work, written, beside, content)
            arrived.append(beside.name)
    return arrived


def _family(lesson: Path, written: dict[str, str]) -> list[str]:
    """The files that this lesson was ever brought in."""
    later = f"{lesson.stem}.new"
    return [name for name in written if name == lesson.name or name.startswith(later)]


def _beside(copy: Path, content: bytes, written: dict[str, str]) -> Path:
    """NAME.new.ipynb, or NAME.new-2.ipynb when the learner has worked in that one."""
    number = 1
    while True:
        tail = "" if number == 1 else f"-{number}"
        path = copy.with_name(f"{copy.stem}.new{tail}.ipynb")
        if not path.exists():
            return path
        if _hash(path.read_bytes()) in (_hash(content), written.get(path.name)):
            return path
        number += 1


def _record(work: Path, written: dict[str, str], file: Path, content: bytes) -> None:
    written[file.name] = _hash(content)
    _write(work / places.LESSONS, (json.dumps(written, indent=1, sort_keys=True) + "\n").encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all. As bytes: a lesson is UTF-8 whatever the terminal's encoding."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
