"""Lints notebooks: refuses what would pass without having worked, and what does not last.

    python -m labkit.proving.lint notebooks

Exit code 1 with findings; each is one line: file, cell, rule, why, what instead.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import nbformat

from labkit.proving.plugin import tags
from labkit.proving.run import found

KNOWN_TAGS = re.compile(r"alone|exercise|solution|check|raises-exception|timeout-[1-9]\d*")
KNOWN_MAGICS = {"bash", "sh", "time", "timeit", "env", "pwd"}
# the letters of Kubernetes' generated names: no vowels, nothing that looks like another
_LETTER = "[bcdfghjklmnpqrstvwxz2456789]"
_GENERATED = re.compile(rf"\b[a-z][a-z0-9-]*-{_LETTER}{{8,10}}-{_LETTER}{{5}}\b")
_SWALLOWS = re.compile(r"\|\|\s*(true|:)(\s|$|;)|;\s*true\s*$", re.MULTILINE)
_SLEEP = re.compile(r"(^|[\s;&|(])sleep\s+[\d.$]")
_PIPE = re.compile(r"(?<!\|)\|(?!\|)")


class Finding(NamedTuple):
    """One thing to mend; `cell` counts all cells from 1, 0 is the notebook itself."""

    cell: int
    rule: str
    why: str


class Code(NamedTuple):
    """A code cell: its number, its cell, its program (None: no Python), its shell lines."""

    number: int
    cell: dict
    tree: ast.Module | None
    calls: list[ast.Call]
    shell: list[str]


def lint(notebook: nbformat.NotebookNode) -> list[Finding]:
    """Everything to mend in a notebook, in the order of its cells."""
    codes = [
        _code(number, cell)
        for number, cell in enumerate(notebook.cells, 1)
        if cell.cell_type == "code"
    ]
    findings = [finding for rule in (_headings, _whole) for finding in rule(notebook)]
    findings += _unstarted(codes)
    for index, code in enumerate(codes):
        for rule in _RULES:
            findings += [Finding(code.number, *found) for found in rule(code)]
        findings += [Finding(code.number, *found) for found in _followed(code, codes[index + 1 :])]
    return sorted(set(findings))


def main(words: list[str]) -> int:
    """Lint the notebooks in these files and folders; 1 when there is something to mend."""
    files = found(words)
    count = 0
    for file in files:
        for finding in lint(nbformat.read(file, as_version=4)):
            count += 1
            print(f"{file}: cell {finding.cell}: {finding.rule}: {finding.why}")
    print(f"{len(files)} notebooks, {count} findings")
    return 1 if count else 0


def _code(number: int, cell: dict) -> Code:
    """IPython's own translation of the cell, so that `!` and `%` mean what they do there."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        tree = ast.parse(TransformerManager().transform_cell(cell.source))
    except SyntaxError:
        return Code(number, cell, None, [], [])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    shell = [_text(call, 0) for call in calls if _name(call) in ("system", "getoutput")]
    shell += [_text(call, 2) for call in calls if _magic(call)[0] in ("bash", "sh")]
    return Code(number, cell, tree, calls, shell)


def _name(call: ast.Call) -> str:
    function = call.func
    return getattr(function, "attr", getattr(function, "id", ""))


def _text(call: ast.Call, index: int) -> str:
    argument = call.args[index] if len(call.args) > index else None
    return str(argument.value) if isinstance(argument, ast.Constant) else ""


def _magic(call: ast.Call) -> tuple[str, str]:
    """Name and words of the magic that this call stands for; ("", "") of another call."""
    if _name(call) not in ("run_line_magic", "run_cell_magic"):
        return "", ""
    return _text(call, 0), _text(call, 1)


def _starts(code: Code) -> bool:
    return any(
        isinstance(call.func, ast.Attribute) and call.func.attr == "start" for call in code.calls
    )


def _headings(notebook: nbformat.NotebookNode) -> Iterator[Finding]:
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    count = sum(len(re.findall(r"^# ", text, re.MULTILINE)) for text in texts)
    if count != 1:
        yield Finding(0, "one-title", f"{count} headings of level 1; a notebook has one")


