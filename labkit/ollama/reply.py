"""What a model says, piece by piece: its thoughts, its words and the tools it calls, apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


class Reply:
    """What has come so far of an answer.

    >>> reply = Reply()
    >>> print(reply.saw({"thinking": "A group?"}) + reply.saw({"response": "A group."}))
    Thinking...
    A group?
    ...done thinking.
    <BLANKLINE>
    A group.
    >>> reply.text, reply.thinking
    ('A group.', 'A group?')
    """

    def __init__(self) -> None:
        self.text = self.thinking = ""
        self.pieces = 0  # lines with a part of the answer: a token each, or a few
        self.tool_calls: list[dict[str, Any]] = []
        self._is_thinking = False

    def saw(self, event: dict[str, Any]) -> str:
        """One event of /api/generate or /api/chat; what to show of it, as `ollama run` does."""
        part = event.get("message") or event
        thought = part.get("thinking") or ""
        words = part.get("content") or part.get("response") or ""
        calls = part.get("tool_calls") or []
        self.pieces += bool(thought or words or calls)
        shown = "Thinking...\n" if thought and not self._is_thinking else ""
        shown += thought
        self.thinking += thought
        self._is_thinking = self._is_thinking or bool(thought)
        if self._is_thinking and (words or calls):
            shown += "" if self.thinking.endswith("\n") else "\n"
            shown += "...done thinking.\n\n"
            self._is_thinking = False
        self.text += words
        self.tool_calls += calls
        shown += words
        if calls and self.text and not self.text.endswith("\n"):
            shown += "\n"
        return shown + "".join(f"{line}\n" for line in called(calls))

    def message(self) -> dict[str, Any]:
        """As the next turn of a talk has to be told of it."""
        whole: dict[str, Any] = {"role": "assistant", "content": self.text}
        whole |= {"thinking": self.thinking} if self.thinking else {}
        return whole | ({"tool_calls": self.tool_calls} if self.tool_calls else {})


def called(calls: Iterable[dict[str, Any]]) -> list[str]:
    """Calls of tools, a line each.

    >>> called([{"function": {"name": "pods", "arguments": {"namespace": "lab"}}}])
    ['calls pods(namespace="lab")']
    """
    lines = []
    for call in calls:
        function = call.get("function") or {}
        given = (function.get("arguments") or {}).items()
        words = ", ".join(
            f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given
        )
        lines.append(f"calls {function.get('name')}({words})")
    return lines
