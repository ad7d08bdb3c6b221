"""Log-linear histograms of nanoseconds: bounded memory, exact merging, error below 0.05 %.

The index of a bucket is the value as an IEEE 754 float32 without its last 13 bits: 1024 buckets for
each doubling. So whole batches are sorted into buckets by `array` and one AND of big integers, in
C, at 0.1 µs a value; arithmetic on each in Python would cost more than reading from the socket.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from math import ceil

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any

STEP = 1 << 13  # from the index of a bucket to the next
_MASK = struct.pack("=I", 0x1_0000_0000 - STEP)
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}
# what is recorded → how many of it are one of what is shown
UNITS = {"ns": 1e6, "0.001/s": 1e3}


def lower_edge(index: int) -> float:
    """The smallest value of a bucket, in nanoseconds.

    >>> lower_edge(0x447A0000)
    1000.0
    """
    edge: float = struct.unpack("=f", struct.pack("=I", index))[0]
    return edge


def index_of(value: int) -> int:
    """The bucket of a value.

    >>> hex(index_of(1000)), hex(index_of(1001))
    ('0x447a0000', '0x447a4000')
    """
    bits: int = struct.unpack("=I", struct.pack("=f", value))[0]
    return bits & -STEP


class Histogram:
    """Counts of values; `record` is `list.append`, and its caller calls `fold` now and then.

    >>> histogram = Histogram()
    >>> histogram.record(2_000_000)
    >>> histogram.summary()["p99"]
    2.0
    """

    __slots__ = "buckets count fresh maximum minimum record total unit values".split()

    def __init__(self, unit: str = "ns") -> None:
        self.unit = unit
        self.buckets: Counter[int] = Counter()
        self.fresh: Counter[int] | None = None  # where kept: what came since `take_fresh`
        self.count = self.total = self.maximum = 0
        self.minimum: int | None = None
        self.values: list[int] = []
        self.record = self.values.append

    def fold(self) -> None:
        """Move what was recorded into the buckets."""
        values = self.values
        if not values:
            return
        least, most = min(values), max(values)
        if least < 0:  # only a stepped clock makes them; the verdict tells of it
            values[:] = [max(0, value) for value in values]
            least, most = max(0, least), max(0, most)
        self.minimum = least if self.minimum is None else min(self.minimum, least)
        self.maximum = max(self.maximum, most)
        self.count += len(values)
        self.total += sum(values)
        kept = int.from_bytes(array("f", values).tobytes(), sys.byteorder)
        kept &= int.from_bytes(_MASK * len(values), sys.byteorder)
        indices = array("I", kept.to_bytes(4 * len(values), sys.byteorder))
        self.buckets.update(indices)
        if self.fresh is not None:
            self.fresh.update(indices)
        values.clear()

    @property
    def waiting(self) -> int:
        """How many values wait to be folded."""
        return len(self.values)

    def repeat(self, value: int, times: int) -> None:
        """Record one value so many times, at the price of one."""
        value = max(0, value)
        if times > 1:
            self.total += value * (times - 1)
            self.count += times - 1
            index = index_of(value) if value else 0
            self.buckets[index] += times - 1
            if self.fresh is not None:
                self.fresh[index] += times - 1
        self.record(value)

    def keep_fresh(self) -> None:
        """From now on count what is new beside all that there is, for `take_fresh`."""
        self.fresh = Counter()

    def take_fresh(self) -> Counter[int]:
        """The buckets of what was recorded since the last call: what is old costs nothing."""
        self.fold()
        fresh, self.fresh = self.fresh or Counter(), Counter()
        return fresh

    def merge(self, other: Histogram) -> None:
        """Add the other's counts; the same as if all had been recorded here."""
        self.fold()
        other.fold()
        least = other.minimum
        if least is not None:
            self.minimum = least if self.minimum is None else min(self.minimum, least)
            self.maximum = max(self.maximum, other.maximum)
        self.count += other.count
        self.total += other.total
        self.buckets.update(other.buckets)

    def quantile(self, share: float) -> float:
        """The value that `share` of all are at or below, in the displayed unit; 0.0 of none."""
        self.fold()
        return self._values_at([share], sorted(self.buckets.items()))[0] if self.count else 0.0

    def _values_at(self, shares: list[float], ordered: list[tuple[int, int]]) -> list[float]:
        """The values at ascending shares, from the sorted buckets, which are walked once."""
        found, seen, index, buckets = [], 0, 0, iter(ordered)
        least = self.minimum or 0  # None of none
        for share in shares:
            rank = max(1, ceil(share * self.count))
            while seen < rank:
                index, count = next(buckets)
                seen += count
            # values are whole: the bucket of 0 has no other
            middle = (lower_edge(index) + lower_edge(index + STEP)) / 2 if index else 0.0
            found.append(min(max(middle, least), self.maximum) / UNITS[self.unit])
        return found

    def counts(self, edges: list[float]) -> list[int]:
        """How many values lie at or below each edge and above the one before it."""
        self.fold()
        found = [0] * len(edges)
        least = self.minimum or 0
        for index, count in self.buckets.items():
            value = min(max(lower_edge(index), least), self.maximum) / UNITS[self.unit]
            place = next((i for i, edge in enumerate(edges) if value <= edge), len(edges) - 1)
            found[place] += count
        return found

    def summary(self) -> dict[str, Any] | None:
        """The schema's object: count, mean, min, quantiles, max and the buckets; None of none."""
        self.fold()
        if not self.count:
            return None
        return {"count": self.count, **self.figures(), "histogram": self.raw()}

    def figures(self) -> dict[str, float]:
        """Mean, min, quantiles and max of what is not empty, in the displayed unit."""
        self.fold()
        values = self._values_at(list(QUANTILES.values()), sorted(self.buckets.items()))
        least = self.minimum or 0
        # of ends whose sum is known from elsewhere (Bounded.between) it could be outside of them
        mean = min(max(self.total / self.count, least), self.maximum)
        return {
            "mean": round(mean / UNITS[self.unit], 6),
            "min": round(least / UNITS[self.unit], 6),
            **{name: round(value, 6) for name, value in zip(QUANTILES, values, strict=True)},
            "max": round(self.maximum / UNITS[self.unit], 6),
        }

    def raw(self) -> dict[str, Any]:
        """What `of` needs beside the count."""
        self.fold()
        return {
            "unit": self.unit,
            "total": self.total,
            "min": self.minimum,
            "max": self.maximum,
            "buckets": [list(bucket) for bucket in sorted(self.buckets.items())],
        }

    @classmethod
    def of(cls, summary: dict[str, Any] | None, unit: str = "ns") -> Histogram:
        """The histogram that `summary` described, exactly."""
        histogram = cls(unit)
        if summary:
            raw = summary["histogram"]
            histogram.count, histogram.total = summary["count"], raw["total"]
            histogram.minimum, histogram.maximum = raw["min"], raw["max"]
            histogram.buckets = Counter(dict(raw["buckets"]))
        return histogram