def _whole(notebook: nbformat.NotebookNode) -> Iterator[Finding]:
    for number, cell in enumerate(notebook.cells, 1):
        if not cell.get("id"):
            yield Finding(number, "no-id", "the cell has no id; nbformat 4.5 gives each one")
        if cell.get("outputs") or cell.get("execution_count"):
            yield Finding(number, "stored-output", "outputs are stored: nbstripout --keep-id")
        for tag in tags(cell):
            if not KNOWN_TAGS.fullmatch(tag):
                yield Finding(number, "unknown-tag", f"nothing reads the tag {tag!r}")


def _unstarted(codes: list[Code]) -> Iterator[Finding]:
    started = False
    for code in codes:
        if code.shell and not started:
            why = "a failing `!command` passes until lab.start() has made it raise"
            yield Finding(code.number, "shell-before-start", why)
        started = started or _starts(code)


def _followed(code: Code, later: list[Code]) -> Iterator[tuple[str, str]]:
    after = later[0] if later else None
    if "raises-exception" in tags(code.cell) and not (after and _asserts(after)):
        yield (
            "raises-exception",
            "passes when nothing is raised: let the next cell assert what was",
        )
    if "solution" in tags(code.cell) and not (after and "check" in tags(after.cell)):
        yield "solution-without-check", "the cell after a solution is its check, tagged `check`"
    if "exercise" in tags(code.cell) and not (after and "solution" in tags(after.cell)):
        yield "exercise-without-solution", "the cell after an exercise is its hidden solution"


def _asserts(code: Code) -> bool:
    if any(isinstance(node, ast.Assert) for node in ast.walk(code.tree or ast.Module([], []))):
        return True
    return any(_name(call) == "check" for call in code.calls)


def _check_asserts(code: Code) -> Iterator[tuple[str, str]]:
    if "check" in tags(code.cell) and not _asserts(code):
        yield "check-asserts-nothing", "a check calls lab.check(…) or asserts"


def _bash(code: Code) -> Iterator[tuple[str, str]]:
    for call in code.calls:
        name, words = _magic(call)
        if name in ("bash", "sh"):
            if not re.search(r"(^|\s)-\w*e", words):
                yield "bash-without-e", "fails on its last command only: %%bash -eo pipefail"
            elif _PIPE.search(_text(call, 2)) and "pipefail" not in words:
                yield "pipe-hides-failure", "only its last part counts: %%bash -eo pipefail"


def _shell(code: Code) -> Iterator[tuple[str, str]]:
    for call in code.calls:
        if _name(call) == "getoutput":
            yield "getoutput", "`x = !command` never fails: use subprocess, or a verb of labkit"
        if _name(call) == "system" and _PIPE.search(_text(call, 0)):
            yield "pipe-hides-failure", "only its last part counts: %%bash -eo pipefail"
    for text in code.shell:
        if _SWALLOWS.search(text):
            yield "swallows-errors", "a failure passes: take `|| true` away"


def _magics(code: Code) -> Iterator[tuple[str, str]]:
    if code.tree is None:
        yield "no-python", "IPython cannot read this cell"
    for call in code.calls:
        name, _ = _magic(call)
        if name and name not in KNOWN_MAGICS:
            yield "unknown-magic", f"%{name} may not exist, and passes with its cell not run"


def _sleeps(code: Code) -> Iterator[tuple[str, str]]:
    if any(_name(call) == "sleep" for call in code.calls) or any(map(_SLEEP.search, code.shell)):
        yield "fixed-sleep", "too short on a slow machine, too long on others: lab.wait(…)"


def _swallows(code: Code) -> Iterator[tuple[str, str]]:
    for node in ast.walk(code.tree or ast.Module([], [])):
        if isinstance(node, ast.ExceptHandler) and all(
            isinstance(line, ast.Pass) for line in node.body
        ):
            yield "swallows-errors", "except … pass: let it fail, or assert what was raised"
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if getattr(target, "attr", "") == "system_raise_on_error":
            yield "shell-cannot-fail", "leave system_raise_on_error to lab.start()"


def _names(code: Code) -> Iterator[tuple[str, str]]:
    if _GENERATED.search(code.cell.source):
        yield "generated-name", "this Pod's name is another one next time: deployment/NAME"
    if re.search(r"lab-llama(?!:slow)", code.cell.source):
        yield "model-name", "lab.model, or $MODEL: learners may have another"


_RULES: tuple[Callable[[Code], Iterator[tuple[str, str]]], ...] = (
    _check_asserts,
    _bash,
    _shell,
    _magics,
    _sleeps,
    _swallows,
    _names,
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
