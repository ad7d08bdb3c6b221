"""Lints notebooks: refuses what would pass without having worked, and what does not last.

    python -m labkit.jupyter.lint notebooks

Exit code 1 with findings; each is one line: file, cell, line of the cell, rule, why, what instead.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import nbformat

from labkit.jupyter import limits, lint_cells, lint_python, lint_shell
from labkit.jupyter.limits import tags
from labkit.jupyter.lint_cells import Code
from labkit.jupyter.run import found
from labkit.learner import solutions
from labkit.ui import units

KNOWN_TAGS = {"alone", "exercise", "solution", "check", "raises-exception", *limits.TAGS}
# What leaves a cell or its outcome out, as nbval 0.11 reads it: its comments, and its tags.
# Written out, because learners who lint have no nbval; a test compares the two.
REFUSED_COMMENTS = {"PYTEST_VALIDATE_IGNORE_OUTPUT", "NBVAL_IGNORE_OUTPUT", "NBVAL_CHECK_OUTPUT"}
REFUSED_COMMENTS |= {"NBVAL_RAISES_EXCEPTION", "NBVAL_SKIP"}
REFUSED_TAGS = {mark.lower().replace("_", "-") for mark in REFUSED_COMMENTS}
REFUSED_TAGS |= {"skip-execution"}  # nbclient's


class Finding(NamedTuple):
    """One thing to fix; `cell` counts all cells from 1. 0: the whole notebook, the whole cell."""

    cell: int
    line: int
    rule: str
    why: str

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line else ""
        return f"cell {self.cell}{line}: {self.rule}: {self.why}"


def lint(notebook: nbformat.NotebookNode) -> list[Finding]:
    """Everything to fix in a notebook, in the order of its cells."""
    run = solutions.runnable(copy.deepcopy(notebook))  # as the tests run it
    codes = [
        lint_cells.read(number, cell)
        for number, cell in enumerate(run.cells, 1)
        if cell.cell_type == "code"
    ]
    findings = [finding for rule in (_headings, _whole, _folded) for finding in rule(notebook)]
    findings += _unstarted(codes)
    for index, code in enumerate(codes):
        after = codes[index + 1] if index + 1 < len(codes) else None
        found = [
            *lint_python.rules(code),
            *lint_shell.rules(code),
            *_markers(code),
            *_followed(code, after),
        ]
        findings += [Finding(code.number, *one) for one in found]
    return sorted(set(findings))


def main(words: list[str]) -> int:
    """Lint the notebooks in these files and folders; 1 when there is something to fix."""
    files = found(words)
    count = 0
    for file in files:
        for finding in lint(nbformat.read(file, as_version=4)):
            count += 1
            print(f"{file}: {finding}")
    print(f"{units.count(len(files), 'notebook')}, {units.count(count, 'finding')}")
    return 1 if count else 0


def _headings(notebook: nbformat.NotebookNode) -> Iterator[Finding]:
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    count = sum(len(re.findall(r"^# ", text, re.MULTILINE)) for text in texts)
    if count != 1:
        yield Finding(0, 0, "one-title", f"{count} headings of level 1; a notebook has one")


def _whole(notebook: nbformat.NotebookNode) -> Iterator[Finding]:
    for number, cell in enumerate(notebook.cells, 1):
        if not cell.get("id"):
            yield Finding(number, 0, "no-id", "the cell has no id; nbformat 4.5 gives each one")
        if cell.get("outputs") or cell.get("execution_count"):
            yield Finding(number, 0, "stored-output", "outputs are stored: nbstripout --keep-id")
        if cell.cell_type == "raw":
            yield Finding(number, 0, "left-out", "a raw cell is not run: make it code or Markdown")
        for tag in tags(cell):
            yield from _tag(number, tag)


def _folded(notebook: nbformat.NotebookNode) -> Iterator[Finding]:
    """A learner's Run must not do the learner's exercise."""
    for number, cell in enumerate(notebook.cells, 1):
        if not solutions.is_solution(cell):
            continue
        if cell.cell_type == "code":
            why = f"Run All does the exercise: make it a Markdown cell of {solutions.FORM}"
            yield Finding(number, 0, "solution-runs", why)
        elif solutions.code(cell) is None:
            why = f"it cannot be read, so no test runs it: {solutions.FORM}"
            yield Finding(number, 0, "solution-unread", why)


def _tag(number: int, tag: str) -> Iterator[Finding]:
    if tag in REFUSED_TAGS:
        why = f"the tag {tag!r} leaves out the cell or its outcome: take it away"
        yield Finding(number, 0, "left-out", why)
    elif limits.NUMBER.fullmatch(tag):
        why = f"{tag!r} does not follow the machine: say the kind of work, {', '.join(limits.TAGS)}"
        yield Finding(number, 0, "bare-limit", why)
    elif tag not in KNOWN_TAGS:
        yield Finding(number, 0, "unknown-tag", f"nothing reads the tag {tag!r}")


def _markers(code: Code) -> lint_shell.Found:
    """nbval reads comments too, wherever they stand."""
    for line, text in enumerate(code.cell["source"].splitlines(), 1):
        text = text.strip()
        if text.startswith("#") and text.lstrip("#").strip() in REFUSED_COMMENTS:
            yield line, "left-out", f"{text!r} leaves out the cell or its outcome: take it away"


def _unstarted(codes: list[Code]) -> Iterator[Finding]:
    started = False
    for code in codes:
        if code.shell and not started:
            why = "a failing `!command` passes until lab.start() has made it raise"
            yield Finding(code.number, code.shell[0].line, "shell-before-start", why)
        starts = [isinstance(c.func, ast.Attribute) and c.func.attr == "start" for c in code.calls]
        started = started or any(starts)


def _followed(code: Code, after: Code | None) -> lint_shell.Found:
    """What the next code cell has to be."""
    mine, next_ones = tags(code.cell), tags(after.cell) if after else []
    if "raises-exception" in mine and not (after and lint_python.asserts(after)):
        why = "passes when nothing is raised: let the next cell assert what was"
        yield 0, "raises-exception", why
    if "solution" in mine and "check" not in next_ones:
        why = "the cell after a solution is its check, tagged `check`"
        yield 0, "solution-without-check", why
    if "exercise" in mine and "solution" not in next_ones:
        why = "the cell after an exercise is its hidden solution"
        yield 0, "exercise-without-solution", why


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
