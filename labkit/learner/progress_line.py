"""The progress line of a notebook: its steps, when each was passed, and which one is next."""

from __future__ import annotations

import datetime
from html import escape
from typing import Any

from labkit.learner.passed import clock
from labkit.ui import notebook, units
from labkit.ui.table import FRAME

_handle: Any = None  # of the line that this kernel shows


def text(names: list[str], passed: dict[str, datetime.datetime]) -> str:
    """How many steps are passed, and each step with its sign.

    >>> now = datetime.datetime.now(datetime.UTC).astimezone().replace(hour=9, minute=45)
    >>> text(["run", "pull", "your-turn"], {"run": now})
    '1 of 3 steps passed: ✓ run 09:45 · → next: pull · ○ your-turn'
    """
    parts = []
    following = next((name for name in names if name not in passed), None)
    for name in names:
        if name in passed:
            parts.append(f"✓ {name} {clock(passed[name])}")
        else:
            parts.append(f"→ next: {name}" if name == following else f"○ {name}")
    done = sum(name in passed for name in names)
    return f"{done} of {units.count(len(names), 'step')} passed: {' · '.join(parts)}"


def show(title: str, names: list[str], passed: dict[str, datetime.datetime]) -> None:
    """Show the line in this cell; later calls of `update` change it there."""
    global _handle
    # a display that is rewritten, and not a widget: it is still there when the notebook is opened
    # again, and it has a text for a screen reader and a test
    _handle = notebook.display(_bundle(title, names, passed), display_id=True)


def update(title: str, names: list[str], passed: dict[str, datetime.datetime]) -> None:
    """Rewrite the line that this kernel shows, if it shows one."""
    if _handle is not None:
        _handle.update(_bundle(title, names, passed), raw=True)


def _bundle(title: str, names: list[str], passed: dict[str, datetime.datetime]) -> dict[str, str]:
    said = text(names, passed)
    done = sum(name in passed for name in names)
    bar = (
        f'<progress aria-label="{escape(title)}: steps passed" value="{done}"'
        f' max="{len(names)}"></progress>'
    )
    return {
        "text/plain": said,
        "text/html": f'<div style="{FRAME}">{bar} {escape(said)}</div>',
    }
