"""Keeps executed notebooks: with their outputs, as a person who ran them would see them."""

from __future__ import annotations

import copy
import datetime
import os
from pathlib import Path

import nbformat

from labkit.ui import units
from labkit.ui.escapes import plain

COLUMNS = 100  # of an output in JupyterLab at 1440 pixels, beside the file browser


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
    mine = notebook.metadata.setdefault("labkit", {})
    mine |= {"seconds": round(seconds, 1), "failed": failed, "ended": ended}
    path = folder() / file.path.name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def lines(outputs: list[dict]) -> int:
    """How many lines of plain text a cell shows, wrapped; tables, pictures and boxes are none.

    >>> shown = {"output_type": "stream", "name": "stdout", "text": "$ kubectl get\\n" + "x" * 101}
    >>> table = {"output_type": "display_data", "data": {"text/html": "<table>", "text/plain": "a"}}
    >>> lines([shown, table])
    3
    """
    found = 0
    for output in outputs:
        data = output.get("data", {})
        if any(mark in data.get("text/html", "") for mark in ("<table", "<img", 'tabindex="0"')):
            continue
        for line in (output.get("text") or data.get("text/plain", "")).splitlines():
            seen = plain(line.rpartition("\r")[2])  # what a progress bar has written over
            found += max(1, -(-len(seen) // COLUMNS))
    return found


def too_long(notebook: nbformat.NotebookNode, outputs: list[dict]) -> str:
    """What to report where a cell shows more lines than its notebook allows; else empty.

    The notebook's metadata have the limit: `{"labkit": {"most_lines": 15}}`.
    """
    limit = notebook.metadata.get("labkit", {}).get("most_lines")
    count = lines(outputs)
    if limit is None or count <= limit:
        return ""
    return f"this cell shows {units.count(count, 'line')} of text; its notebook allows {limit}"


def text(outputs: list[dict]) -> str:
    """What a cell showed, as plain text; not its error, which nbval tells itself.

    >>> text([{"output_type": "stream", "name": "stdout", "text": "a"}])
    'a'
    """
    shown = [output.get("text") or output.get("data", {}).get("text/plain") for output in outputs]
    return "\n".join(part.rstrip() for part in shown if part)
