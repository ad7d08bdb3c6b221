"""The buckets of a histogram, one by one."""

import random

import pytest

from labkit.load.histogram import STEP, Histogram, index_of, lower_edge


@pytest.mark.parametrize("seed", range(5))
def test_a_value_lies_in_its_bucket_and_the_bucket_is_narrow(seed):
    chance = random.Random(seed)
    for _ in range(2000):
        value = int(2 ** chance.uniform(0, 50))
        index = index_of(value)
        low, high = lower_edge(index), lower_edge(index + STEP)
        # float32 rounds to 24 bits before its last 13 are dropped
        assert low <= value * (1 + 2**-24) and value * (1 - 2**-24) < high
        assert (high - low) / low <= 1 / 1024


def test_a_fold_sorts_a_batch_as_single_values_are_sorted():
    chance = random.Random(1)
    values = [int(2 ** chance.uniform(0, 50)) for _ in range(3000)]
    made = Histogram()
    for value in values:
        made.record(value)
    made.fold()
    expected: dict[int, int] = {}
    for value in values:
        expected[index_of(value)] = expected.get(index_of(value), 0) + 1
    assert dict(made.buckets) == expected


def test_a_value_repeated_counts_as_often_as_it_was_said():
    said, recorded = Histogram(), Histogram()
    for value, times in ((5_000_000, 3), (0, 2), (7_000_000, 1), (-4, 2)):
        said.repeat(value, times)
        for _ in range(times):
            recorded.record(max(0, value))
    assert said.summary() == recorded.summary()


def test_an_empty_histogram_has_no_summary_and_no_quantile():
    assert Histogram().summary() is None
    assert Histogram().quantile(0.5) == 0.0
    assert Histogram.of(None).summary() is None


def test_its_quantiles_never_leave_what_was_measured():
    made = Histogram()
    made.record(1_000_001)
    summary = made.summary()
    assert summary["p50"] == summary["max"] == summary["min"] == 1.000001


def test_counts_between_edges_are_all_the_values():
    made = Histogram()
    for ms in range(1, 101):
        made.record(ms * 1_000_000)
    assert made.counts([1.0, 50.5, 100.0]) == [1, 49, 50]


def test_tokens_per_second_are_in_thousandths():
    made = Histogram("0.001/s")
    made.record(41_500)
    assert made.summary()["mean"] == 41.5
    assert made.summary()["histogram"]["unit"] == "0.001/s"
