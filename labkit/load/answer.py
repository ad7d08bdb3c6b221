"""What an answer was worth: its first content, its tokens, or the kind of its failure."""

from __future__ import annotations

import json
from collections.abc import Callable

from labkit.load.connection import Connection
from labkit.load.plan import Plan
from labkit.load.request import speaks_ollama, speaks_openai
from labkit.load.result import Result
from labkit.load.wire import EXCERPT

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

# What json.loads calls in the end; it guesses each line's encoding and looks for spaces before.
# type: typeshed does not name it
scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
PARTS = ("content", "thinking", "tool_calls")  # of a message


def parsed(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line, or None.

    >>> parsed(b'{"done":true}'), parsed(b"[]"), parsed(b'{"done"')
    ({'done': True}, None, None)
    """
    try:
        text = line.decode().strip()
        value, end = scan(text, 0)
    except (ValueError, StopIteration, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return value if isinstance(value, dict) and end == len(text) else None


def has_content(line: dict[str, Any]) -> bool:
    """Does this line of Ollama's carry any of the answer?

    >>> has_content({"response": "a"}), has_content({"message": {"content": ""}})
    (True, False)
    """
    if line.get("response") or line.get("thinking"):
        return True
    message = line.get("message")
    return isinstance(message, dict) and any(map(message.get, PARTS))


def openai_flaw(line: bytes) -> tuple[str, str]:
    """What is wrong with an answer in OpenAI's dialect that ends in this line; "" for nothing.

    Ollama ends an answer whose model died as it ends a whole one, under a 200, but without a
    finish_reason and without `[DONE]`.

    >>> openai_flaw(b"data: [DONE]"), openai_flaw(b'data: {"choices":[{"finish_reason":null}]}')[0]
    (('', ''), 'stream_cut')
    """
    if not line:
        return "stream_cut", "an answer without a line"
    is_event = line.startswith(b"data:")
    event = line.removeprefix(b"data:").strip()
    if event == b"[DONE]":
        return "", ""
    value, shown = parsed(event) or {}, line[:EXCERPT].decode(errors="replace")
    if value.get("error") is not None:
        return "in_band_error", shown
    choices = value.get("choices")
    # with stream_options the last but one has the usage, and no choices
    ends = choices == [] or any(
        isinstance(one, dict) and one.get("finish_reason")
        for one in (choices if isinstance(choices, list) else ())
    )
    if is_event and not ends:
        return "stream_cut", f"no finish_reason and no [DONE]: {shown}"
    return "", ""


class Answers:
    """Counts the answers of one phase into its Result."""

    on_end: Callable[[Connection, int, str], None] | None = None

    def __init__(self, plan: Plan) -> None:
        self.count_into(Result(plan))
        self.ollama, self.openai = speaks_ollama(plan), speaks_openai(plan)
        self.limits_ns = {name: limit * 1e6 for name, limit in plan.goodput}
        self.open_loop = bool(plan.rate)
        self.line = b""
        self.values: dict[str, Any] | None = None

    def count_into(self, result: Result) -> None:
        """Another phase begins."""
        self.result = result
        self.record = {name: histogram.record for name, histogram in result.metrics.items()}

    def content(self, line: bytes) -> bool | None:
        """Does a line carry any of the answer? None: it is an error, or no JSON."""
        self.line, self.values = line, parsed(line)
        if self.values is None or "error" in self.values:
            return None
        return has_content(self.values)

    def values_of(self, line: bytes) -> dict[str, Any] | None:
        """The line's JSON object; a short answer's only line has been parsed already."""
        return self.values if line is self.line else parsed(line)

    def failed(self, connection: Connection, kind: str, example: str, now: int) -> None:
        """Count a request that ended without a whole response."""
        self.result.fail(kind, example)
        if connection.reader.status and kind != "connect":
            self._status(connection.reader.status)
        if self.on_end:
            self.on_end(connection, now, kind)

    def ended(self, connection: Connection, stamp: int) -> None:
        """Count a whole response."""
        reader = connection.reader
        status = reader.status
        self._status(status)
        last = self.values_of(reader.last_line) if self.ollama and 200 <= status < 300 else None
        kind, example = self._flaw(connection, last)
        if kind:
            self.result.fail(kind, example)
        else:
            self._succeeded(connection, stamp, last or {})
        if self.on_end:
            self.on_end(connection, stamp, kind)

    def _status(self, status: int) -> None:
        statuses = self.result.statuses
        statuses[status] = statuses.get(status, 0) + 1

    def _flaw(self, connection: Connection, last: dict[str, Any] | None) -> tuple[str, str]:
        """Kind of failure, or "", and an example of it."""
        reader = connection.reader
        if not 200 <= reader.status < 300:
            text = reader.excerpt.decode(errors="replace").strip()
            return "http_status", f"{reader.status} {text}".strip()
        if self.openai:
            return openai_flaw(reader.last_line)
        if not self.ollama:
            return "", ""
        if not reader.last_line:
            return "stream_cut", "an answer without a line"
        if reader.error_line or last is None or "error" in last:
            line = reader.error_line or reader.last_line
            shown = line[:EXCERPT].decode(errors="replace")
            if (parsed(line) or {}).get("error") is not None:
                return "in_band_error", shown
            head = reader.head
            until_close = head is not None and not head.chunked and head.length is None
            return "stream_cut" if until_close else "bad_json", shown
        if last.get("done") is not True and last.get("status") != "success":
            return "stream_cut", f'no "done": true after {connection.chunks} chunks'
        return "", ""

    def _succeeded(self, connection: Connection, stamp: int, last: dict[str, Any]) -> None:
        result, record = self.result, self.record
        result.succeeded += 1
        start, first = connection.start, connection.first
        latency, ttft = stamp - start, first - start if first else None
        record["latency_ms"](latency)
        if self.open_loop:
            record["schedule_deviation_ms"](connection.sent - start)
        gap = 0.0
        if ttft is not None:
            record["ttft_ms"](ttft)
            chunks, end = connection.chunks, connection.last
            if connection.held is not None:
                if has_content(last):
                    record["gap_ms"](connection.held)
                else:  # the last line only says that it is the last
                    chunks, end = chunks - 1, end - connection.held
            connection.chunks = chunks
            result.chunks += chunks
            gap = (end - first) / (chunks - 1) if chunks > 1 else 0.0
        if self.ollama:
            self._ollama(last.get, latency, ttft)
        if self.limits_ns:
            never = float("inf")  # a first token that nobody saw was not in time
            seen = {"ttft": never if ttft is None else ttft, "gap": gap, "latency": latency}
            result.good += all(seen[name] <= limit for name, limit in self.limits_ns.items())

    def _ollama(self, get: Callable[[str], object], latency: int, ttft: int | None) -> None:
        """Ollama's own counts and durations (ns); it leaves out what is zero."""
        result, record = self.result, self.record
        load, prompt = _number(get("load_duration")), _number(get("prompt_eval_duration"))
        evaluated, tokens = _number(get("eval_duration")), _number(get("eval_count"))
        if load:
            record["load_ms"](load)
        if prompt:
            record["prompt_ms"](prompt)
        if evaluated:
            record["eval_ms"](evaluated)
        if ttft is not None and (load or prompt):
            record["queue_ms"](max(0, ttft - load - prompt))
        result.prompt_tokens += _number(get("prompt_eval_count"))
        cached = get("prompt_eval_cached_count")
        if cached is not None:  # Ollama 0.24 does not tell
            result.cached_tokens = (result.cached_tokens or 0) + _number(cached)
        result.generated_tokens += tokens
        if tokens and latency > 0:
            record["tokens_per_s_per_request"](tokens * 1_000_000_000_000 // latency)


def _number(value: object) -> int:
    """Ollama's counts and nanoseconds, 0 for what is none."""
    return value if type(value) is int and 0 <= value < 2**63 else 0
