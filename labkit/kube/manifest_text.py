"""The text of a manifest with some of its lines marked, and the others folded."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape
from typing import NamedTuple

from labkit.ui import units
from labkit.ui.notebook import SCROLLS, display, in_notebook

NEAR = 3  # lines of context around a mark
_MARK = "border-left:4px solid #E69F00;padding-left:.4em"
_PLAIN = "border-left:4px solid transparent;padding-left:.4em"


class Part(NamedTuple):
    """Lines that stand together: are they far from every mark, and which of them are marked?"""

    far: bool
    lines: list[str]
    marks: list[bool]


def unlike(lines: Sequence[str], others: Sequence[str]) -> list[bool]:
    """Which of these lines do the others not have? Not of the comment that a file begins with.

    >>> unlike(["# this", "a: 1", "b: 2", "c: 3"], ["# that", "a: 1", "c: 3"])
    [False, False, True, False]
    """
    found = [True] * len(lines)
    for start, _, size in SequenceMatcher(
        None, lines, others, autojunk=False
    ).get_matching_blocks():
        found[start : start + size] = [False] * size
    for index, line in enumerate(lines):
        if not line.startswith("#"):
            break
        found[index] = False
    return found


def parts(lines: Sequence[str], marks: Sequence[bool]) -> list[Part]:
    """The lines in parts: near a mark, and far from all; without a mark all of it is near.

    >>> [(part.far, len(part.lines)) for part in parts(["x"] * 20, [False] * 19 + [True])]
    [(True, 16), (False, 4)]
    """
    marked = [index for index, mark in enumerate(marks) if mark]
    found: list[Part] = []
    for index, (line, mark) in enumerate(zip(lines, marks, strict=True)):
        far = bool(marked) and all(abs(index - other) > NEAR for other in marked)
        if not found or found[-1].far != far:
            found.append(Part(far, [], []))
        found[-1].lines.append(line)
        found[-1].marks.append(mark)
    return found


def text(found: Sequence[Part]) -> str:
    """For a terminal: `>` before a marked line, and how many lines were left out.

    >>> print(text(parts(["a", "b", "c", "d", "e", "f"], [True] + [False] * 5)))
    > a
      b
      c
      d
    … 2 lines
    """
    if not any(any(part.marks) for part in found):
        return "\n".join(line for part in found for line in part.lines)
    rows = []
    for part in found:
        if part.far:
            rows.append(f"… {units.count(len(part.lines), 'line')}")
        else:
            pairs = zip(part.lines, part.marks, strict=True)
            rows += [f"{'>' if mark else ' '} {line}".rstrip() for line, mark in pairs]
    return "\n".join(rows)


def html(found: Sequence[Part]) -> str:
    """For a notebook: marked lines have a bar beside them, the far ones open at a click."""
    boxes = []
    signs = {True: "&gt; ", False: "  " if any(any(part.marks) for part in found) else ""}
    for part in found:
        rows = "".join(
            f'<div style="{_MARK if mark else _PLAIN}">{signs[mark]}{escape(line)}'
            f"{'' if line else '&nbsp;'}</div>"
            for line, mark in zip(part.lines, part.marks, strict=True)
        )
        if part.far:
            count = units.count(len(part.lines), "line")
            rows = f"<details><summary>… {count}</summary>{rows}</details>"
        boxes.append(rows)
    return f'<pre tabindex="0" style="margin:0;{SCROLLS}">{"".join(boxes)}</pre>'


def show(lines: Sequence[str], marks: Sequence[bool]) -> None:
    """Show it: as a display of the cell in a notebook, as lines elsewhere."""
    found = parts(lines, marks)
    if in_notebook():
        display({"text/plain": text(found), "text/html": html(found)})
    else:
        print(text(found))
