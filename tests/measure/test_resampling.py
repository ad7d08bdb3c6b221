"""labkit/measure/resampling.py: how often an interval has the truth in it, and of what."""

import math
import random

import pytest

from labkit.load.blocks import COARSE, Block
from labkit.load.histogram import index_of
from labkit.measure import resampling
from labkit.measure.resampling import Quantile, Ratio, freedom, spread, student

PAIRS = 200
REQUESTS = 256
BLOCKS = 32


def alike(chance: random.Random, like: float) -> list[float]:
    """Times in ms, each like the one before it: an autoregressive process around 100."""
    value, times = chance.gauss(0, 1), []
    for _ in range(REQUESTS):
        times.append(100 + 10 * value)
        value = like * value + math.sqrt(1 - like**2) * chance.gauss(0, 1)
    return times


def in_blocks(times: list[float], count: int) -> list[Block]:
    """The times as blocks; the sum stands in the place of the tokens."""
    each, blocks = len(times) // count, []
    for start in range(0, len(times), each):
        block = Block(1.0)
        mine = times[start : start + each]
        block.counts["succeeded"], block.counts["generated_tokens"] = len(mine), sum(mine)
        blocks.append(block)
    return blocks


def mean(blocks: list[Block]) -> Ratio:
    return Ratio([(one.counts["generated_tokens"], one.counts["succeeded"]) for one in blocks])


def covered(like: float, blocks: int, pairs: int) -> float:
    """In which share of pairs the interval has the true difference, which is 0."""
    chance, inside = random.Random(26), 0
    for _ in range(pairs):
        one, two = (
            spread([in_blocks(alike(chance, like), blocks)], mean, chance) for _ in range(2)
        )
        reach = student(0.95, freedom(one.error, one.blocks, two.error, two.blocks))
        inside += abs(one.value - two.value) <= reach * math.hypot(one.error, two.error)
    return inside / pairs


@pytest.mark.parametrize("like", [0.0, 0.8])
def test_an_interval_has_the_truth_in_it_as_often_as_it_says(monkeypatch, like):
    monkeypatch.setattr(resampling, "DRAWS", 60)
    assert 0.9 <= covered(like, BLOCKS, PAIRS) <= 0.99


def test_requests_that_were_drawn_one_by_one_would_promise_too_much(monkeypatch):
    monkeypatch.setattr(resampling, "DRAWS", 60)
    monkeypatch.setattr(resampling, "FEWEST", REQUESTS)  # a block is a request, and none are joined
    monkeypatch.setattr(resampling, "MOST_ALIKE", 0.0)
    assert covered(0.8, REQUESTS, 30) < 0.75


def test_a_quantile_of_blocks_is_that_of_all_values():
    chance = random.Random(1)
    values = [round(chance.lognormvariate(18, 0.4)) for _ in range(2000)]
    blocks = [{} for _ in range(10)]
    for number, value in enumerate(values):
        bucket = index_of(value) & -COARSE
        block = blocks[number % 10]
        block[bucket] = block.get(bucket, 0) + 1
    ordered = sorted(values)
    for share in (0.01, 0.5, 0.9, 0.99):
        found = Quantile(blocks, share)
        assert found.value() == pytest.approx(ordered[int(share * 2000)], rel=0.02)
        assert found.value(range(10)) == found.value()
        assert abs(sum(found.parts())) < 1e-6
    assert Quantile([{}, {}], 0.5).value() == 0.0


def test_too_few_blocks_have_no_error_and_equal_ones_none_either():
    four = in_blocks([1.0] * REQUESTS, 4)
    assert spread([four], mean, random.Random(1)) is None
    assert spread([four, four], mean, random.Random(1)) == (1.0, 0.0, 8)


def test_runs_that_differ_as_a_whole_are_drawn_as_a_whole():
    chance = random.Random(3)
    runs = [
        in_blocks([100 + level + chance.gauss(0, 1) for _ in range(REQUESTS)], BLOCKS)
        for level in (0, 8, -8, 5, -5, 2)
    ]
    within = spread(runs[:1], mean, random.Random(1))
    whole = spread(runs, mean, random.Random(1))
    assert whole.error > 10 * within.error
    assert whole.blocks < BLOCKS


def test_clients_that_send_in_step_do_not_make_a_steady_rate_unsure():
    blocks = [Block(1.0) for _ in range(64)]
    for index, block in enumerate(blocks):
        block.counts["succeeded"] = 20 * (index % 2)

    def rate(blocks: list[Block]) -> Ratio:
        return Ratio([(block.counts["succeeded"], block.seconds) for block in blocks])

    assert spread([blocks], rate, random.Random(1)) == (10.0, 0.0, 32)
