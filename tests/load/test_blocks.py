"""Blocks of time: nothing is lost, memory is bounded, workers' blocks are merged."""

import random

from labkit.load import engine
from labkit.load.blocks import COARSE, MOST, Block, pairs
from labkit.load.histogram import index_of
from labkit.load.plan import Plan
from labkit.load.result import Result
from tests.load.misbehaving import good, serving

SECOND = 1_000_000_000
PLAN = Plan(url="http://127.0.0.1:11434", requests=10, clients=4)


def measured(tenths: int, *, seed: int = 1) -> Result:
    """A run of so many tenths of a second, three answers in each."""
    chance, result = random.Random(seed), Result(PLAN)
    for tenth in range(1, tenths + 1):
        for _ in range(3):
            result.succeeded += 1
            result.generated_tokens += 20
            result.metrics["ttft_ms"].record(chance.randrange(10_000_000, 90_000_000))
            result.metrics["gap_ms"].record(20_000_000)
        if tenth * SECOND // 10 >= result.blocks.due_ns:
            result.blocks.close(result, tenth * SECOND // 10)
    result.blocks.close(result, tenths * SECOND // 10)
    return result


def total(result: Result, name: str) -> int:
    return sum(block.counts[name] for block in result.blocks.each)


def test_the_blocks_hold_all_that_was_counted_and_no_more_than_so_many_are_kept():
    for blocks in (1, 5, MOST - 1, MOST, MOST + 1, 5 * MOST):
        result = measured(blocks)
        kept = result.blocks
        assert len(kept.each) < MOST and len(kept.each) >= min(blocks, MOST // 2)
        assert total(result, "succeeded") == 3 * blocks
        assert total(result, "generated_tokens") == 60 * blocks
        counts = [sum(block.metrics["ttft_ms"].values()) for block in kept.each]
        assert sum(counts) == 3 * blocks
        assert len(set(counts[:-1])) <= 1, "each block lasts as long as the others"
        assert round(sum(block.seconds for block in kept.each), 6) == blocks / 10
        assert all(bucket % COARSE == 0 for one in kept.each for bucket in one.metrics["ttft_ms"])


def test_a_client_that_was_stopped_has_empty_blocks_for_that_time():
    result = measured(2)
    result.succeeded += 4
    result.blocks.close(result, int(1.05 * SECOND))
    counts = [block.counts["succeeded"] for block in result.blocks.each]
    assert counts == [3, 3, *[0] * 7, 4]
    assert round(sum(block.seconds for block in result.blocks.each), 6) == 1.05


def test_workers_blocks_of_different_lengths_are_merged_by_their_time():
    short, long = measured(10), measured(2 * MOST, seed=2)
    merged = Result.merge([short, long])
    assert merged.blocks.length_s == long.blocks.length_s > short.blocks.length_s
    assert total(merged, "succeeded") == 30 + 6 * MOST
    assert total(short, "succeeded") == 30, "the parts stay as they were"
    first = merged.blocks.each[0]
    assert first.counts["succeeded"] > long.blocks.each[0].counts["succeeded"]
    assert round(first.seconds, 6) == round(long.blocks.each[0].seconds, 6)


def test_blocks_come_back_from_json_and_an_older_result_has_none():
    result = measured(7)
    plain = result.plain()
    again = Result.from_json(result.to_json())
    assert again.plain()["blocks"] == plain["blocks"]
    del plain["blocks"], plain["machine"]
    old = Result.from_json(plain)
    assert (old.blocks.each, old.machine) == ([], {})


def test_a_block_has_the_high_ends_of_what_is_new_alone():
    result = Result(PLAN)
    gaps = result.metrics["gap_ms"]
    for tenth, (low, high, times) in enumerate([(1, 20, 3), (1, 40, 2), (0, 0, 0)], 1):
        if times:
            gaps.between(low * SECOND // 1000, high * SECOND // 1000, times)
            gaps.record(SECOND)
        result.blocks.close(result, tenth * SECOND // 10)
    of = [block.metrics["gap_ms"] for block in result.blocks.each]
    ends = [
        {index_of(ms * SECOND // 1000) & -COARSE for ms in at} for at in ((20, 1000), (40, 1000))
    ]
    assert [set(one) for one in of] == [*ends, set()]
    assert [sum(one.values()) for one in of] == [4, 3, 0]


def test_an_odd_block_joins_the_pair_before_it():
    blocks = [Block(1.0) for _ in range(5)]
    assert [block.seconds for block in pairs(blocks)] == [2.0, 3.0]
    assert [block.seconds for block in pairs(blocks[:1])] == [1.0]


def test_a_real_run_keeps_its_blocks_its_sample_and_its_machine():
    with serving(good) as server:
        plan = Plan(url=server.url, method="POST", api="generate", model="tiny")
        result = engine.run(plan.replace(requests=12, clients=3, warmup=2, timeout_s=15.0))
    assert (result.succeeded, len(result.sample.rows)) == (12, 12)
    assert total(result, "succeeded") == 12 and total(result, "chunks") == result.chunks
    for due, sent, first, end, read, chunks, failure in result.sample.rows:
        assert 0 <= due <= sent <= (end if first is None else first) <= end
        assert read >= 0 and chunks and not failure
    assert result.machine["cores"] >= 1 and result.machine["system"]
