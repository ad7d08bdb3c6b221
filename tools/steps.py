"""Writes the table of docs/steps.md from labkit/lessons/notebooks.

Run by hand when a step or its title has changed: `python tools/steps.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labkit.lessons.step import Step
from labkit.lessons.steps import STEPS

FILE = Path(__file__).resolve().parents[1] / "docs" / "steps.md"
_INTRO = """\
## Every step

Generated from `labkit/lessons/notebooks` by `python tools/steps.py`; edit those files.

| step | section |
|---|---|
"""


def wanted(page: str, steps: Sequence[Step]) -> str:
    """What docs/steps.md must hold for these steps: its own text, then the table."""
    text = page.partition(_INTRO.partition("\n")[0])[0]
    return text + _INTRO + "".join(f"| `{step.id}` | {step.title} |\n" for step in steps)


if __name__ == "__main__":
    FILE.write_text(wanted(FILE.read_text(), STEPS))
