"""What a run measured in each block of time: what a comparison needs to know how much it varies.

Neighbouring requests are alike: they share a queue, a batch, a noisy second. Treated as
independent they would make every figure look surer than it is, so a comparison resamples blocks of
time. There are fewer than 64: before, neighbours become one block of twice the length.
"""

from __future__ import annotations

from labkit.load.bounds import Bounded
from labkit.load.histogram import STEP, Histogram

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Measured(Protocol):
        """What is needed here of a result; result.py imports this file."""

        metrics: dict[str, Any]


MOST = 64
FIRST_S = 0.1  # length of a block before the first doubling
COARSE = STEP << 4  # from a bucket to the next: 64 for each doubling, a sixteenth of a histogram's
COUNTS = ("succeeded", "failed", "generated_tokens", "chunks")
METRICS = ("ttft_ms", "gap_ms", "latency_ms", "queue_ms")


class Block:
    """Counts of one stretch of time, and coarse histograms: bucket → how many values."""

    __slots__ = ("counts", "metrics", "seconds")

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.counts = dict.fromkeys(COUNTS, 0)
        self.metrics: dict[str, dict[int, int]] = {name: {} for name in METRICS}

    def add(self, other: Block) -> None:
        """Count what the other counted too; `seconds` are the caller's."""
        for name, count in other.counts.items():
            self.counts[name] += count
        for name, buckets in other.metrics.items():
            mine = self.metrics[name]
            for bucket, count in buckets.items():
                mine[bucket] = mine.get(bucket, 0) + count

    def then(self, later: Block) -> Block:
        """Both as one block: their lengths add up.

        >>> Block(0.1).then(Block(0.1)).seconds
        0.2
        """
        both = Block(self.seconds + later.seconds)
        both.add(self)
        both.add(later)
        return both

    def plain(self) -> dict[str, Any]:
        """As the schema has it."""
        metrics = {name: sorted(map(list, self.metrics[name].items())) for name in METRICS}
        return {"seconds": round(self.seconds, 6), **self.counts, **metrics}

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Block:
        """What `plain` described."""
        block = cls(raw["seconds"])
        block.counts = {name: raw[name] for name in COUNTS}
        block.metrics = {name: dict(raw[name]) for name in METRICS}
        return block


class Blocks:
    """The blocks of one run, in the order of time; each lasts `length_s`, the last one less.

    >>> blocks = Blocks()
    >>> blocks.length_s, blocks.due_ns, blocks.each
    (0.1, 100000000, [])
    """

    def __init__(self) -> None:
        self.length_s = FIRST_S
        self.each: list[Block] = []
        self._counts = dict.fromkeys(COUNTS, 0)  # all that is in `each`
        self._until_ns = 0

    @property
    def due_ns(self) -> int:
        """When the block that is under way ends, in nanoseconds after the start."""
        return int((len(self.each) + 1) * self.length_s * 1e9)

    def close(self, result: Measured, elapsed_ns: int) -> None:
        """End the block that is under way: what the result counted since the last one is in it.

        It costs as much as there is new, and nothing for what earlier blocks have.
        """
        if elapsed_ns <= self._until_ns:
            return
        block, counted = Block((elapsed_ns - self._until_ns) / 1e9), self._counts
        for name in COUNTS:
            count = getattr(result, name)
            block.counts[name] = count - counted[name]
            counted[name] = count
        for name in METRICS:
            block.metrics[name] = _coarse(result.metrics[name])
        # A client that was stopped for longer than a block has nothing of the blocks between.
        while elapsed_ns > self.due_ns + self.length_s * 1e9:
            self._append(Block())
        self._append(block)
        self._until_ns = elapsed_ns

    def _append(self, block: Block) -> None:
        self.each.append(block)
        if len(self.each) == MOST:
            self._double()

    def _double(self) -> None:
        even = len(self.each) // 2 * 2  # a last one without a neighbour waits for it
        self.each = [*pairs(self.each[:even]), *self.each[even:]]
        self.length_s *= 2

    def merge(self, other: Blocks) -> None:
        """Count what another worker counted in the same blocks; workers begin together."""
        theirs = Blocks()
        theirs.length_s, theirs.each = other.length_s, list(other.each)
        while self.length_s < theirs.length_s:
            self._double()
        while theirs.length_s < self.length_s:
            theirs._double()
        for index, block in enumerate(theirs.each):
            if index == len(self.each):
                self.each.append(Block(block.seconds))
            self.each[index].seconds = max(self.each[index].seconds, block.seconds)
            self.each[index].add(block)

    def plain(self) -> dict[str, Any]:
        """As the schema has it."""
        return {"length_s": self.length_s, "each": [block.plain() for block in self.each]}

    @classmethod
    def of(cls, raw: dict[str, Any] | None) -> Blocks:
        """What `plain` described; none of a result that was written before there were blocks."""
        blocks = cls()
        if raw:
            blocks.length_s = raw["length_s"]
            blocks.each = [Block.of(block) for block in raw["each"]]
        return blocks


def pairs(blocks: list[Block]) -> list[Block]:
    """Half as many blocks, each of two neighbours; a last one without a neighbour joins them."""
    found = [one.then(two) for one, two in zip(blocks[::2], blocks[1::2], strict=False)]
    if len(blocks) % 2:
        found = [*found[:-1], found[-1].then(blocks[-1])] if found else list(blocks)
    return found


def watch(metrics: dict[str, Any]) -> None:
    """Have these metrics of a new result count what is new, for `Blocks.close`."""
    for name in METRICS:
        for histogram in _of_high_ends(metrics[name]):
            histogram.keep_fresh()


def _of_high_ends(metric: Any) -> list[Histogram]:
    return [metric.exact, metric.highs] if isinstance(metric, Bounded) else [metric]


def _coarse(metric: Any) -> dict[int, int]:
    """What is new, sixteen buckets as one; of values with bounds, the high ends."""
    found: dict[int, int] = {}
    for histogram in _of_high_ends(metric):
        for index, count in histogram.take_fresh().items():
            bucket = index & -COARSE
            found[bucket] = found.get(bucket, 0) + count
    return found
