"""What holds for every histogram, result and schedule, on samples from seeds."""

import json
import math
import random
import statistics
from collections.abc import Callable

import pytest

from labkit.load.errors import LoadError
from labkit.load.histogram import QUANTILES, Histogram
from labkit.load.plan import Plan
from labkit.load.result import METRICS, Result
from labkit.load.schedule import arrivals

MS = 1e6  # nanoseconds
BATCH = 1000  # values between two folds
SAMPLES: dict[str, Callable[[random.Random], int]] = {
    "exponential": lambda chance: int(chance.expovariate(1 / 20e6)),
    "lognormal": lambda chance: int(chance.lognormvariate(15, 3)),
    "heavy tail": lambda chance: int(1e4 * chance.paretovariate(0.7)) % (10**13),
    "two peaks": lambda chance: int(chance.choice((chance.gauss(1e6, 1e3), 5e9))),
    "zeros between": lambda chance: chance.choice((0, 0, 0, 1, 2, 10**9)),
    "one value": lambda chance: 20_000_000,
    "all lengths": lambda chance: int(2 ** chance.uniform(0, 43)),
}


def samples(shape: str, size: int, seed: int = 0) -> list[int]:
    """Nanoseconds of this distribution."""
    chance = random.Random(f"{shape} {seed}")
    return [SAMPLES[shape](chance) for _ in range(size)]


def histogram(values: list[int], fold_every: int = BATCH) -> Histogram:
    made = Histogram()
    for at, value in enumerate(values, 1):
        made.record(value)
        if at % fold_every == 0:
            made.fold()
    return made


@pytest.mark.parametrize("shape", SAMPLES)
def test_a_quantile_is_within_one_percent_of_the_sorted_samples(shape):
    for size in (1, 2, 3, 10, 1000, 20_000):
        values = sorted(samples(shape, size))
        summary = histogram(values).summary()
        assert summary["count"] == size
        assert summary["min"] == round(values[0] / MS, 6)
        assert summary["max"] == round(values[-1] / MS, 6)
        assert summary["mean"] == pytest.approx(sum(values) / size / MS, rel=1e-9, abs=1e-6)
        for name, share in QUANTILES.items():
            exact = values[math.ceil(share * size) - 1] / MS
            assert summary[name] == pytest.approx(exact, rel=0.01, abs=1e-6), (name, size)


@pytest.mark.parametrize("shape", SAMPLES)
@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_merged_histograms_are_the_histogram_of_all_samples(shape, parts):
    values = samples(shape, 5000)
    whole = histogram(values).summary()
    chance = random.Random(parts)
    shares: list[list[int]] = [[] for _ in range(parts)]
    for value in values:
        chance.choice(shares).append(value)
    shares.append([])  # a worker that measured nothing
    for order in (shares, shares[::-1]):
        merged = Histogram()
        for share in order:
            merged.merge(histogram(share))
        assert merged.summary() == whole


def test_a_merge_of_merges_is_the_merge_of_all():
    parts = [histogram(samples("lognormal", 500, seed)) for seed in range(4)]
    left, right, flat = Histogram(), Histogram(), Histogram()
    for part in parts[:2]:
        left.merge(part)
    for part in parts[2:]:
        right.merge(part)
    left.merge(right)
    for part in parts:
        flat.merge(part)
    assert left.summary() == flat.summary()


@pytest.mark.parametrize("shape", SAMPLES)
def test_it_makes_no_difference_when_it_is_folded(shape):
    values = samples(shape, 3000)
    expected = histogram(values).summary()
    assert histogram(values, fold_every=1).summary() == expected
    assert histogram(values, fold_every=10**9).summary() == expected


@pytest.mark.parametrize("shape", SAMPLES)
def test_a_histogram_comes_back_from_json_as_it_was(shape):
    made = histogram(samples(shape, 3000))
    read = Histogram.of(json.loads(json.dumps(made.summary())))
    assert read.summary() == made.summary()
    for each in (made, read):
        each.merge(histogram(samples(shape, 3000, seed=1)))
    assert read.summary() == made.summary()


