"""Rules for shell lines: what passes there though it failed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.jupyter.lint_cells import SHELLS, Code, Shell, name

Found = Iterator[tuple[int, str, str]]  # line of the cell, rule, why and what instead

# text in quotes, an escaped letter that does not continue a line, a comment
_QUIET = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\[^\n]|(?<!\S)#[^\n]*", re.DOTALL)
_WELL = r"(?:(?:/\w+)*/?true|:|exit(?:\s+0)?|return(?:\s+0)?|echo\b[^\n;|&]*|printf\b[^\n;|&]*)"
_SWALLOWS = {
    re.compile(rf"\|\|\s*[{{(]?\s*{_WELL}\s*(?=$|[;)}}\n&|])"): "take `|| true` away",
    re.compile(
        r";\s*(?:true|:|exit(?:\s+0)?)\s*;?\s*$", re.MULTILINE
    ): "take what follows `;` away",
    re.compile(r"(?:^|[\s;])set\s+(?:\+\w*e|\+o\s+(?:errexit|pipefail))"): "let -e stand",
}
_LEAVES = re.compile(r"^exit(?:\s+0)?\s*;?\s*$(?=\n\s*\S)", re.MULTILINE)
_THEN = re.compile(r";(?!\s*$|;)")
_KEYWORD = re.compile(r"(?:^|[\s;(])(?:for|while|until|if|case|select|\{)(?=\s)|\bset\s+-\w*e")
_TRAP = re.compile(r"\btrap\s+(['\"])[^'\"]*\bexit(?:\s+0)?\s*;?\s*\1")
_NEGATED = re.compile(r"^[ \t]*!\s", re.MULTILINE)
_AND = re.compile(r"^(?!\s*(?:if|elif|while|until)\b)[^\n|]*&&[^\n|]*\n(?=\s*\S)", re.MULTILINE)
_BACKGROUND = re.compile(r"(?<![&><|])&(?![&>])")
_ENDS_IT = re.compile(r"\b(?:wait|kill|trap)\b")
_PIPE = re.compile(r"(?<!\|)\|(?!\|)")
_WRAPS = re.compile(r"\bollama\s+run\b(?![^\n;|&]*--nowordwrap)")
_SLEEP = re.compile(r"(?:^|[\s;&|(\"'])sleep\s+[\d.$]", re.MULTILINE)
_WITH_E = re.compile(r"(?:^|\s)-\w*e")


def rules(code: Code) -> Found:
    """Everything to fix in the cell's shell lines."""
    for shell in code.shell:
        text = plain(shell.text)
        yield from _exit_code(shell, text)
        yield from _swallows(shell, text)
        yield from _time(shell, text)
        for match in _WRAPS.finditer(text):
            why = "a cell is not a terminal, and gets words cut at column 75: --nowordwrap"
            yield _line(shell, text, match), "word-wrap", why
    for call in code.calls:
        if name(call) == "getoutput":
            yield call.lineno, "getoutput", _CAPTURED
    for magic in code.magics:
        if magic.name in SHELLS and _option(magic.words, "--bg"):
            yield magic.line, "background-job", "its failure is not seen: run it without --bg"
        if any(_option(magic.words, option) for option in ("--out", "--err")):
            yield magic.line, "hides-output", "who reads a failure sees nothing: let it be shown"
        if _option(magic.words, "--no-raise-error"):
            yield magic.line, "swallows-errors", "a failure passes: take --no-raise-error away"


_CAPTURED = "`x = !command` never fails: subprocess.run(…, check=True), or a verb of labkit"


def plain(text: str) -> str:
    """Without what stands in quotes and comments, each line where it was.

    >>> plain("a 'x & y' # all & all") + "."
    'a _ .'
    """
    return _QUIET.sub(lambda m: "" if m[0][0] == "#" else "_" + "\n" * m[0].count("\n"), text)


def _exit_code(shell: Shell, text: str) -> Found:
    pipe = _PIPE.search(text)
    if shell.magic and not _WITH_E.search(shell.words):
        why = "fails on its last command only: %%bash -eo pipefail"
        yield shell.line - 1, "bash-without-e", why
    elif pipe and "pipefail" not in shell.words:
        why = "only its last part counts: %%bash -eo pipefail"
        yield _line(shell, text, pipe), "pipe-hides-failure", why


def _swallows(shell: Shell, text: str) -> Found:
    for pattern, instead in _SWALLOWS.items():
        for match in pattern.finditer(text):
            yield _line(shell, text, match), "swallows-errors", f"a failure passes: {instead}"
    then = _THEN.search(text)
    if (
        not (shell.magic or _KEYWORD.search(text) or any(p.search(text) for p in _SWALLOWS))
        and then
    ):
        why = "only the command after the last `;` counts: `&&`, or %%bash -e"
        yield _line(shell, text, then), "swallows-errors", why
    for match in _LEAVES.finditer(text if shell.magic else ""):
        yield _line(shell, text, match), "left-out", "what follows this exit is not run"
    for match in _TRAP.finditer(shell.text):
        why = "a failure passes: no exit in a trap"
        yield _line(shell, shell.text, match), "swallows-errors", why
    if shell.magic:
        for match in _NEGATED.finditer(text):
            why = "`! command` never ends the cell: if command; then exit 1; fi"
            yield _line(shell, text, match), "swallows-errors", why
        joined = text.replace("\\\n", "  ")  # as long as before
        for match in _AND.finditer(joined):
            why = "where `a && b` is not the last line, a may fail: two lines"
            yield _line(shell, text, match), "swallows-errors", why


def _time(shell: Shell, text: str) -> Found:
    for match in _SLEEP.finditer(shell.text):
        why = "too short on a slow machine, too long on others: lab.wait(…)"
        yield _line(shell, shell.text, match), "fixed-sleep", why
    job = _BACKGROUND.search(text)
    if job and not _ENDS_IT.search(text):
        why = (
            "its failure is not seen, and the cell ends when the job's output closes: "
            "wait for it, or kill it in a trap"
        )
        yield _line(shell, text, job), "background-job", why


def _line(shell: Shell, text: str, match: re.Match) -> int:
    """The line of the cell in which the match begins; a `!` is one line, however long."""
    begin = match.start() + len(match[0]) - len(match[0].lstrip())
    return shell.line + (text.count("\n", 0, begin) if shell.magic else 0)


def _option(words: str, option: str) -> bool:
    """Is it there, whole or as short as argparse lets it be?

    >>> _option("-e --no-r", "--no-raise-error"), _option("-e", "--err")
    (True, False)
    """
    found = [word.partition("=")[0] for word in words.split()]
    return any(len(word) > 2 and word[:2] == "--" and option.startswith(word) for word in found)
