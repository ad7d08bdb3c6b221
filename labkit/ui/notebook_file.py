"""The notebook that a kernel belongs to, as a file: which of its cells sets a name."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def place(cell: Mapping[str, Any]) -> Path | None:
    """Return the notebook's file, as Jupyter or VS Code names it to its kernel, if one does."""
    named = cell.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    return Path(named) if str(named).endswith(".ipynb") else None


def heading(file: Path | None, name: str) -> str | None:
    """Return the heading above the first cell that sets this name.

    None when no cell does, or when no cell of the notebook imports labkit.
    """
    cells = _cells(file) if file else []
    if not any(kind == "code" and "import labkit" in source for kind, source in cells):
        return None
    above = "the title"
    for kind, source in cells:
        if kind == "markdown":
            titles = [line.lstrip("# ") for line in source.splitlines() if line.startswith("#")]
            above = titles[-1] if titles else above
        elif kind == "code" and name in _sets(source):
            return above
    return None


def _cells(file: Path) -> list[tuple[str, str]]:
    try:
        cells = json.loads(file.read_text())["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _sets(source: str) -> set[str]:
    """The names that a cell has set when it has run; without lines for a shell.

    >>> sorted(_sets("!kubectl get pods\\nimport re\\nbefore = 1\\ndef clean():\\n    inner = 2"))
    ['before', 'clean', 're']
    """
    lines = ["pass" if line.startswith(("!", "%")) else line for line in source.splitlines()]
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError:
        return set()
    found: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(one.asname or one.name).partition(".")[0] for one in node.names}
        todo += ast.iter_child_nodes(node)
    return found
