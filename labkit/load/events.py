"""An answer in OpenAI's dialect: a stream of events, or one JSON object."""

from __future__ import annotations

from labkit.load.json_line import is_error, number, parsed
from labkit.load.nouns import count
from labkit.load.wire import EXCERPT, MAX_LINE, Reader

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

# How most events of Ollama end, and of vLLM.
ORDINARY = b'"finish_reason":null}]}'
FIELDS = (b"", b"event", b"id", b"retry")  # of an event, beside its data; b"" is a comment


class Events:
    """State of one answer: `line` takes each of its lines."""

    __slots__ = ("body", "ends", "error_event", "usage")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Ready for the next answer."""
        self.ends = False  # was there a finish_reason, or [DONE]?
        self.error_event = False  # `event: error`
        self.usage: dict[str, Any] = {}
        self.body: list[bytes] = []  # lines that are of no event: an answer that is no stream

    def line(self, line: bytes) -> bool | None:
        """Does a line carry any of the answer? None: it is an error, or no JSON.

        >>> events = Events()
        >>> events.line(b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}')
        True
        >>> events.line(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}'), events.ends
        (False, True)
        """
        if not line.startswith(b"data:"):
            return self._beside(line)
        # parsing each would double what an event costs
        if line.endswith(ORDINARY) and b'":""' not in line and b'"error"' not in line:
            return True
        event = line[5:].strip()
        if event == b"[DONE]":
            self.ends = True
        if event in (b"[DONE]", b""):
            return False
        value = parsed(event)
        return None if self.error_event or value is None else self._take(value)

    def _beside(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        if name.strip() not in FIELDS:
            if sum(map(len, self.body)) < MAX_LINE:
                self.body.append(line)
        elif name == b"event" and value.strip() == b"error":
            self.error_event = True
        return False

    def _take(self, value: dict[str, Any]) -> bool | None:
        if value.get("error"):
            return None
        if isinstance(usage := value.get("usage"), dict):
            self.usage = usage
        choices = value.get("choices")
        content = False
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self.ends = self.ends or bool(choice.get("finish_reason"))
                content = content or _has_content(choice)
        return content

    def says_error(self, line: bytes) -> bool:
        """Did `line` return None for an error of the server's?"""
        return self.error_event or is_error(line)

    def flaw(self, reader: Reader, chunks: int) -> tuple[str, str]:
        """Kind of failure of a whole answer, or "", and an example of it."""
        line = reader.error_line
        if line and self.says_error(line):
            return "in_band_error", _shown(line)
        if not reader.last_line:
            return "stream_cut", "an answer without a line"
        no_json = "stream_cut" if reader.until_close else "bad_json"
        if line:
            return no_json, _shown(line)
        if self.body:
            whole = b"\n".join(self.body)
            value = parsed(whole)
            content = None if value is None else self._take(value)
            if content is None:
                return no_json if value is None else "in_band_error", _shown(whole)
            chunks += content
        if not self.ends:
            last = _shown(reader.last_line)
            said = f"no finish_reason and no [DONE]: {last} (after {count(chunks, 'chunk')})"
            return "stream_cut", said
        if not chunks and not number(self.usage.get("completion_tokens")):
            return "no_tokens", _shown(reader.last_line)
        return "", ""

    def cached_tokens(self) -> int | None:
        """How many of the prompt's tokens were in the cache; None: not told."""
        details = self.usage.get("prompt_tokens_details")
        told = details.get("cached_tokens") if isinstance(details, dict) else None
        return None if told is None else number(told)


def _has_content(choice: dict[str, Any]) -> bool:
    """A text, or a delta or message with more than its role."""
    if choice.get("text"):
        return True
    said = choice.get("delta") or choice.get("message")
    return isinstance(said, dict) and any(said[name] for name in said if name != "role")


def _shown(line: bytes) -> str:
    return line[:EXCERPT].decode(errors="replace")
