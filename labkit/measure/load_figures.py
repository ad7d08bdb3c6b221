"""The figures that load tests are compared by: their names, their values, and their blocks.

A name is `requests_per_s`, `tokens_per_s`, `failed`, or a time and what of it: `ttft.p95`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from labkit.errors import LabError
from labkit.load.blocks import COARSE, Block
from labkit.load.figures import RESOLUTION_MS
from labkit.load.histogram import QUANTILES, UNITS, lower_edge
from labkit.load.result import Result
from labkit.measure import resampling

TIMES = {"ttft": "first token", "gap": "gap", "latency": "whole answer", "queue": "queue wait"}
RATES = {"requests_per_s": "succeeded", "tokens_per_s": "generated_tokens"}
FAILED = "failed"
OF_TIMES = ("mean", *QUANTILES)
SHOWN = (
    *RATES,
    *(f"{time}.{of}" for time in ("ttft", "gap", "latency") for of in ("p50", "p95", "p99")),
    FAILED,
)
IN_TAIL = 5  # values beyond a quantile: with fewer, single ones decide where it is


class Value(NamedTuple):
    """A figure and the ends between which it lies; the ends are the value where nothing is lost."""

    low: float
    middle: float
    high: float


class Figure(NamedTuple):
    """One figure: of which time, and what of it; a rate or the share that failed has no time.

    >>> figure("ttft.p99_9").label, figure("tokens_per_s").label
    ('first token p99.9', 'tokens/s')
    """

    name: str
    time: str = ""
    of: str = ""

    @property
    def metric(self) -> str:
        """The schema's name of the time."""
        return f"{self.time}_ms"

    @property
    def label(self) -> str:
        """In words."""
        if self.time:
            return f"{TIMES[self.time]} {self.of.replace('_', '.')}"
        return self.name.replace("_per_s", "/s")

    @property
    def unit(self) -> str:
        """Of its value."""
        return " ms" if self.time else " %" if self.name == FAILED else "/s"

    @property
    def more_is_better(self) -> bool:
        """Only of rates."""
        return self.name in RATES

    def missing(self, results: Sequence[Result]) -> str:
        """Why these results do not have it, or an empty text."""
        if self.name == FAILED:
            return "" if any(one.succeeded + one.failed for one in results) else "no request ended"
        if not self.time:
            counted = sum(getattr(one, RATES[self.name]) for one in results)
            return "" if counted else "not measured"
        count = sum(_count(one.metrics[self.metric]) for one in results)
        share = QUANTILES.get(self.of, 0.5)
        needed = round(IN_TAIL / min(share, 1 - share))
        if not count:
            return "not measured"
        return f"{count} values, it needs {needed}" if count < needed else ""

    def value(self, results: Sequence[Result]) -> Value:
        """Of all runs together."""
        if self.name == FAILED:
            failed = sum(one.failed for one in results)
            share = 100 * failed / (failed + sum(one.succeeded for one in results))
            return Value(share, share, share)
        if not self.time:
            counted = sum(getattr(one, RATES[self.name]) for one in results)
            seconds = sum(one.duration_s for one in results)
            low, high = counted / seconds, counted / (sum(r.shortest_s for r in results) or seconds)
            return Value(low, (low + high) / 2, high)
        ends = (self._at(results, end) for end in ("low", "high"))
        low, high = (0.0 if end < RESOLUTION_MS else end for end in ends)
        return Value(low, (low + high) / 2, high)

    def _at(self, results: Sequence[Result], end: str) -> float:
        """At that end of what each observation can have been."""
        ends = [one.metrics[self.metric] for one in results]
        ends = [getattr(one, end, one) for one in ends]  # schema 1 has one histogram for both
        whole = type(ends[0])(ends[0].unit)
        for one in ends:
            whole.merge(one)
        if self.of == "mean":
            return float(whole.total / whole.count / UNITS[whole.unit])
        return float(whole.quantile(QUANTILES[self.of]))

    def build(self, blocks: list[Block]) -> resampling.Figure:
        """The same figure of blocks of time, in the unit of the blocks."""
        if self.name == FAILED:
            counts = [one.counts for one in blocks]
            return resampling.Ratio(
                [(100 * one["failed"], one["failed"] + one["succeeded"]) for one in counts]
            )
        if not self.time:
            counted = RATES[self.name]
            return resampling.Ratio([(one.counts[counted], one.seconds) for one in blocks])
        histograms = [one.metrics[self.metric] for one in blocks]
        if self.of == "mean":
            return resampling.Ratio([_total(one) for one in histograms])
        return resampling.Quantile(histograms, QUANTILES[self.of])


def _total(histogram: dict[int, int]) -> tuple[float, int]:
    """Sum of the values, each at the middle of its bucket, and how many."""
    middles = {bucket: lower_edge(bucket) + lower_edge(bucket + COARSE) for bucket in histogram}
    total = sum(middles[bucket] / 2 * count for bucket, count in histogram.items())
    return total, sum(histogram.values())


def figure(name: str) -> Figure:
    """The figure of that name; raises LabError.

    >>> figure("gap.p95").metric
    'gap_ms'
    """
    time, _, of = name.partition(".")
    if name in RATES or name == FAILED:
        return Figure(name)
    if time in TIMES and of in OF_TIMES:
        return Figure(name, time, of)
    known = f"{', '.join((*RATES, FAILED))}; {', '.join(TIMES)} with .{', .'.join(OF_TIMES)}"
    raise LabError(f"{name} is not a figure of a load test", f"the figures: {known}", "ttft.p95")


def plain(value: Value) -> dict[str, Any]:
    """As JSON has it."""
    return {name: round(part, 6) for name, part in value._asdict().items()}


def _count(metric: Any) -> int:
    metric.fold()
    return int(metric.count)
