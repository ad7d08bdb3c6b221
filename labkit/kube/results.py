"""What kubectl's verbs give: what a container wrote, or what became of objects."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.ui.notebook import Shown


@dataclass(frozen=True)
class Output(Shown):
    """What a container wrote, and the exit code where there is one."""

    text: str
    code: int | None = None

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


@dataclass(frozen=True)
class Done(Shown):
    """What became of objects, in kubectl's words: "pod/ollama created"."""

    text: str

    def __repr__(self) -> str:
        return self.text


def told(text: str) -> Done:
    """Show what became of objects."""
    print(text)
    return Done(text)
