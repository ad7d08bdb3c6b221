"""What a run measured: counters and histograms, exact to merge, and as JSON (`labkit.load/1`)."""

from __future__ import annotations

import sys

from labkit.load.errors import LoadError
from labkit.load.histogram import Histogram
from labkit.load.notes import cached, notes
from labkit.load.plan import Plan

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

SCHEMA = "labkit.load/1"
VERSION = "0.1.0"
FAILURES = (
    "connect",  # refused, unreachable, reset before the request was sent
    "timeout",  # not whole after Plan.timeout_s
    "http_status",  # anything but 2xx; redirects are not followed
    "in_band_error",  # {"error": ...} under a 200
    "stream_cut",  # closed before it was whole, or no "done": true; no finish_reason under /v1
    "no_tokens",  # whole, and without any of the answer
    "bad_json",  # whole, and not JSON lines
    "bad_http",  # not an HTTP/1.1 response
)
METRICS = (
    "ttft_ms",
    "gap_ms",
    "latency_ms",
    "load_ms",
    "prompt_ms",
    "eval_ms",
    "queue_ms",
    "tokens_per_s_per_request",
    "schedule_deviation_ms",
    "connect_ms",
)
LATE_S = 0.1  # workers who begin further apart did not ask together
# tokens per second are recorded in thousandths, all else in nanoseconds
UNIT = {"tokens_per_s_per_request": "0.001/s"}


