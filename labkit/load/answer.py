"""What an answer was worth: its first content, its tokens, or the kind of its failure."""

from __future__ import annotations

from collections.abc import Callable

from labkit.load.connection import Connection
from labkit.load.json_line import is_error, number, parsed
from labkit.load.nouns import count
from labkit.load.plan import Plan
from labkit.load.request import speaks_ollama, speaks_openai
from labkit.load.result import BOUNDED, METRICS, Result
from labkit.load.wire import EXCERPT

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

OTHERS = tuple(name for name in METRICS if name not in BOUNDED)
PARTS = ("content", "thinking", "tool_calls", "images")  # of a message
NEVER = float("inf")
# More than this part of an answer's chunks in its first read: something on the way held them back,
# or the client was late. All of them in so small a part of the time that generating them took:
# something did.
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
        self.limits_ns = [(name, limit * 1e6) for name, limit in plan.goodput]
        self.open_loop = bool(plan.rate)
        self.line = b""
        self.values: dict[str, Any] | None = None

    def count_into(self, result: Result) -> None:
        """Another phase begins."""
        self.result = result
        self.gaps = result.metrics["gap_ms"]
        self.lows = {name: result.metrics[name].lows.record for name in BOUNDED}
        self.highs = {name: result.metrics[name].highs.record for name in BOUNDED}
        self.record = {name: result.metrics[name].record for name in OTHERS}
        self.last_end = 0  # not before this the latest request ended

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
        reader, events = connection.reader, connection.events
        line = reader.error_line if 200 <= reader.status < 300 else b""
        if line and (events.says_error(line) if events else is_error(line)):
            kind, example = "in_band_error", line[:EXCERPT].decode(errors="replace")
        if reader.status:
            self._status(reader.status)
        self.result.fail(kind, example)
        connection.count_lump(self.gaps)
        self.last_end = now
        self.result.sample.add(connection, now, 0, kind)
        if self.on_end:
            self.on_end(connection, now, kind)

    def ended(self, connection: Connection, stamp: int, low: int) -> None:
        """Count a whole response, whose end came after `low` and not after `stamp`."""
        if low > self.last_end:
            self.last_end = low
        reader = connection.reader
        status = reader.status
        self._status(status)
        last = self.values_of(reader.last_line) if self.ollama and 200 <= status < 300 else None
        kind, example = self._flaw(connection, last)
        if kind:
            self.result.fail(kind, example)
            connection.count_lump(self.gaps)
            self.result.sample.add(connection, stamp, 0, kind)
        else:
            self._succeeded(connection, stamp, low, last or {})
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
            return "stream_cut", f'no "done": true after {count(connection.chunks, "chunk")}'
        if not connection.first and not number(last.get("eval_count")):
            return "no_tokens", reader.last_line[:EXCERPT].decode(errors="replace")
        return "", ""

    def _succeeded(
        self, connection: Connection, stamp: int, low: int, last: dict[str, Any]
    ) -> None:
        result, lows, highs, events = self.result, self.lows, self.highs, connection.events
        # due, or handed to the kernel: while it was sent nobody knows when the server had it
        start = connection.start
        start_high = start if self.open_loop else connection.handed
        result.succeeded += 1
        least, most = max(0, low - start_high), stamp - start
        lows["latency_ms"](least)
        highs["latency_ms"](most)
        if self.open_loop:
            lows["schedule_deviation_ms"](connection.sent - start)
            highs["schedule_deviation_ms"](connection.handed - start)
        tokens = evaluated = read = 0
        if self.ollama:
            get = last.get
            tokens, evaluated = number(get("eval_count")), number(get("eval_duration"))
            read = self._durations(number(get("load_duration")), get, evaluated)
            self._counts(get("prompt_eval_count"), get("prompt_eval_cached_count"))
        elif events:
            tokens = number(events.usage.get("completion_tokens"))
            self._counts(events.usage.get("prompt_tokens"), events.cached_tokens())
        if tokens:
            result.generated_tokens += tokens
            if most > 0:
                made = tokens * 1_000_000_000_000
                lows["tokens_per_s_per_request"](made // most)
                highs["tokens_per_s_per_request"](made // max(least, 1))
        first_low = max(0, connection.first_low - start_high)
        first = connection.first - start
        was_seen = bool(connection.first)
        gap = self._paced(connection, stamp, last, tokens, evaluated)
        if connection.first:
            lows["ttft_ms"](first_low)
            highs["ttft_ms"](first)
            if read:
                lows["queue_ms"](first_low - read)
                highs["queue_ms"](first - read)
        result.sample.add(connection, stamp, read, "")
        if self.limits_ns:
            seen: tuple[float, float] = (first_low, first) if was_seen else (NEVER, NEVER)
            if was_seen and not connection.first:  # held back: in time if all of it came in time
                seen = first, first
            self._keeps(ttft=seen, gap=gap, latency=(least, most))

    def _keeps(self, **seen: tuple[float, float]) -> None:
        """Count a request that kept within the plan's limits, or can have."""
        result = self.result
        ends = [(*seen[name], limit) for name, limit in self.limits_ns]
        result.good += all((low + high) / 2 <= limit for low, high, limit in ends)
        result.good_low += all(high <= limit for _, high, limit in ends)
        result.good_high += all(low <= limit for low, _, limit in ends)

    def _paced(
        self,
        connection: Connection,
        stamp: int,
        last: dict[str, Any],
        tokens: int,
        evaluated: int,
    ) -> tuple[float, float]:
        """Count chunks and gaps; forget the first one's time where it was held back.

        Returns the ends of the mean gap in ns; of an answer that was held back, the most that it
        can have been.
        """
        result, events, first = self.result, connection.events, connection.first
        if not first:
            # an object of OpenAI's has no chunk
            if events and events.body:
                result.not_streamed += 1
                result.chunks += 1
            return 0.0, 0.0
        chunks, end_low, end = connection.chunks, connection.last_low, connection.last
        # or does the last line only end it? The only line that was counted has content
        is_chunk = chunks == 1 or events is not None or has_content(last)
        if not is_chunk:
            chunks, (end_low, end) = chunks - 1, connection.before
            connection.chunks = chunks
        result.chunks += chunks
        # a word and the token that ends the answer are two: it may have been streamed
        burst = tokens > 2 and (stamp - connection.first_low) * BURST < evaluated
        if chunks == 1:
            if not burst and (events or not is_chunk):
                return 0.0, 0.0
            result.not_streamed += 1
        elif burst:
            result.buffered += 1
            result.bursts += min(connection.together, chunks) < chunks
        else:
            together = min(connection.together, chunks)
            result.lumped += together > 1 and together * HELD_BACK > chunks
            connection.count_lump(self.gaps)
            if is_chunk:
                connection.count_held(self.gaps)
            least, most = max(0, end_low - first), end - connection.first_low
            return least / (chunks - 1), most / (chunks - 1)
        connection.first = 0
        return end - connection.start, end - connection.start

    def _counts(self, prompt: object, cached: object) -> None:
        """What the prompt was, in tokens."""
        result = self.result
        result.prompt_tokens += number(prompt)
        if cached is not None:  # Ollama 0.24 does not tell
            result.cached_tokens = (result.cached_tokens or 0) + number(cached)

    def _durations(self, load: int, get: Callable[[str], object], evaluated: int) -> int:
        """Count Ollama's own durations, in ns; returns what came before generation."""
        record, prompt = self.record, number(get("prompt_eval_duration"))
        if load:
            record["load_ms"](load)
        if prompt:
            record["prompt_ms"](prompt)
        if evaluated:
            record["eval_ms"](evaluated)
        return load + prompt
