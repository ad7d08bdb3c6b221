"""Bounds: what lay between two ends lies in every figure's, however late the client was."""

import random
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from labkit.load.bounds import Bounded
from labkit.load.connection import Connection
from labkit.load.histogram import QUANTILES
from labkit.load.wire import Reader
from labkit.setup.host import paths
from tests.load import lateness

BENCH = Path(__file__).parents[2] / "bench" / "load"
MS = 1_000_000


@pytest.fixture(scope="module")
def measuring(tmp_path_factory) -> Iterator:
    """bench/load's, which has the server that knows the truth; nothing goes to the user's cache."""
    cache = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        patch.setattr(paths, "cache", lambda *parts: cache.joinpath(*parts))
        import measuring

        yield measuring
    del sys.modules["measuring"]


@pytest.mark.parametrize("disturbance", ["stopped", "slow progress"])
def test_the_servers_own_figures_are_within_the_bounds_of_a_client_that_was_late(
    measuring, disturbance
):
    """Two runs of `every_bound.py`, which has all disturbances; the seed is told."""
    kinds = len(lateness.DISTURBANCES)
    seed = random.randrange(10**6) * kinds + lateness.DISTURBANCES.index(disturbance)
    ran = lateness.run(seed, measuring)
    print(ran.said)
    assert ran.wrong == [], ran.said


class Arrived:
    """Chunks that came at known times, read as by chance; what a connection makes of it."""

    def __init__(self, chance: random.Random) -> None:
        self.gaps, self.connection = Bounded(), Connection(Reader())
        at = self.connection.sent = 1000
        self.came = [at := at + chance.randrange(1, 1000) for _ in range(chance.randrange(1, 12))]
        read = 0
        while read < len(self.came):
            read = self._read(chance, read)
        self.connection.count_lump(self.gaps)
        self.connection.count_held(self.gaps)

    def _read(self, chance: random.Random, read: int) -> int:
        lines = min(chance.choice((1, 1, 1, 2, 3, 5)), len(self.came) - read)
        before = self.came[read - 1] if read else 0
        since = chance.choice((0, chance.randrange(before, self.came[read])))
        stamp, exact = self.came[read + lines - 1], chance.random() < 0.8
        last = read + lines == len(self.came)
        if not exact:  # read, or followed by half a line, before the next one came
            room = 500 if last else self.came[read + lines] - stamp
            stamp += chance.randrange(room)
        connection = self.connection
        if lines == 1 and exact and connection.last_exact and chance.random() < 0.5:
            # as the engine's own loop does
            self.gaps.record(stamp - connection.last)
            connection.last = stamp
            connection.chunks += 1
        else:
            more = not last and chance.random() < 0.8
            connection.took(lines, stamp, since, self.gaps, exact=exact, more=more)
        return read + lines


@pytest.mark.parametrize("block", range(4))
def test_whatever_the_reads_were_the_true_gaps_are_within_their_bounds(block):
    for seed in range(block * 500, block * 500 + 500):
        arrived = Arrived(random.Random(seed))
        connection, gaps, came = arrived.connection, arrived.gaps, arrived.came
        assert connection.first_low <= came[0] <= connection.first, seed
        assert connection.last_low <= came[-1] <= connection.last, seed
        true = sorted(after - before for before, after in pairwise(came))
        assert gaps.count == len(true), seed
        assert gaps.low.total <= sum(true) <= gaps.high.total, seed
        for share in QUANTILES.values() if true else ():
            exact = true[max(1, -int(-share * len(true) // 1)) - 1] / MS
            low, high = gaps.bounds(share)
            assert low * (1 - 1 / 1024) <= exact <= high * (1 + 1 / 1024), (seed, share)


def test_reads_of_one_chunk_are_exact_and_those_of_several_have_the_width_of_what_is_not_known():
    gaps, connection = Bounded(), Connection(Reader())
    connection.sent = 100 * MS
    connection.took(1, 150 * MS, 140 * MS, gaps, exact=True, more=True)
    connection.took(1, 170 * MS, 160 * MS, gaps, exact=True, more=True)
    assert (connection.first_low, connection.first) == (150 * MS, 150 * MS)
    assert gaps.bounds(0.5) == (20.0, 20.0)
    connection.took(3, 230 * MS, 175 * MS, gaps, exact=True, more=True)
    found = gaps.summary()
    # the first of the three can have come at 175 to 230 ms, the second until the third did
    assert (found["low"]["max"], found["high"]["max"]) == (20.0, 60.0)
    assert (found["low"]["min"], found["high"]["min"]) == (0.0, 20.0)
    # four gaps from 150 to 230, whatever each of them was
    assert found["low"]["mean"] == found["high"]["mean"] == 20.0


def test_the_first_of_several_chunks_came_after_the_request_was_sent():
    gaps, connection = Bounded(), Connection(Reader())
    connection.sent = 100 * MS
    connection.took(3, 150 * MS, 90 * MS, gaps, exact=True, more=False)
    assert (connection.first_low, connection.first) == (100 * MS, 150 * MS)
    assert gaps.count == 0  # until it is known that the read was no burst
    connection.count_lump(gaps)
    assert gaps.count == 1  # the last line's counts if a line follows, or if it has content
    connection.count_held(gaps)
    assert gaps.bounds(1.0) == (0.0, pytest.approx(50.0, rel=1 / 1024))


@pytest.mark.parametrize("times", [1, 2, 1000])
def test_many_observations_between_the_same_ends_cost_no_memory_more(times):
    gaps = Bounded()
    gaps.between(3 * MS, 9 * MS, times)
    gaps.fold()
    assert (gaps.count, len(gaps.lows.buckets), len(gaps.highs.buckets)) == (times, 1, 1)
    assert gaps.mean() == 6.0


@pytest.mark.parametrize("seed", range(5))
def test_merged_bounds_are_the_bounds_of_all(seed):
    chance = random.Random(seed)
    parts, whole = [Bounded() for _ in range(3)], Bounded()
    for _ in range(500):
        low = chance.randrange(100 * MS)
        ends = low, low + chance.choice((0, chance.randrange(50 * MS)))
        for one in (chance.choice(parts), whole):
            one.between(*ends)
    merged = Bounded()
    for part in parts:
        merged.merge(Bounded.of(part.summary()))
    assert merged.summary() == whole.summary()


def test_the_short_way_for_reads_of_several_regular_lines_counts_the_same():
    chance = random.Random(3)
    for trial in range(20):
        pair = [(Connection(Reader()), Bounded()) for _ in range(2)]
        before = 1000
        for step in range(20):
            stamp = before + chance.randrange(1, 100)
            since = chance.randrange(before - 50, stamp + 20)
            lines, exact = chance.choice([1, 2, 3, 9]), chance.random() < 0.8
            for index, (connection, gaps) in enumerate(pair):
                connection.sent, connection.reader.regular = 500, True
                connection.steady = connection.steady and not index  # the second: the long way
                connection.took(lines, stamp, since, gaps, exact=exact, more=step < 19)
            before = stamp
        (one, short), (two, long) = pair
        assert short.summary() == long.summary(), trial
        assert [one.last, one.last_low, one.chunks] == [two.last, two.last_low, two.chunks]
