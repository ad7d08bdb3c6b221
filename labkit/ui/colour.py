"""Colours on a terminal. The words alone hold the same information."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

_GREEN, _RED, _ORANGE = "#009E73", "#D55E00", "#E69F00"
_STEP = r"^\d\d[a-z]?-\S+?:? +"
# what is painted is the group
_STYLES = (
    (_STEP + r"(done)\b", _GREEN),
    (_STEP + r"(not yet)\b", _RED),
    (_STEP + r"(could not tell)\b", _ORANGE),
    (r"^(ok)  ", _GREEN),
    (r"^(no)  ", _RED),
    (r"^(\?\?)  ", _ORANGE),
    (r"\A([A-Z]\w+): .*\nsaw: ", f"bold {_RED}"),
    (r"^(saw|cause|question|try|look|more): ", "bold"),
)


def say(text: str, *, file: TextIO | None = None) -> None:
    """Print the text. A terminal shows verdicts and labels in colour, unless $NO_COLOR is set."""
    file = file or sys.stdout
    if not file.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        print(text, file=file)
        return
    from rich.console import Console  # 50 ms, which a pipe need not pay
    from rich.text import Text

    painted = Text(text)
    for pattern, style in _STYLES:
        for found in re.finditer(pattern, text, re.MULTILINE):
            painted.stylize(style, *found.span(1))
    Console(file=file, highlight=False, soft_wrap=True).print(painted)
