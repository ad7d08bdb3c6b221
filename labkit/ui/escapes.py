"""Text without a terminal's escape sequences: colours, cursor moves, titles. All else stays."""

from __future__ import annotations

import re

# ECMA-48: control sequences; strings up to their end (titles, links, images); the short ones.
# Of what only begins like one, the escape alone goes.
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*[0-~]"
    r"|\x1b"
)
_BEGUN = re.compile(r"\x1b\[[0-?]*[ -/]*\Z|\x1b[]PX^_][^\x07\x1b\n]*\x1b?\Z|\x1b[ -/]*\Z")
_HELD = 4096  # characters: no sequence is as long


def plain(text: str) -> str:
    r"""The text alone.

    >>> plain("success \x1b[K\x1b[?25h\x1b[?2026l")
    'success '
    """
    return _SEQUENCE.sub("", text)


class Plain:
    r"""The same of a text that comes in pieces, which may end within a sequence.

    >>> stream = Plain()
    >>> stream.feed("a\x1b["), stream.feed("Kb"), stream.rest()
    ('a', 'b', '')
    """

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """What is known to be text by now."""
        text, self._held = self._held + text, ""
        begun = _BEGUN.search(text)
        if begun and len(text) - begun.start() <= _HELD:
            text, self._held = text[: begun.start()], text[begun.start() :]
        return plain(text)

    def rest(self) -> str:
        """What is left at the end."""
        text, self._held = self._held, ""
        return plain(text)
