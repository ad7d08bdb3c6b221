"""Bodies of answers in the four dialects, streamed or not."""

from __future__ import annotations

import json
from typing import NamedTuple

from tests.load.answers import OLLAMA, SUMS

ID = {"id": "cmpl-1", "created": 1, "model": "tiny"}
WORDS = ("A", " Pod", " runs", ".")


class Dialect(NamedTuple):
    """A path, and how a piece of an answer is written there."""

    path: str
    openai: bool
    chat: bool

    def piece(self, text: str, **ends: object) -> bytes:
        """One line or event with this text; `ends` is what the last one has beside it."""
        if not self.openai:
            said = {"message": {"role": "assistant", "content": text}} if self.chat else {}
            said = said or {"response": text}
            return _line({**OLLAMA, **said, "done": bool(ends), **ends})
        choice = {"delta": {"content": text}} if self.chat else {"text": text}
        reason = ends.get("finish_reason")
        return self.event({**ID, "choices": [{"index": 0, **choice, "finish_reason": reason}]})

    def event(self, value: dict) -> bytes:
        """Any JSON as a line, or an event, of a stream."""
        return b"data: " + _line(value) + b"\n" if self.openai else _line(value)

    def end(self, reason: str = "stop", **sums: int) -> list[bytes]:
        """What ends a stream."""
        if not self.openai:
            return [self.piece("", done_reason=reason, **sums)]
        return [self.piece("", finish_reason=reason), b"data: [DONE]\n\n"]

    def stream(self, words: tuple[str, ...] = WORDS) -> list[bytes]:
        return [*map(self.piece, words), *self.end(**SUMS)]

    def whole(self, text: str, **ends: object) -> bytes:
        """An answer that is no stream."""
        if not self.openai:
            return self.piece(text, **(ends or {"done_reason": "stop", **SUMS}))
        said = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        usage = {"prompt_tokens": 3, "completion_tokens": 4 if text else 0}
        choice = {"index": 0, **said, "finish_reason": ends.get("finish_reason", "stop")}
        return json.dumps({**ID, "choices": [choice], "usage": usage}, indent=1).encode()


def _line(value: dict) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


DIALECTS = {
    "generate": Dialect("/api/generate", openai=False, chat=False),
    "chat": Dialect("/api/chat", openai=False, chat=True),
    "v1 chat": Dialect("/v1/chat/completions", openai=True, chat=True),
    "v1 text": Dialect("/v1/completions", openai=True, chat=False),
}
