"""The figures that are shown, each with its bounds: which are known well, and which is the worst.

A figure is good when its bounds are within 0.2 ms of each other, or 1 % of it. Two
servers that differ by less are alike.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from math import floor, log10

from labkit.load.histogram import QUANTILES

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Measured(Protocol):
        """What is needed here of a result; result.py imports this file."""

        metrics: dict[str, Any]
        generated_tokens: int

        @property
        def bounded(self) -> bool:
            """Has it bounds?"""

        def rate_bounds(self) -> tuple[dict[str, float], dict[str, float]]:
            """The ends of each rate."""

        def goodput(self) -> dict[str, Any] | None:
            """With its ends."""


RESOLUTION_MS = 0.0001  # no time is known better: an end below it is 0
CLOSE_MS, CLOSE_SHARE = 0.2, 0.01
SHOWN = ("mean", *QUANTILES, "max")
# What a table of one row for each level has, of a sweep or of `lab.load_test`: no tail of it.
IN_TABLE = (
    "rates.requests_per_s",
    "rates.tokens_per_s",
    *(f"{time}.{of}" for time in ("ttft_ms", "gap_ms", "latency_ms") for of in ("p50", "p95")),
)
TIMES = {
    "ttft_ms": "first token",
    "gap_ms": "gap",
    "latency_ms": "whole answer",
    "queue_ms": "queue wait",
    "load_ms": "model load",
    "prompt_ms": "prompt",
    "eval_ms": "generation",
    "connect_ms": "connect",
    "schedule_deviation_ms": "sent late by",
}
RATES = {"requests_per_s": "requests/s", "tokens_per_s": "tokens/s"}


class Figure:
    """One figure and the ends between which it lies.

    >>> figure = Figure("gap_ms", "p99", "gap p99", "ms", 20.1, 60.3)
    >>> figure.good, figure.doubt()
    (False, 'gap p99 is known only to lie between 20.1 and 60.3 ms')
    >>> Figure("ttft_ms", "p50", "first token p50", "ms", 50.31, 50.34).good
    True
    """

    __slots__ = ("figure", "high", "label", "limit", "low", "metric", "unit")

    def __init__(
        self,
        metric: str,
        figure: str,
        label: str,
        unit: str,
        low: float,
        high: float,
        *,
        least: float = 0.0,  # ends no further apart than this are close, whatever the share
    ) -> None:
        self.metric, self.figure, self.label, self.unit = metric, figure, label, unit
        self.low, self.high = low, high
        self.limit = max(CLOSE_SHARE * (low + high) / 2, CLOSE_MS if unit == "ms" else least)

    @property
    def good(self) -> bool:
        """Are its ends close to each other?"""
        return self.high - self.low <= self.limit

    def doubt(self) -> str:
        """What is known of it, in words."""
        low, high = number(self.low), number(self.high)
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.label} is known only to lie between {low} and {high}{unit}"

    @property
    def name(self) -> str:
        """As the schema has it: `ttft_ms.p95`."""
        return f"{self.metric}.{self.figure}"

    def plain(self) -> dict[str, Any]:
        """As the schema has it."""
        return {"figure": self.name, "low": round(self.low, 6), "high": round(self.high, 6)}


def figures(result: Measured) -> Iterator[Figure]:
    """Each figure of the text report that has bounds."""
    if not result.bounded:
        return
    least, most = result.rate_bounds()
    for name, label in RATES.items():
        yield Figure("rates", name, label, "", least[name], most[name])
    goodput = result.goodput()
    if goodput:
        low, high = goodput["low"]["share"], goodput["high"]["share"]
        yield Figure("goodput", "share", "goodput's share", "", low, high, least=CLOSE_SHARE)
    yield from _pace(result)
    for metric, label in TIMES.items():
        summary = result.metrics[metric].summary()
        if summary and "low" in summary:
            for name in SHOWN:
                of = f"{label} {name.replace('_', '.')}"
                yield Figure(metric, name, of, "ms", summary["low"][name], summary["high"][name])


def _pace(result: Measured) -> Iterator[Figure]:
    """Tokens per second of one answer: known as well as the time that the answer took."""
    took, pace = result.metrics["latency_ms"], result.metrics["tokens_per_s_per_request"]
    if pace.count and took.count:
        low, high = pace.bounds(0.5)
        least = high * CLOSE_MS / (took.quantile(0.5) or CLOSE_MS)
        of = ("tokens_per_s_per_request", "p50", "tokens/s in one answer p50", "")
        yield Figure(*of, low, high, least=least)


def worst(result: Measured, shown: Container[str] | None = None) -> Figure | None:
    """The figure whose ends are furthest apart, by what is close for it; None: all are good.

    `shown` are the names of the figures that a reader sees; None: all of the text report.
    """
    doubtful = [
        figure
        for figure in figures(result)
        if not figure.good and (shown is None or figure.name in shown)
    ]
    return max(doubtful, key=lambda one: (one.high - one.low) / (one.limit or 1e-9), default=None)


def number(value: float) -> str:
    """Three digits, or all before the point, and four after it at most.

    >>> number(1234.56), number(99.96), number(0.05), number(0.0012), number(0.0), number(5e-48)
    ('1235', '100', '0.0500', '0.0012', '0', '0')
    """
    if value < RESOLUTION_MS:
        return "0"
    return f"{value:.{min(4, max(0, 2 - floor(log10(value * 1.0005))))}f}"


def between(low: float, high: float, decimals: int | None = None) -> str:
    """A figure as text: one number where its ends agree to the last digit shown, else both.

    >>> between(50.31, 50.34), between(50.3, 90.2), between(0.0, 0.02)
    ('50.3', '50.3 … 90.2', '0 … 0.0200')
    >>> between(9.996, 10.004, 2), between(9.9, 10.1, 2)
    ('10.00', '9.90 … 10.10')
    """
    least, middle, most = (
        number(value) if decimals is None else f"{value:.{decimals}f}"
        for value in (low, (low + high) / 2, high)
    )
    last_digit = 10.0 ** -len(middle.partition(".")[2])
    return middle if least == most or high - low < last_digit else f"{least} … {most}"
