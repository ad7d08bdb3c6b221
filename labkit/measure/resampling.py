"""How much a figure of a load test varies: its standard error by a bootstrap over blocks of time.

Requests that follow each other are alike, so blocks of time are drawn, and not requests. Blocks can
be alike too, or opposite: then two become one (Flyvbjerg and Petersen, 1989), and what likeness
is left widens the error. Few blocks have few degrees of freedom: Student's t has the rest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt
from operator import mul
from random import Random
from statistics import NormalDist, stdev
from typing import NamedTuple

from labkit.load.blocks import COARSE, Block, pairs
from labkit.load.histogram import lower_edge

DRAWS = 200  # of the blocks: the error of a standard error is a twentieth then
FEWEST = 8  # blocks that are left after joining
NEEDED = 5  # blocks: with fewer nothing can be said about how much they vary
MOST_ALIKE = 0.9

Runs = Sequence[Sequence[Block]]  # of one side: the blocks of each run


class Ratio:
    """A sum over blocks divided by another: a rate, a share or a mean.

    >>> rate = Ratio([(10, 1.0), (20, 1.0), (30, 2.0)])
    >>> rate.value(), rate.value([0, 0, 1])
    (15.0, 13.333333333333334)
    """

    def __init__(self, parts: Sequence[tuple[float, float]]) -> None:
        self.above = [above for above, _ in parts]
        self.below = [below for _, below in parts]

    def value(self, drawn: Sequence[int] | None = None) -> float:
        """The ratio, of all blocks or of those drawn; 0.0 of nothing."""
        chosen = range(len(self.above)) if drawn is None else drawn
        below = sum(map(self.below.__getitem__, chosen))
        return sum(map(self.above.__getitem__, chosen)) / below if below else 0.0

    def parts(self) -> list[float]:
        """How much each block moves the value; they add up to nothing."""
        value = self.value()
        return [above - value * below for above, below in zip(self.above, self.below, strict=True)]


class Quantile:
    """The value that a share of all values is at or below, from the blocks' coarse histograms.

    Values count as spread evenly within a bucket. The unit is the histograms', nanoseconds.
    """

    def __init__(self, counts: Sequence[dict[int, int]], share: float) -> None:
        self.share = share
        self.edges = sorted(set().union(*counts))
        running = [0] * len(counts)
        self.columns = []  # bucket → how many values each block has up to there
        for edge in self.edges:
            running = [sum_ + one.get(edge, 0) for sum_, one in zip(running, counts, strict=True)]
            self.columns.append(running)

    def value(self, drawn: Sequence[int] | None = None) -> float:
        """The quantile, of all blocks or of those drawn; 0.0 of nothing."""
        if not self.columns:
            return 0.0
        chosen = range(len(self.columns[0])) if drawn is None else drawn

        def up_to(index: int) -> int:
            return sum(map(self.columns[index].__getitem__, chosen))

        wanted = self.share * up_to(-1)
        if not wanted:
            return 0.0
        index = bisect_left(range(len(self.edges)), wanted, key=up_to)
        before = up_to(index - 1) if index else 0
        part = (wanted - before) / (up_to(index) - before)
        low, high = lower_edge(self.edges[index]), lower_edge(self.edges[index] + COARSE)
        return low + part * (high - low)

    def parts(self) -> list[float]:
        """How many values each block has below the quantile, more than its share of them."""
        if not self.columns:
            return []
        value, whole = self.value(), self.columns[-1]
        index = bisect_left(self.edges, value, key=lambda edge: lower_edge(edge + COARSE))
        low, high = lower_edge(self.edges[index]), lower_edge(self.edges[index] + COARSE)
        part = min(max((value - low) / (high - low), 0.0), 1.0)
        before = self.columns[index - 1] if index else [0] * len(whole)
        return [
            below + part * (upto - below) - self.share * all_
            for below, upto, all_ in zip(before, self.columns[index], whole, strict=True)
        ]


Figure = Ratio | Quantile
Build = Callable[[list[Block]], Figure]


class Spread(NamedTuple):
    """How much a figure varies."""

    value: float  # of all blocks
    error: float  # its standard error
    blocks: int  # that were drawn from, after joining neighbours


def spread(runs: Runs, build: Build, chance: Random) -> Spread | None:
    """The standard error of the figure that `build` makes of blocks; None of too few blocks.

    >>> from random import Random
    >>> blocks = [Block(1.0) for _ in range(40)]
    >>> for index, block in enumerate(blocks):
    ...     block.counts["succeeded"] = 10 + index**3 % 11
    >>> def rate(blocks):
    ...     return Ratio([(block.counts["succeeded"], block.seconds) for block in blocks])
    >>> found = spread([blocks], rate, Random(1))
    >>> found.value, round(found.error, 2), found.blocks
    (14.975, 0.43, 20)
    """
    kept = [list(run) for run in runs if run]
    figure, alike = _figure(kept, build)
    while alike and sum(map(len, kept)) >= 2 * FEWEST and any(len(run) > 1 for run in kept):
        kept = [pairs(run) for run in kept]
        figure, alike = _figure(kept, build)
    count = sum(map(len, kept))
    if count < NEEDED:
        return None
    numbers = range(count)
    drawn = [figure.value(chance.choices(numbers, k=count)) for _ in range(DRAWS)]
    # a sample varies less than what it is a sample of, by one of its degrees of freedom
    left = max(alike, 0.0)
    error = stdev(drawn) * sqrt(count / (count - 1) * (1 + left) / (1 - left))
    return Spread(figure.value(), error, count)


def _figure(runs: list[list[Block]], build: Build) -> tuple[Figure, float]:
    """The figure, and how alike neighbours within the runs are: 0 where that can be chance."""
    figure = build([block for run in runs for block in run])
    parts = figure.parts()
    whole = sum(map(mul, parts, parts))
    if not whole:
        return figure, 0.0
    together, neighbours, begin = 0.0, 0, 0
    for run in runs:
        mine = parts[begin : begin + len(run)]
        together += sum(one * two for one, two in pairwise(mine))
        neighbours += max(0, len(mine) - 1)
        begin += len(run)
    alike = together / neighbours / (whole / len(parts)) if neighbours else 0.0
    # below 0: what is missing in one block is in the next, as when clients send in step
    chance = 1 / sqrt(len(parts))
    return figure, min(alike, MOST_ALIKE) if alike > chance / 2 or alike < -2 * chance else 0.0


def student(confidence: float, freedom: float) -> float:
    """How many standard errors an interval of this confidence reaches to each side.

    The series of Cornish and Fisher: right to 1 % from four degrees of freedom on.

    >>> round(student(0.95, 9), 2), round(student(0.95, 1e9), 2), round(student(0.95, 4), 1)
    (2.26, 1.96, 2.8)
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    one = (z**3 + z) / 4
    two = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    three = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + one / freedom + two / freedom**2 + three / freedom**3


def freedom(one: float, n_one: int, two: float, n_two: int) -> float:
    """Degrees of freedom of a difference of two errors, of so many blocks (Welch, Satterthwaite).

    >>> round(freedom(1.0, 10, 1.0, 10), 6), freedom(0.0, 10, 1.0, 6)
    (18.0, 5.0)
    """
    below = one**4 / (n_one - 1) + two**4 / (n_two - 1)
    return (one**2 + two**2) ** 2 / below if below else float(n_one + n_two - 2)
