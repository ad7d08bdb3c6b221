"""Draws docs/answer.svg: the cells of notebook 00 that ask, and what they print in JupyterLab.

The cells run here against an answer that was recorded from Ollama, so the picture holds what the
notebook and labkit print. Run by hand when one of them has changed: `python tools/picture.py`.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import textwrap
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from labkit.kube.proxy import Connection
from labkit.ollama import completion

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "answer.svg"
NOTEBOOK = ROOT / "notebooks" / "00-start.ipynb"
RECORDED = ROOT / "tests" / "ollama" / "recorded" / "0.34.2" / "generate.ndjson"
CELLS = ("ask", "ask-do", "ask-more")
# what → its colour on a light and on a dark page, near those of JupyterLab
COLOURS = {
    "page": ("#ffffff", "#111111"),
    "bar": ("#eeeeee", "#2b2b2b"),
    "cell": ("#f5f5f5", "#212121"),
    "edge": ("#bdbdbd", "#5f5f5f"),
    "text": ("#1f1f1f", "#e6e6e6"),
    "prompt": ("#1f68a8", "#7fb8ea"),
    "string": ("#a31515", "#ff9d8a"),
    "done": ("#009e73", "#009e73"),
}
_WIDTH, _LEFT, _RIGHT, _LINE = 860, 76, 16, 20
_COLUMNS = 92  # of the widest monospaced font at 13 px, between left and right
_SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_DONE = "✓"  # how the last line of a display that grew begins
_STRINGS = re.compile(r'(f?"[^"]*")')
_EMPHASIS = re.compile(r"\*([^*]+)\*")


@dataclass(frozen=True)
class Asked:
    """The cells of the picture: their Markdown, their code with its numbers, what they print."""

    heading: str
    words: str
    code: list[tuple[int, str, str]]  # the number that JupyterLab shows, the source, the output


def asked(notebook: Path = NOTEBOOK, recorded: Path = RECORDED) -> Asked:
    """Run the cells that ask, against the recorded answer."""
    cells = json.loads(notebook.read_text())["cells"]
    numbers = [cell["id"] for cell in cells if cell["cell_type"] == "code"]
    sources = {cell["id"]: "".join(cell["source"]) for cell in cells}
    heading, _, words = sources[CELLS[0]].partition("\n")
    names: dict[str, Any] = {"lab": SimpleNamespace(generate=_generate(recorded))}
    code = []
    for name in CELLS[1:]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(sources[name], names)
        code.append((numbers.index(name) + 1, sources[name], printed.getvalue()))
    return Asked(heading.lstrip("# "), " ".join(words.split()), code)


def _generate(recorded: Path) -> Any:
    """Return lab.generate, with the recorded answer for every question."""
    text = recorded.read_text()
    model = json.loads(text.splitlines()[0])["model"]

    def generate(prompt: str, *, at: str) -> completion.Answer:
        answer = httpx.MockTransport(lambda _: httpx.Response(200, text=text))
        with Connection("http://ollama", at, httpx.Client(transport=answer)) as server:
            return completion.generate(prompt, model=model, at=server)

    return generate


class _Drawing:
    """Lines and boxes from the top downwards."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = 0

    def box(self, kind: str, x: int, y: int, width: int, height: int) -> None:
        place = f'x="{x}" y="{y}" width="{width}" height="{height}"'
        self.parts.append(f'<rect class="{kind}" {place}/>')

    def line(self, inner: str, kind: str = "mono", x: int = _LEFT) -> None:
        self.y += _LINE
        place = f'x="{x}" y="{self.y - 6}"'
        self.parts.append(f'<text class="{kind}" xml:space="preserve" {place}>{inner}</text>')

    def cell(self, number: int, source: str) -> None:
        lines = source.splitlines()
        self.y += 8
        height = _LINE * len(lines) + 8
        self.box("cell", _LEFT - 8, self.y, _WIDTH - _LEFT - _RIGHT + 8, height)
        prompt = f'<text class="mono prompt" x="12" y="{self.y + 18}">[{number}]:</text>'
        self.parts.append(prompt)
        self.y += 4
        for line in lines:
            parts = _STRINGS.split(line)  # every second one is a string
            self.line(
                "".join(
                    _part("string", p) if n % 2 else escape(p, quote=False)
                    for n, p in enumerate(parts)
                )
            )
        self.y += 12

    def output(self, text: str) -> None:
        lines = text.splitlines()
        is_live = any(
            line.startswith(_DONE) for line in lines
        )  # HTML, below the line that is typed
        for line in lines:
            if line.startswith(_DONE):
                self.box("done", _LEFT, self.y, 4, _LINE)
                self.line(escape(line, quote=False), "sans", _LEFT + 12)
                continue
            kind = "sans" if is_live and not line.startswith("$") else "mono"
            for part in textwrap.wrap(line, _COLUMNS, break_on_hyphens=False):
                self.line(escape(part, quote=False), kind)


def _part(kind: str, text: str) -> str:
    return f'<tspan class="{kind}">{escape(text, quote=False)}</tspan>'


def wanted(found: Asked) -> str:
    """Return what docs/answer.svg must hold for these cells."""
    drawing = _Drawing()
    drawing.y = 52
    drawing.line(_part("heading", found.heading), "sans")
    drawing.y += 4
    for line in textwrap.wrap(found.words, _COLUMNS + 6, break_on_hyphens=False):
        drawing.line(_EMPHASIS.sub(r"<tspan font-style='italic'>\1</tspan>", line), "sans")
    for number, source, output in found.code:
        drawing.cell(number, source)
        drawing.output(output)
    height = drawing.y + 16
    label = escape(NOTEBOOK.name)
    top = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" role="img" aria-labelledby="t">',
        "<!-- Generated by python tools/picture.py; edit that file. -->",
        f'<title id="t">{escape(alt(found), quote=False)}</title>',
        _style(),
        f'<rect class="page" x=".5" y=".5" width="{_WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<path class="bar" d="M1 34V7a6 6 0 0 1 6-6h{_WIDTH - 14}a6 6 0 0 1 6 6v27z"/>',
        '<rect class="page" x="12" y="8" width="150" height="27"/>',
        f'<text class="sans" x="26" y="26">{label}</text>',
    ]
    return "\n".join([*top, *drawing.parts, "</svg>\n"])


def alt(found: Asked) -> str:
    """Return the picture in words, as the README has it too."""
    (_, source, output), *_ = found.code
    said = " ".join(output.splitlines()[1:])
    return f"Notebook 00-start in JupyterLab. Cell: {source} Output: {said}"


def _style() -> str:
    filled = [kind for kind in COLOURS if kind not in ("edge", "text")]
    fonts = f".sans{{font:14px {_SANS}}}.mono{{font:13px {_MONO}}}.heading{{font:600 20px {_SANS}}}"

    def rules(shade: int) -> str:
        fills = "".join(f".{kind}{{fill:{COLOURS[kind][shade]}}}" for kind in filled)
        edge, text = COLOURS["edge"][shade], COLOURS["text"][shade]
        return f"text{{fill:{text}}}{fills}.cell,rect.page,.bar{{stroke:{edge}}}"

    dark = f"@media (prefers-color-scheme:dark){{{rules(1)}}}"
    return f"<style>{fonts}{rules(0)}{dark}</style>"


if __name__ == "__main__":
    FILE.write_text(wanted(asked()))
