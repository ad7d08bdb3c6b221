"""OpenAI's dialect of a stream: events of `data:`, a finish_reason, `[DONE]` at the end."""

from __future__ import annotations

import json
from typing import Any

PATHS = ("/v1/chat/completions", "/v1/completions")


class Events:
    """The objects of an answer, and whether it is whole.

    Ollama 0.34 ends a stream whose model was killed as a whole one: under a 200, without an error,
    a finish_reason or `[DONE]`.

    >>> events = Events()
    >>> events.saw('data: {"choices": [{"delta": {"content": "A"}, "finish_reason": null}]}')
    {'choices': [{'delta': {'content': 'A'}, 'finish_reason': None}]}
    >>> events.ends, events.pieces, events.saw("data: [DONE]"), events.ends
    (False, 1, None, True)
    """

    def __init__(self) -> None:
        self.ends = False
        self.pieces = 0  # with a text: a token each, or a few that make one character

    def saw(self, line: str) -> Any:
        """What one line holds: an object of an event, None for a line without one.

        Raises ValueError when that is not JSON. A line outside of events is an answer in one piece.
        """
        name, _, value = line.partition(":")
        value = value.strip()
        if name in ("", "event", "id", "retry") or (name == "data" and not value):
            return None
        if name == "data" and value == "[DONE]":
            self.ends = True
            return None
        found = json.loads(value if name == "data" else line)
        choices = found.get("choices") if isinstance(found, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            self.ends = self.ends or bool(choice.get("finish_reason"))
            self.pieces += _has_text(choice)
        return found


def _has_text(choice: dict[str, Any]) -> bool:
    said = choice.get("delta") or choice.get("message") or {}
    return bool(choice.get("text") or any(said[name] for name in said if name != "role"))
