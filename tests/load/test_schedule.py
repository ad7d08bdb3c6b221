"""When the requests of an open loop are due."""

from itertools import islice, pairwise

import pytest

from labkit.load.plan import Plan
from labkit.load.schedule import arrivals

S = 1_000_000_000
URL = "http://127.0.0.1:11434"


def due(**fields) -> list[int]:
    return list(islice(arrivals(Plan(url=URL, **fields)), 100_000))


def test_constant_arrivals_are_evenly_apart_from_the_start():
    assert due(rate=4.0, requests=5) == [0, S // 4, S // 2, 3 * S // 4, S]


def test_a_run_by_time_ends_before_its_time():
    assert due(rate=2.0, requests=None, seconds=1.5) == [0, S // 2, S]
    assert max(due(rate=100.0, requests=None, seconds=3.0, arrivals="poisson")) < 3 * S


def test_constant_arrivals_do_not_drift():
    assert due(rate=3.0, requests=30_001)[-1] == pytest.approx(10_000 * S, abs=1)


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_of_a_constant_rate_take_turns(workers):
    plan = Plan(url=URL, rate=6.0, requests=12)
    parts = [list(arrivals(plan.share(index, workers))) for index in range(workers)]
    assert sorted(due for part in parts for due in part) == pytest.approx(
        list(arrivals(plan)), abs=1
    )


def test_poisson_arrivals_have_the_rate_and_the_spread_of_their_law():
    times = due(rate=50.0, requests=20_000, arrivals="poisson")
    gaps = [after - before for before, after in pairwise([0, *times])]
    middle = sum(gaps) / len(gaps)
    assert middle / S == pytest.approx(1 / 50, rel=0.03)
    # of an exponential law, exp(-1) of all are longer than the mean
    assert sum(gap > middle for gap in gaps) / len(gaps) == pytest.approx(0.3679, abs=0.02)


def test_a_seed_gives_the_same_arrivals_and_another_seed_others():
    first = due(rate=50.0, requests=50, arrivals="poisson", seed=7)
    assert first == due(rate=50.0, requests=50, arrivals="poisson", seed=7)
    assert first != due(rate=50.0, requests=50, arrivals="poisson", seed=8)


def test_workers_of_a_poisson_rate_do_not_begin_together():
    plan = Plan(url=URL, rate=40.0, requests=40, arrivals="poisson")
    firsts = [next(arrivals(plan.share(index, 4))) for index in range(4)]
    assert len(set(firsts)) == 4
    assert min(firsts) > 0