def test_its_memory_has_a_bound_that_no_number_of_samples_passes():
    """1024 buckets for each doubling: from a nanosecond to two and a half hours are 43 of them."""
    made = Histogram()
    for seed in range(50):
        for value in samples("all lengths", BATCH * 4, seed):
            made.record(value)
        made.fold()
    assert made.count == 50 * BATCH * 4
    assert made.values == []
    assert len(made.buckets) <= 43 * 1024


def test_a_negative_value_of_a_stepped_clock_counts_as_none():
    made = histogram([-5, 3, 4])
    assert made.summary() == histogram([0, 3, 4]).summary()


def result(seed: int, worker: int = 0) -> Result:
    """As a worker's: every counter and every histogram filled, none like another's."""
    chance = random.Random(seed)
    plan = Plan(url="http://127.0.0.1:1", requests=40, clients=8, goodput=(("ttft", 100.0),))
    made = Result(plan.share(worker, 4))
    # as exact as JSON keeps them
    made.started_at = 1000 + chance.randrange(10**6) / 1e6
    made.duration_s = 1 + chance.randrange(10**6) / 1e6
    made.started, made.succeeded, made.unfinished = 10, 7, 1
    made.fail("timeout", f"after 20 s, seed {seed}")
    made.fail(chance.choice(("connect", "stream_cut")), f"example {seed}")
    made.statuses = {200: 7, chance.choice((500, 503)): 2}
    made.prompt_tokens, made.generated_tokens = chance.randrange(100), chance.randrange(1000)
    made.cached_tokens = chance.choice((None, made.prompt_tokens // 2))
    made.chunks, made.good = chance.randrange(1000), chance.randrange(8)
    for name in METRICS:
        for value in samples("lognormal", 200, seed):
            made.metrics[name].record(value)
    made.delay.record(chance.randrange(10**6))
    made.cpu_s, made.max_rss_bytes = chance.random(), chance.randrange(10**8)
    made.reads, made.coalesced_reads = 1000, chance.randrange(1000)
    return made


def test_a_result_comes_back_from_json_as_it_was():
    made = result(3)
    assert Result.from_json(made.to_json()).plain() == made.plain()
    assert "\n" not in made.to_json()


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"schema": "labkit.load/1"}'])
def test_what_is_no_result_is_refused_in_three_lines(text):
    with pytest.raises(LoadError) as refused:
        Result.from_json(text)
    happened, saw, hint = str(refused.value).splitlines()
    assert happened == "LoadError: this is not a result of a load test"
    assert saw.startswith("saw: ")
    assert hint == "try: -o json"


def test_results_merge_alike_before_and_after_json():
    parts = [result(seed, worker=seed) for seed in range(4)]
    read = [Result.from_json(part.to_json()) for part in parts]
    assert Result.merge(read).plain() == Result.merge(parts).plain()


def test_a_merged_result_is_the_sum_of_its_workers():
    parts = [result(seed, worker=seed) for seed in range(4)]
    whole = Result.merge(parts).plain()
    plain = [part.plain() for part in parts]
    for group in ("requests", "failures", "tokens"):
        for name in whole[group]:
            # a worker whose Ollama does not tell of its cache has None
            assert whole[group][name] == sum(part[group][name] or 0 for part in plain)
    for name in METRICS:
        together = type(parts[0].metrics[name])(parts[0].metrics[name].unit)
        for seed in range(4):
            for value in samples("lognormal", 200, seed):
                together.record(value)
        assert whole[name] == together.summary()
    assert (whole["plan"]["requests"], whole["plan"]["clients"]) == (40, 8)
    assert [worker["worker"] for worker in whole["workers"]] == [0, 1, 2, 3]
    end = max(part.started_at + part.duration_s for part in parts)
    assert whole["duration_s"] == pytest.approx(end - min(part.started_at for part in parts))


@pytest.mark.parametrize("of", [1, 2, 3, 4, 7, 10])
def test_the_workers_shares_are_together_the_plan(of):
    for requests, clients in ((10, 10), (101, 17), (1000, 64)):
        plan = Plan(url="http://x", requests=requests, clients=clients, rate=97.0, warmup=13)
        shares = [plan.share(index, of) for index in range(of)]
        assert sum(share.requests for share in shares) == requests
        assert sum(share.clients for share in shares) == clients
        assert sum(share.warmup for share in shares) == 13
        assert sum(share.rate for share in shares) == pytest.approx(97.0)
        assert len({share.seed for share in shares}) == of
        assert max(s.clients for s in shares) - min(s.clients for s in shares) <= 1


def scheduled(plan: Plan) -> list[int]:
    return list(arrivals(plan))


RATES = (0.5, 1.0, 3.0, 97.0, 100.0, 2000.0)


@pytest.mark.parametrize("kind", ["constant", "poisson"])
@pytest.mark.parametrize("rate", RATES)
def test_arrivals_are_in_order_as_many_as_wanted_and_the_same_again(kind, rate):
    plan = Plan(url="http://x", rate=rate, arrivals=kind, requests=500, seed=7)
    due = scheduled(plan)
    assert len(due) == 500
    assert due == sorted(due)
    assert due[0] >= 0
    assert due == scheduled(plan)


@pytest.mark.parametrize("kind", ["constant", "poisson"])
def test_no_arrival_is_after_the_end(kind):
    plan = Plan(url="http://x", rate=97.0, arrivals=kind, requests=None, seconds=10.0, seed=7)
    due = scheduled(plan)
    assert due[-1] < 10e9
    # for Poisson: five standard deviations
    assert len(due) == (970 if kind == "constant" else pytest.approx(970, abs=5 * 970**0.5))


@pytest.mark.parametrize("rate", RATES)
def test_constant_arrivals_never_drift(rate):
    due = scheduled(Plan(url="http://x", rate=rate, requests=100_000))
    for at in (0, 1, 2, 999, 99_999):
        assert due[at] == pytest.approx(at * 1e9 / rate, abs=1)


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_workers_take_turns_at_a_constant_rate(workers):
    plan = Plan(url="http://x", rate=100.0, requests=600, clients=12)
    due = sorted(at for w in range(workers) for at in scheduled(plan.share(w, workers)))
    assert due == pytest.approx(scheduled(plan), abs=1)


def exponential(due: list[int], rate: float) -> None:
    """Gaps of Poisson arrivals: their mean and deviation are 1/rate, a share of 1/e is longer."""
    gaps = [after - before for before, after in zip([0, *due], due, strict=False)]
    expected = 1e9 / rate
    spread = 5 / len(gaps) ** 0.5
    assert statistics.mean(gaps) == pytest.approx(expected, rel=spread)
    assert statistics.stdev(gaps) == pytest.approx(expected, rel=2 * spread)
    longer = sum(gap > expected for gap in gaps) / len(gaps)
    assert longer == pytest.approx(1 / math.e, rel=2 * spread)


@pytest.mark.parametrize("rate", RATES)
def test_poisson_arrivals_have_exponential_gaps(rate):
    exponential(scheduled(Plan(url="http://x", rate=rate, arrivals="poisson", requests=5000)), rate)


def test_poisson_arrivals_of_workers_are_together_poisson_arrivals():
    plan = Plan(url="http://x", rate=100.0, arrivals="poisson", requests=8000, clients=8)
    shares = [scheduled(plan.share(worker, 4)) for worker in range(4)]
    assert len({due[0] for due in shares}) == 4  # they do not all begin at once
    last = min(due[-1] for due in shares)
    exponential(sorted(at for due in shares for at in due if at <= last), 100.0)


def test_another_seed_is_another_schedule():
    plan = Plan(url="http://x", rate=100.0, arrivals="poisson", requests=50)
    assert len({tuple(scheduled(plan.replace(seed=seed))) for seed in range(20)}) == 20
