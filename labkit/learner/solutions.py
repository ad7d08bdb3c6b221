"""Solutions of exercises: folded Markdown cells, which a learner reads and only a test runs."""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.learner import places

TAG = "solution"
FORM = "<details>, <summary>, one block ```python, </details>, with blank lines between"
_FOLDED = re.compile(
    r"<details>\n<summary>[^<>\n]+</summary>\n\n```python\n(?P<code>.+)\n```\n\n</details>\s*",
    re.DOTALL,
)


def code(cell: dict[str, Any]) -> str | None:
    r"""The code of a cell's folded solution; None when the cell has no such form.

    >>> code({"source": "<details>\n<summary>A</summary>\n\n```python\n1\n```\n\n</details>"})
    '1'
    """
    found = _FOLDED.fullmatch("".join(cell["source"]))
    return found["code"] if found and "```" not in found["code"] else None


def runnable(notebook: dict[str, Any]) -> dict[str, Any]:
    """Turn the folded solutions of a notebook into code cells, in place; the notebook."""
    for cell in notebook["cells"]:
        text = code(cell) if cell["cell_type"] == "markdown" and is_solution(cell) else None
        if text is not None:
            cell.pop("attachments", None)
            cell.update(cell_type="code", source=text, outputs=[], execution_count=None)
    return notebook


def is_solution(cell: dict[str, Any]) -> bool:
    """Has the cell the tag?"""
    return TAG in cell.get("metadata", {}).get("tags", [])


def of(step: str) -> str:
    """The code of the solution that a lesson has for this step; empty when it has none."""
    file = places.lessons() / f"{step.partition('/')[0]}.ipynb"
    found = ""
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        if is_solution(cell):
            found = code(cell) or ""
        elif cell["cell_type"] == "code":
            if found and f'lab.check("{step}")' in "".join(cell["source"]):
                return found
            found = ""
    return ""
