"""The notebook that a kernel belongs to, as a file: which of its cells sets a name."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def place(cell: Mapping[str, Any]) -> Path | None:
    """Return the notebook's file, as Jupyter or VS Code names it to its kernel, if one does."""
    named = cell.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    return Path(named) if str(named).endswith(".ipynb") else None


def heading(file: Path | None, name: str, python: Callable[[str], str] = str) -> str | None:
    """Return the heading above the first cell that sets this name.

    None when no cell does, or when no cell of the notebook imports labkit. `python` is how IPython
    turns a cell's lines for a shell into Python.
    """
    cells = _cells(file) if file else []
    if not any(kind == "code" and "import labkit" in source for kind, source in cells):
        return None
    above = "the title"
    for kind, source in cells:
        if kind == "markdown":
            titles = [line.lstrip("# ") for line in source.splitlines() if line.startswith("#")]
            above = titles[-1] if titles else above
        elif kind == "code" and name in _sets(python(source)):
            return above
    return None


def _cells(file: Path) -> list[tuple[str, str]]:
    try:
        cells = json.loads(file.read_text())["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _sets(source: str) -> set[str]:
    """The names that a cell has set when it has run.

    >>> sorted(_sets("import re\\nbefore = 1\\ndef clean():\\n    inner = 2"))
    ['before', 'clean', 're']
    >>> sorted(_sets("get_ipython().run_line_magic('time', 'before = 1')"))
    ['before']
    """
    try:
        tree = ast.parse(source)
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
        if isinstance(node, ast.Call):
            found |= _set_by_magic(node)
        todo += ast.iter_child_nodes(node)
    return found


def _set_by_magic(call: ast.Call) -> set[str]:
    """Of `%time x = f()` and of a cell of `%%time`, as IPython writes them in Python."""
    words = [word.value for word in call.args if isinstance(word, ast.Constant)]
    if not isinstance(call.func, ast.Attribute) or words[:1] not in (["time"], ["capture"]):
        return set()
    at = {"run_line_magic": 1, "run_cell_magic": 2}.get(call.func.attr, len(words))
    return _sets(str(words[at])) if at < len(words) else set()