class Result:
    """Counters and histograms of one run, or of several merged ones.

    `plain()` is the schema's object, documented in docs/load.md; `Result.merge` adds results up as
    if one process had measured everything.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.started_at = 0.0  # seconds since 1970
        self.duration_s = 0.0
        self.interrupted = False
        self.started = self.succeeded = self.unfinished = 0
        self.failures = dict.fromkeys(FAILURES, 0)
        self.failure_examples: dict[str, str] = {}
        self.statuses: dict[int, int] = {}  # HTTP status → answers
        self.prompt_tokens = self.generated_tokens = self.chunks = 0
        self.cached_tokens: int | None = None  # of the prompts: remembered; None: nobody told
        self.good = 0  # requests within the limits of Plan.goodput
        self.metrics = {name: Histogram(UNIT.get(name, "ns")) for name in METRICS}
        self.delay = Histogram()  # how late the engine read what the kernel had
        self.cpu_s = 0.0
        self.max_rss_bytes = 0
        self.reads = self.coalesced_reads = self.clock_steps = 0
        self.connections = 0  # that gave a whole answer, whatever its status
        self.reconnects = 0  # requests sent again: the server had closed the idle connection
        self.not_streamed = 0  # answers in one piece: one object, or one chunk with all of it
        self.buffered = self.bursts = 0  # streams that came in one go; and in more than one read
        self.addresses: dict[str, int] = {}  # how many answers each gave
        self.address_failures: dict[str, int] = {}  # and how many requests to it failed
        self.unstamped_reads = 0  # by the client's clock: the kernel stamped not yet, or never
        self.reasons: list[str] = []  # why the figures are doubtful
        self.workers: list[dict[str, Any]] = []  # client and trust of each, when merged

    @property
    def failed(self) -> int:
        """Requests that ended in a failure of any kind."""
        return sum(self.failures.values())

    @property
    def timestamps(self) -> str:
        """Whose clock the times are of, but for 1 % of the reads: "kernel" or "user"."""
        reads = max(self.reads, self.succeeded)  # an answer without lines took one too
        return "user" if self.unstamped_reads * 100 > reads else "kernel"

    def fail(self, kind: str, example: str) -> None:
        """Count a failure; the first text of each kind is kept, as one line that can be printed."""
        self.failures[kind] += 1
        if kind not in self.failure_examples:
            plain = "".join(char if char.isprintable() else " " for char in example)
            self.failure_examples[kind] = " ".join(plain.split())

    def rates(self) -> dict[str, float]:
        """Successful requests, and their tokens and chunks, per second."""
        seconds = self.duration_s or float("inf")
        return {
            "requests_per_s": round(self.succeeded / seconds, 3),
            "tokens_per_s": round(self.generated_tokens / seconds, 3),
            "chunks_per_s": round(self.chunks / seconds, 3),
        }

    def cached(self) -> str:
        """What the prompt cache had, in words, or an empty text."""
        return cached(self)

    def notes(self) -> list[str]:
        """What must be known beside the figures."""
        return notes(self)

    def client(self) -> dict[str, Any]:
        """The engine's own part: CPU, memory, delay."""
        several = len(self.addresses) > 1
        return {
            "cpu_s": round(self.cpu_s, 6),
            "max_rss_bytes": self.max_rss_bytes,
            "delay_ms": self.delay.summary(),
            "reads": self.reads,
            "coalesced_reads": self.coalesced_reads,
            "not_streamed": self.not_streamed,
            "buffered": self.buffered,
            "addresses": self.addresses if several else {},
            "address_failures": self.address_failures if several else {},
            "connections": self.connections,
            "reconnects": self.reconnects,
            "coalesced_share": round(self.coalesced_reads / self.reads, 6) if self.reads else 0.0,
            "timestamps": self.timestamps,
            "unstamped_reads": self.unstamped_reads,
            "clock_steps": self.clock_steps,
        }

    def trust(self) -> dict[str, Any]:
        """Can the figures be trusted, and why not."""
        return {"verdict": "doubtful" if self.reasons else "good", "reasons": self.reasons}

    def goodput(self) -> dict[str, Any] | None:
        """Requests within the plan's limits, their rate and their share of all that ended."""
        if not self.plan.goodput:
            return None
        ended = self.succeeded + self.failed
        return {
            "limits": {f"{name}_ms": limit for name, limit in self.plan.goodput},
            "requests": self.good,
            "requests_per_s": round(self.good / (self.duration_s or float("inf")), 3),
            "share": round(self.good / ended, 6) if ended else 0.0,
        }

    def plain(self) -> dict[str, Any]:
        """The object of schema `labkit.load/1`."""
        return {
            "schema": SCHEMA,
            "tool": {
                "name": "labkit.load",
                "version": VERSION,
                "python": "{}.{}.{}".format(*sys.version_info[:3]),
            },
            "plan": self.plan.plain(),
            "started_at": self.started_at,
            "duration_s": round(self.duration_s, 6),
            "interrupted": self.interrupted,
            "requests": {
                "started": self.started,
                "succeeded": self.succeeded,
                "failed": self.failed,
                "unfinished": self.unfinished,
            },
            "failures": dict(self.failures),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "failure_examples": dict(self.failure_examples),
            "rates": self.rates(),
            "tokens": {
                "prompt": self.prompt_tokens,
                "generated": self.generated_tokens,
                "cached": self.cached_tokens,
            },
            "chunks": self.chunks,
            **{name: histogram.summary() for name, histogram in self.metrics.items()},
            "goodput": self.goodput(),
            "client": self.client(),
            "trust": {**self.trust(), "notes": self.notes()},
            "workers": self.workers,
        }

    def to_json(self) -> str:
        """`plain()` on one line."""
        import json

        return json.dumps(self.plain())

    @classmethod
    def from_json(cls, text: str | dict[str, Any]) -> Result:
        """The result that `to_json` wrote; raises LoadError when it is none."""
        import json

        try:
            raw = json.loads(text) if isinstance(text, str) else text
            if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
                raise ValueError(f"no {SCHEMA}")
            return cls._of(raw)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            saw = f"{type(error).__name__}: {error}"
            raise LoadError("this is not a result of a load test", saw, "-o json") from None

    @classmethod
    def _of(cls, raw: dict[str, Any]) -> Result:
        result = cls(Plan.from_json(raw["plan"]))
        for name in ("started_at", "duration_s", "interrupted", "workers"):
            setattr(result, name, raw[name])
        for name in ("started", "succeeded", "unfinished"):
            setattr(result, name, raw["requests"][name])
        result.failures.update(raw["failures"])
        result.failure_examples.update(raw["failure_examples"])
        result.statuses = {int(status): count for status, count in raw["statuses"].items()}
        tokens = raw["tokens"]
        result.prompt_tokens, result.generated_tokens = tokens["prompt"], tokens["generated"]
        result.cached_tokens = tokens.get("cached")
        result.chunks = raw["chunks"]
        result.good = raw["goodput"]["requests"] if raw["goodput"] else 0
        for name in METRICS:
            result.metrics[name] = Histogram.of(raw[name], UNIT.get(name, "ns"))
        client = raw["client"]
        result.delay = Histogram.of(client["delay_ms"])
        for name in _CLIENT:
            setattr(result, name, client.get(name, 0))
        result.addresses = client.get("addresses", {})
        result.address_failures = client.get("address_failures", {})
        result.reasons = raw["trust"]["reasons"]
        return result

    @classmethod
    def merge(cls, results: list[Result], start_at: float = 0.0) -> Result:
        """All workers' results as one; each worker's own client and trust stay in `workers`.

        Who began later than `start_at`, when all were to begin, is a reason for doubt.
        """
        first = results[0]
        whole = cls(first.plan if len(results) == 1 else _whole_plan([r.plan for r in results]))
        whole.started_at = min(result.started_at for result in results)
        end = max(result.started_at + result.duration_s for result in results)
        whole.duration_s = end - whole.started_at
        whole.interrupted = any(result.interrupted for result in results)
        for result in results:
            for name in _SUMS:
                setattr(whole, name, getattr(whole, name) + getattr(result, name))
            if result.cached_tokens is not None:
                whole.cached_tokens = (whole.cached_tokens or 0) + result.cached_tokens
            for name in ("failures", "addresses", "address_failures", "statuses"):
                sums = getattr(whole, name)
                for key, count in getattr(result, name).items():
                    sums[key] = sums.get(key, 0) + count
            whole.failure_examples = {**result.failure_examples, **whole.failure_examples}
            for name in METRICS:
                whole.metrics[name].merge(result.metrics[name])
            whole.delay.merge(result.delay)
            label = f"worker {result.plan.worker}"
            whole.reasons += [f"{label}: {reason}" for reason in result.reasons]
            late_s = result.started_at - start_at if start_at else 0.0
            if late_s > LATE_S:
                whole.reasons.append(f"{label} began {late_s:.1f} s after the others")
            worker = {"worker": result.plan.worker, "client": result.client()}
            whole.workers.append({**worker, "trust": result.trust()})
        return whole


_CLIENT = (
    "cpu_s max_rss_bytes reads coalesced_reads unstamped_reads clock_steps reconnects "
    "not_streamed buffered connections"
).split()
_SUMS = (
    "started",
    "succeeded",
    "unfinished",
    "prompt_tokens",
    "generated_tokens",
    "chunks",
    "good",
    *_CLIENT,
)


def _whole_plan(plans: list[Plan]) -> Plan:
    """The plan whose shares these are."""
    first = plans[0]

    def total(name: str) -> Any:
        parts = [getattr(plan, name) for plan in plans]
        return None if None in parts else sum(parts)

    return first.replace(
        requests=total("requests"),
        clients=total("clients"),
        warmup=total("warmup"),
        rate=total("rate"),
        worker=0,
        workers=1,
    )
