"""What a check of a step gives."""

from __future__ import annotations

from typing import NamedTuple


class Seen(NamedTuple):
    """What a check saw: did it pass, in what words, and what to try where it did not."""

    passed: bool
    saw: str
    hint: str = ""
