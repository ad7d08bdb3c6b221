"""A lesson's page, in Markdown, from its notebook and the outputs of the last run that passed.

`./lab test notebooks` keeps the executed notebooks in `artifacts/`. Outputs are shown only when
that run passed and was of the same cells; else the page has none, and its first lines report why.
"""

from __future__ import annotations

import json
import os
import re
from html import escape
from pathlib import Path
from typing import Any

from labkit.learner import solutions
from labkit.ui.escapes import plain

ROOT = Path(__file__).resolve().parents[2]
_MIMES = ("text/html", "image/svg+xml", "image/png", "text/plain")  # the first that there is
_LANGUAGES = {"%%bash": "bash", "%%writefile": "yaml", "!": "bash"}


def executed(notebook: Path) -> Path:
    """Return where a run of the tests keeps this notebook with its outputs."""
    folder = ROOT / (os.environ.get("LAB_ARTIFACTS") or "artifacts")
    return folder / notebook.name


def page(notebook: Path, ran: Path) -> str:
    """Return the page of this notebook; `ran` is its executed copy, where there is one."""
    # a folded solution is shown as the code cell that a test makes of it
    cells = solutions.runnable(json.loads(notebook.read_text()))["cells"]
    copy = solutions.runnable(json.loads(ran.read_text())) if ran.exists() else {}
    why_not = _unusable(cells, copy)
    title, _, rest = _text(cells[0]).partition("\n")
    shown = [title, _admonition("note", "Outputs", why_not or _of_run(copy)), linked(rest)]
    shown += [_cell(cell) for cell in (cells if why_not else copy["cells"])[1:]]
    return "\n\n".join(shown) + "\n"


def _unusable(cells: list[dict[str, Any]], copy: dict[str, Any]) -> str:
    """Return why the outputs of the executed copy are not shown; empty when they are."""
    if not copy:
        return f"This page has no outputs: {_HOW}."
    if copy["metadata"].get("labkit", {}).get("failed", "?"):
        return f"This page has no outputs: the last run on this machine did not pass. {_AGAIN}."
    if [_text(cell) for cell in cells] != [_text(cell) for cell in copy["cells"]]:
        return f"This page has no outputs: the lesson has changed since its last run. {_AGAIN}."
    return ""


_HOW = "`./lab test notebooks` runs the lessons on this machine, and `./lab docs` then shows them"
_AGAIN = "`./lab test notebooks` runs it again"


def _of_run(copy: dict[str, Any]) -> str:
    facts = copy["metadata"]["labkit"]
    when = f" on {facts['ended'][:10]}" if "ended" in facts else ""
    return (
        f"The outputs are those of a run{when} in a real cluster, which passed in"
        f" {facts['seconds']:.0f} s. Yours have other names, times and words."
    )


def _cell(cell: dict[str, Any]) -> str:
    if cell["cell_type"] != "code":
        return linked(_text(cell))
    parts = [_source(_text(cell)), *map(_output, cell.get("outputs", []))]
    text = "\n\n".join(part for part in parts if part)
    if "solution" in cell["metadata"].get("tags", []):
        return _admonition("success", "A solution", text, folded=True)
    return text


def _source(text: str) -> str:
    language = next((lang for sign, lang in _LANGUAGES.items() if text.startswith(sign)), "python")
    return _fenced(text, language)


def _output(output: dict[str, Any]) -> str:
    """Return one output as HTML: it is data, so nothing in it is read as Markdown."""
    kind = output["output_type"]
    if kind == "stream":
        return _framed(_pre(_joined(output["text"])))
    if kind == "error":
        return _framed(_pre("\n".join(output["traceback"])))
    data = output.get("data", {})
    mime = next((mime for mime in _MIMES if mime in data), "")
    text = _joined(data.get(mime, ""))
    if mime == "text/html":
        return _framed(_without_blank_lines(text))
    if mime == "image/svg+xml":
        return _framed(_without_blank_lines(text))
    if mime == "image/png":
        alt = escape(_joined(data.get("text/plain", "")), quote=True)
        return _framed(f'<img alt="{alt}" src="data:image/png;base64,{text.strip()}">')
    return _framed(_pre(text)) if text else ""


def _framed(html: str) -> str:
    return f'<div class="lab-output" data-search-exclude>{html}</div>'


def _pre(text: str) -> str:
    # a blank line would end the block of HTML
    lines = escape(plain(text).rstrip()).splitlines()
    return f"<pre>{'&#10;'.join(lines)}</pre>"


def _without_blank_lines(html: str) -> str:
    return re.sub(r"\n\s*\n", "\n", html.strip())


def _fenced(text: str, language: str) -> str:
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def _admonition(kind: str, title: str, text: str, *, folded: bool = False) -> str:
    inner = "\n".join(f"    {line}".rstrip() for line in text.splitlines())
    return f'{"???" if folded else "!!!"} {kind} "{title}"\n\n{inner}'


def linked(text: str) -> str:
    """Return the Markdown with its links to notebooks as links to their pages."""
    return re.sub(r"(\]\([\w./-]+)\.ipynb(?=[#)])", r"\1.md", text)


def _text(cell: dict[str, Any]) -> str:
    return _joined(cell["source"])


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
