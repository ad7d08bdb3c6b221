"""Keeps executed notebooks: with their outputs, as a person who ran them would see them."""

from __future__ import annotations

import copy
import datetime
import os
from pathlib import Path

import nbformat


def folder() -> Path:
    """Where artefacts of a run go: $LAB_ARTIFACTS, else `artifacts` in the current folder."""
    return Path(os.environ.get("LAB_ARTIFACTS", "artifacts"))


def write(file, items: list, seconds: float, failed: str) -> Path:
    """The notebook of nbval's `file` with the outputs of its cells among `items`.

    Its metadata has `labkit`: {"seconds": how long it took, "failed": the cell, or "", "ended":
    when, in UTC}.
    """
    notebook = copy.deepcopy(file.nb)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for item in items:
        if item.parent is file and item.test_outputs is not None:
            cells[item.cell_num].outputs = [nbformat.from_dict(dict(o)) for o in item.test_outputs]
            cells[item.cell_num].execution_count = item.cell_num + 1
    ended = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    facts = {"seconds": round(seconds, 1), "failed": failed, "ended": ended}
    notebook.metadata["labkit"] = facts
    path = folder() / file.path.name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def text(outputs: list[dict]) -> str:
    """What a cell showed, as plain text; not its error, which nbval tells itself.

    >>> text([{"output_type": "stream", "name": "stdout", "text": "a"}])
    'a'
    """
    shown = [output.get("text") or output.get("data", {}).get("text/plain") for output in outputs]
    return "\n".join(part.rstrip() for part in shown if part)
