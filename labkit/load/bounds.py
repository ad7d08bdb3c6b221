"""Observations that lie between two ends: a pair of histograms, and the bounds of every figure.

A quantile of the low ends is the least that the quantile of the true values can be, and one of the
high ends is the most: both can be reached, so nothing narrower is true. They are as exact as a
histogram's buckets, 0.05 %. Pairs are merged as histograms are.
"""

from __future__ import annotations

from labkit.load.histogram import QUANTILES, UNITS, Histogram

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

FIGURES = ("mean", "min", *QUANTILES, "max")


class Bounded:
    """`record` takes what is known exactly, `between` what is known to lie between two ends.

    >>> seen = Bounded()
    >>> seen.record(50_000_000)
    >>> seen.between(50_000_000, 90_000_000)
    >>> seen.bounds(0.5), seen.bounds(0.99)
    ((50.0, 50.0), (50.0, 90.0))
    >>> seen.summary()["mean"], seen.summary()["low"]["mean"], seen.summary()["high"]["mean"]
    (60.0, 50.0, 70.0)
    """

    __slots__ = ("exact", "highs", "lows", "record", "unit")

    def __init__(self, unit: str = "ns") -> None:
        self.unit = unit
        self.exact = Histogram(unit)
        self.lows, self.highs = Histogram(unit), Histogram(unit)  # of what is not exact
        self.record = self.exact.record

    def between(
        self, low: int, high: int, times: int = 1, sums: tuple[int, int] | None = None
    ) -> None:
        """So many observations, each between these ends.

        `sums` are the ends of their sum, where it is better known than each of them: of gaps that
        follow each other it is the time from the first chunk to the last.
        """
        if times == 1 and not sums:
            self.lows.record(low)
            self.highs.record(high)
            return
        low, high = max(0, low), max(0, high)
        self.lows.repeat(low, times)
        self.highs.repeat(high, times)
        if sums:
            self.lows.total += sums[0] - low * times
            self.highs.total += sums[1] - high * times

    def fold(self) -> None:
        """As a histogram's."""
        self.exact.fold()
        self.lows.fold()
        self.highs.fold()

    @property
    def waiting(self) -> int:
        """How many values wait to be folded."""
        return self.exact.waiting + self.lows.waiting + self.highs.waiting

    @property
    def count(self) -> int:
        """How many observations."""
        self.fold()
        return self.exact.count + self.lows.count

    @property
    def low(self) -> Histogram:
        """All of them at their low ends."""
        return self._with(self.lows)

    @property
    def high(self) -> Histogram:
        """All of them at their high ends."""
        return self._with(self.highs)

    def _with(self, ends: Histogram) -> Histogram:
        whole = Histogram(self.unit)
        whole.merge(self.exact)
        whole.merge(ends)
        return whole

    def mean(self) -> float:
        """The middle of the mean's bounds, in the displayed unit; 0.0 of none."""
        count = self.count
        twice = 2 * self.exact.total + self.lows.total + self.highs.total
        return twice / 2 / count / UNITS[self.unit] if count else 0.0

    def bounds(self, share: float) -> tuple[float, float]:
        """The ends between which a quantile lies, in the displayed unit; 0.0 of none."""
        return self.low.quantile(share), self.high.quantile(share)

    def quantile(self, share: float) -> float:
        """The middle of `bounds`."""
        low, high = self.bounds(share)
        return (low + high) / 2

    def merge(self, other: Bounded) -> None:
        """Add the other's observations."""
        self.exact.merge(other.exact)
        self.lows.merge(other.lows)
        self.highs.merge(other.highs)

    def summary(self, *, bounds: bool = True) -> dict[str, Any] | None:
        """The schema's object: count, figures, and those of both ends; None of none.

        Without `bounds` that of schema 1, which knew none.
        """
        if not bounds:
            return self.exact.summary()
        low, high = self.low, self.high
        if not low.count:
            return None
        least, most = low.figures(), high.figures()
        same = self.lows.raw() == self.highs.raw()
        return {
            "count": low.count,
            **{name: round((least[name] + most[name]) / 2, 6) for name in FIGURES},
            "low": {**least, "histogram": low.raw()},
            "high": {**most, "histogram": None if same else high.raw()},
        }

    @classmethod
    def of(cls, summary: dict[str, Any] | None, unit: str = "ns") -> Bounded:
        """What `summary` described, in either schema."""
        bounded = cls(unit)
        if summary and "low" not in summary:
            bounded.exact = Histogram.of(summary, unit)
            bounded.record = bounded.exact.record
        elif summary:
            low, high = (summary[end]["histogram"] for end in ("low", "high"))
            of = {"count": summary["count"]}
            if high is None:
                bounded.exact = Histogram.of({**of, "histogram": low}, unit)
                bounded.record = bounded.exact.record
            else:
                bounded.lows = Histogram.of({**of, "histogram": low}, unit)
                bounded.highs = Histogram.of({**of, "histogram": high}, unit)
        return bounded
