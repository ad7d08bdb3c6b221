"""Lines on a terminal or in a pipe: one that is rewritten, or one after the other."""

from __future__ import annotations

import shutil
import sys
import unicodedata

from labkit.ui.escapes import plain


class TextLine:
    """A terminal, whose last line is rewritten, or a pipe, which keeps all that it is given."""

    rewrites_streams = False

    def __init__(self, *, terminal: bool) -> None:
        self.rewrites = terminal
        self._width = 0  # of what stands on the line that is rewritten
        self._growing = False  # an answer stands on the line, to which more may be added
        self._said = ""

    def paint(
        self, stream: str, line: str, html: str, *, last: bool, milestone: bool = False
    ) -> None:
        if self.rewrites and not last:
            if not self._growing:  # a state in its middle would tear an answer apart
                self._clear()
                text = cut(printable(line), shutil.get_terminal_size().columns - 1)
                self._width = width(text)
                write(text)
            return
        self._clear()
        if line and line != self._said and (last or milestone or not self._said):
            self._end_line()
            self._said = line
            write(f"{line}\n")
        if last:
            self._end_line()

    def grow(self, text: str) -> None:
        self._clear()
        write(text)
        self._growing = not text.endswith("\n")

    def _clear(self) -> None:
        if self._width:
            write(f"\r{' ' * self._width}\r")
            self._width = 0

    def _end_line(self) -> None:
        if self._growing:
            write("\n")
            self._growing = False


def width(text: str) -> int:
    """Columns of a terminal.

    >>> width("pod"), width("箱")
    (3, 2)
    """
    return len(text) + sum(unicodedata.east_asian_width(char) in "WF" for char in text)


def write(text: str) -> None:
    """To standard output, at once."""
    # a terminal that is not UTF-8 shall show a question mark rather than fail
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def printable(text: str) -> str:
    """Without control characters: a model's answer could move the cursor or ring the bell."""
    return "".join(char for char in plain(text) if char.isprintable() or char in "\n\t")


def cut(text: str, columns: int) -> str:
    """One line of at most so many columns.

    >>> cut("pulling  ollama/ollama", 12)
    'pulling oll…'
    """
    text = " ".join(text.split())
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"
