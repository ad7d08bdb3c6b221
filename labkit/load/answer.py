"""What an answer was worth: its first content, its tokens, or the kind of its failure."""

from __future__ import annotations

from collections.abc import Callable

from labkit.load.connection import Connection
from labkit.load.json_line import is_error, number, parsed
from labkit.load.plan import Plan
from labkit.load.request import speaks_ollama, speaks_openai
from labkit.load.result import Result
from labkit.load.wire import EXCERPT

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

PARTS = ("content", "thinking", "tool_calls", "images")  # of a message
# More than this part of an answer's chunks in its first read, or all of them in so small a part of
# the time that generating them took: something on the way held them back.
HELD_BACK = 20
BURST = 10


def has_content(line: dict[str, Any]) -> bool:
    """Does this line of Ollama's carry any of the answer?

    >>> has_content({"response": "a"}), has_content({"message": {"content": ""}})
    (True, False)
    """
    if line.get("response") or line.get("thinking") or line.get("image"):
        return True
    message = line.get("message")
    return isinstance(message, dict) and any(map(message.get, PARTS))


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
        if self.values is None or self.values.get("error"):
            return None
        return has_content(self.values)

    def values_of(self, line: bytes) -> dict[str, Any] | None:
        """The line's JSON object; a short answer's only line has been parsed already."""
        return self.values if line is self.line else parsed(line)

    def failed(self, connection: Connection, kind: str, example: str, now: int) -> None:
        """Count a request that ended without a whole response."""
        if kind != "connect":  # else its reader still has the answer before
            reader, events = connection.reader, connection.events
            line = reader.error_line if 200 <= reader.status < 300 else b""
            if line and (events.says_error(line) if events else is_error(line)):
                kind, example = "in_band_error", line[:EXCERPT].decode(errors="replace")
            if reader.status:
                self._status(reader.status)
        self.result.fail(kind, example)
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
        if connection.events:
            return connection.events.flaw(reader, connection.chunks)
        if not self.ollama:
            return "", ""
        if not reader.last_line:
            return "stream_cut", "an answer without a line"
        if reader.error_line or last is None or last.get("error"):
            line = reader.error_line or reader.last_line
            shown = line[:EXCERPT].decode(errors="replace")
            if is_error(line):
                return "in_band_error", shown
            return "stream_cut" if reader.until_close else "bad_json", shown
        if last.get("status") == "success":
            return "", ""  # of a pull
        if last.get("done") is not True:
            return "stream_cut", f'no "done": true after {connection.chunks} chunks'
        if not connection.first and not number(last.get("eval_count")):
            return "no_tokens", reader.last_line[:EXCERPT].decode(errors="replace")
        return "", ""

    def _succeeded(self, connection: Connection, stamp: int, last: dict[str, Any]) -> None:
        result = self.result
        result.succeeded += 1
        latency = stamp - connection.start
        self.record["latency_ms"](latency)
        if self.open_loop:
            self.record["schedule_deviation_ms"](connection.sent - connection.start)
        if connection.events:
            usage = connection.events.usage
            tokens, generating = number(usage.get("completion_tokens")), 0
            self._tokens(number(usage.get("prompt_tokens")), tokens, latency)
            self._cached(connection.events.cached_tokens())
        elif self.ollama:
            tokens, generating = number(last.get("eval_count")), number(last.get("eval_duration"))
            self._tokens(number(last.get("prompt_eval_count")), tokens, latency)
            self._cached(last.get("prompt_eval_cached_count"))
        else:
            tokens = generating = 0
        bounds = self._paced(connection, stamp, last, tokens, generating)
        ttft = connection.first - connection.start if connection.first else None
        if ttft is not None:
            self.record["ttft_ms"](ttft)
        if self.ollama:
            self._durations(last.get, ttft)
        if self.limits_ns:
            seen = {"latency": latency, **bounds}
            result.good += all(seen[name] <= limit for name, limit in self.limits_ns.items())

    def _paced(
        self,
        connection: Connection,
        stamp: int,
        last: dict[str, Any],
        tokens: int,
        generating: int,
    ) -> dict[str, float]:
        """Count chunks; forget the first one's time where the client cannot have seen it.

        Returns first-token time and mean gap in ns; of an answer that was held back, the most that
        they can have been.
        """
        result, events, first = self.result, connection.events, connection.first
        if not first:
            # an object of OpenAI's has no chunk; a first token that nobody saw was not in time
            if events and events.body:
                result.not_streamed += 1
                result.chunks += 1
            return {"ttft": float("inf"), "gap": 0.0}
        chunks, end, held = connection.chunks, connection.last, connection.held
        is_chunk = events is not None or has_content(last)  # or does the last line only end it?
        if held is not None and is_chunk:
            self.record["gap_ms"](held)
        elif not is_chunk:
            chunks, end = chunks - 1, end - (held or 0)
        connection.chunks = chunks
        result.chunks += chunks
        together = min(connection.together, chunks)
        lumped = together > 1 and together * HELD_BACK > chunks
        # a word and the token that ends the answer are two: it may have been streamed
        burst = tokens > 2 and (stamp - first) * BURST < generating
        one_piece = chunks == 1 and (burst or (is_chunk and not events))
        ttft = first - connection.start
        if not (one_piece or lumped or burst):
            return {"ttft": ttft, "gap": (end - first) / (chunks - 1) if chunks > 1 else 0.0}
        result.not_streamed += one_piece
        result.buffered += not one_piece
        result.bursts += burst and together < chunks
        connection.first = 0
        return {"ttft": ttft, "gap": end - connection.start}

    def _tokens(self, prompt: int, generated: int, latency: int) -> None:
        self.result.prompt_tokens += prompt
        self.result.generated_tokens += generated
        if generated and latency > 0:
            self.record["tokens_per_s_per_request"](generated * 1_000_000_000_000 // latency)

    def _cached(self, told: object) -> None:
        if told is not None:  # Ollama 0.24 does not tell
            self.result.cached_tokens = (self.result.cached_tokens or 0) + number(told)

    def _durations(self, get: Callable[[str], object], ttft: int | None) -> None:
        """Ollama's own durations (ns); it leaves out what is zero."""
        record = self.record
        load, prompt = number(get("load_duration")), number(get("prompt_eval_duration"))
        evaluated = number(get("eval_duration"))
        if load:
            record["load_ms"](load)
        if prompt:
            record["prompt_ms"](prompt)
        if evaluated:
            record["eval_ms"](evaluated)
        if ttft is not None and (load or prompt):
            record["queue_ms"](max(0, ttft - load - prompt))
