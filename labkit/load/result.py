"""What a run measured: counters and histograms, exact to merge."""

from __future__ import annotations

from collections.abc import Container

from labkit.load import rates, schema
from labkit.load.blocks import Blocks, watch
from labkit.load.bounds import Bounded
from labkit.load.errors import LoadError
from labkit.load.figures import Figure, worst
from labkit.load.histogram import Histogram
from labkit.load.notes import cached, notes
from labkit.load.plan import Plan, whole_plan
from labkit.load.sample import Sample
from labkit.load.schema import CLIENT, SCHEMA, WITHOUT_BOUNDS

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

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
# What the client saw arrive: each observation has two ends. The others are the server's durations,
# and connecting, which is as long as the client took to see it.
BOUNDED = (
    "ttft_ms",
    "gap_ms",
    "latency_ms",
    "queue_ms",
    "tokens_per_s_per_request",
    "schedule_deviation_ms",
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
        self.schema = SCHEMA
        self.started_at = 0.0  # seconds since 1970
        self.duration_s = 0.0
        self.noticing_s = 0.0  # at its end: at most so long the client had not read the last answer
        self.interrupted = False
        self.started = self.succeeded = self.unfinished = 0
        self.failures = dict.fromkeys(FAILURES, 0)
        self.failure_examples: dict[str, str] = {}
        self.statuses: dict[int, int] = {}  # HTTP status → answers
        self.prompt_tokens = self.generated_tokens = self.chunks = 0
        self.cached_tokens: int | None = None  # of the prompts: remembered; None: nobody told
        # requests within the limits of Plan.goodput: at the middle of what each can have been, and
        # those that were within them whatever it was, and that can have been
        self.good = self.good_low = self.good_high = 0
        self.metrics: dict[str, Any] = {
            name: (Bounded if name in BOUNDED else Histogram)(UNIT.get(name, "ns"))
            for name in METRICS
        }
        self.blocks, self.sample = Blocks(), Sample()
        watch(self.metrics)
        self.machine: dict[str, Any] = {}  # it was measured from; of several workers the first's
        self.delay = Histogram()  # how late the engine read what the kernel had
        self.cpu_s = 0.0
        self.max_rss_bytes = 0
        self.reads = self.coalesced_reads = self.clock_steps = 0
        self.connections = 0  # that gave a whole answer, whatever its status
        self.reconnects = 0  # requests sent again: the server had closed the idle connection
        self.not_streamed = 0  # answers in one piece: one object, or one chunk with all of it
        self.buffered = self.bursts = 0  # streams that came in one go; and in more than one read
        self.lumped = 0  # streams whose first read had many of their chunks
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

    @property
    def bounded(self) -> bool:
        """Has it bounds? One that was read from schema 1 has none."""
        return self.schema == SCHEMA

    @property
    def shortest_s(self) -> float:
        """The least that `duration_s` can have been: its end was noticed late."""
        return rates.shortest_s(self)

    def rates(self) -> dict[str, float]:
        """Successful requests, and their tokens and chunks, per second."""
        return rates.rates(self, self.duration_s)

    def rate_bounds(self) -> tuple[dict[str, float], dict[str, float]]:
        """The ends between which each rate lies."""
        return self.rates(), rates.rates(self, self.shortest_s)

    def goodput(self) -> dict[str, Any] | None:
        """Requests within the plan's limits, their rate and their share of all that ended."""
        return rates.goodput(self)

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
            "lumped": self.lumped,
            "addresses": self.addresses if several else {},
            "address_failures": self.address_failures if several else {},
            "connections": self.connections,
            "reconnects": self.reconnects,
            "coalesced_share": round(self.coalesced_reads / self.reads, 6) if self.reads else 0.0,
            "timestamps": self.timestamps,
            "unstamped_reads": self.unstamped_reads,
            "clock_steps": self.clock_steps,
        }

    def worst(self, shown: Container[str] | None = None) -> Figure | None:
        """The figure that is known least well of those shown; None when each is good."""
        return worst(self, shown)

    def doubts(self, shown: Container[str] | None = None) -> list[str]:
        """Why the figures should not be trusted: reasons, and the worst of them; empty if good.

        `shown` are the names of those that a reader sees, as in `figures.IN_TABLE`; None: all of
        the text report.
        """
        least_known = self.worst(shown)
        return [*self.reasons, *([least_known.doubt()] if least_known else [])]

    def trust(self) -> dict[str, Any]:
        """Can the figures be trusted, why not, and which is the worst of them."""
        least_known = self.worst()
        said: dict[str, Any] = {
            "verdict": "doubtful" if self.reasons or least_known else "good",
            "reasons": self.reasons,
        }
        return {**said, "worst": least_known and least_known.plain()} if self.bounded else said

    def plain(self) -> dict[str, Any]:
        """The object of schema `labkit.load/2`; of what was read from schema 1 it is that one's."""
        return schema.plain(self)

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
            if not isinstance(raw, dict) or raw.get("schema") not in (SCHEMA, WITHOUT_BOUNDS):
                raise ValueError(f"neither {SCHEMA} nor {WITHOUT_BOUNDS}")
            result = cls(Plan.from_json(raw["plan"]))
            schema.fill(result, raw)
            return result
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            saw = f"{type(error).__name__}: {error}"
            raise LoadError("this is not a result of a load test", saw, "-o json") from None

    @classmethod
    def merge(cls, results: list[Result], start_at: float = 0.0) -> Result:
        """All workers' results as one; each worker's own client and trust stay in `workers`.

        Who began later than `start_at`, when all were to begin, is a reason for doubt. Raises
        LoadError when some have bounds and others, of schema 1, have none.
        """
        first = results[0]
        schemas = sorted({result.schema for result in results})
        if len(schemas) > 1:
            saw = " and ".join(schemas)
            hint = "measure all of them with one version of labkit"
            raise LoadError("results with bounds and without cannot be merged", saw, hint)
        whole = cls(first.plan if len(results) == 1 else whole_plan([r.plan for r in results]))
        whole.schema = first.schema
        whole.started_at = min(result.started_at for result in results)
        end = max(result.started_at + result.duration_s for result in results)
        whole.duration_s = end - whole.started_at
        whole.noticing_s = end - max(result.started_at + result.shortest_s for result in results)
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
            whole.blocks.merge(result.blocks)
            whole.sample.merge(result.sample, result.started_at - whole.started_at)
            whole.machine = whole.machine or result.machine
            whole.delay.merge(result.delay)
            label = f"worker {result.plan.worker}"
            whole.reasons += [f"{label}: {reason}" for reason in result.reasons]
            late_s = result.started_at - start_at if start_at else 0.0
            if late_s > LATE_S:
                whole.reasons.append(f"{label} began {late_s:.1f} s after the others")
            worker = {"worker": result.plan.worker, "client": result.client()}
            whole.workers.append({**worker, "trust": result.trust()})
        return whole


_SUMS = (
    "started",
    "succeeded",
    "unfinished",
    "prompt_tokens",
    "generated_tokens",
    "chunks",
    "good",
    "good_low",
    "good_high",
    *CLIENT,
)
