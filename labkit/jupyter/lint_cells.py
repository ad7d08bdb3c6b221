"""Reads a code cell as IPython does: its Python, its shell lines and its magics, each with
the line of the cell in which it stands."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

SHELLS = ("bash", "sh")
_RUNS_PYTHON = ("time", "timeit")
_OPTIONS = re.compile(r"(?:-\S+\s+(?:\d+\s+)?)*")  # of %timeit: -n 1 -r 1 -q
_ESCAPED = re.compile(r"\s*(?:[^=#'\"]*=\s*)?[!%]")


class Shell(NamedTuple):
    """Shell text: the line where it begins, itself, and the magic that runs it ("" for `!`)."""

    line: int
    text: str
    magic: str = ""
    words: str = ""  # the magic's own, `-e`


class Magic(NamedTuple):
    """A magic: its line, its name, and the words after it."""

    line: int
    name: str
    words: str


class Code(NamedTuple):
    """A code cell: its number, itself, what is in it; `broken` lines are not Python."""

    number: int
    cell: dict
    nodes: list[ast.AST]
    shell: list[Shell]
    magics: list[Magic]
    broken: list[int]

    @property
    def calls(self) -> list[ast.Call]:
        return [node for node in self.nodes if isinstance(node, ast.Call)]


def read(number: int, cell: dict) -> Code:
    """The cell with this number among all cells, from 1."""
    code = Code(number, cell, [], [], [], [])
    _read(code, cell["source"], 0)
    return code


def name(call: ast.Call) -> str:
    """The last part of what is called: `run` in subprocess.run(…)."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def owner(node: ast.AST) -> str:
    """What an attribute is of: `subprocess` in subprocess.run, `get_ipython` in get_ipython().x."""
    value = getattr(node, "value", None)
    if isinstance(value, ast.Call):
        return name(value)
    return getattr(value, "id", getattr(value, "attr", ""))


def _read(code: Code, source: str, above: int) -> None:
    """IPython's own translation, so that `!` and `%` mean what they do there."""
    from IPython.core.inputtransformer2 import TransformerManager

    numbers = _line_numbers(source)
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        code.broken.append(above + _at(numbers, error.lineno or 1))
        return
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            node.lineno = above + _at(numbers, node.lineno)
        code.nodes.append(node)
        if isinstance(node, ast.Call):
            _special(code, node)


def _special(code: Code, call: ast.Call) -> None:
    """A call that stands for `!` or `%`."""
    if owner(call.func) != "get_ipython":
        return
    words = [argument.value if isinstance(argument, ast.Constant) else "" for argument in call.args]
    words += [""] * 3
    if name(call) in ("system", "getoutput"):
        code.shell.append(Shell(call.lineno, words[0]))
    if name(call) not in ("run_line_magic", "run_cell_magic"):
        return
    magic, line, body = words[:3]
    code.magics.append(Magic(call.lineno, magic, line))
    if magic in SHELLS:
        code.shell.append(Shell(call.lineno + 1, body, magic, line))
    if magic in _RUNS_PYTHON and body:
        _read(code, body, call.lineno)
    elif magic in _RUNS_PYTHON:
        _read(code, _OPTIONS.sub("", line, count=1), call.lineno - 1)


def _line_numbers(source: str) -> list[int]:
    """For each line of the translation, the line of the source.

    The translation has no blank lines before the first, and each `!` and `%` in one line.

    >>> _line_numbers("!a \\\\\\n  b\\nc")
    [1, 3]
    """
    numbers = []
    continues = False
    for number, line in enumerate(source.splitlines(), 1):
        if not continues and (numbers or line.strip()):
            numbers.append(number)
        continues = line.endswith("\\") and (continues or bool(_ESCAPED.match(line)))
    return numbers


def _at(numbers: list[int], line: int) -> int:
    return numbers[min(line, len(numbers)) - 1] if numbers else line
