"""Plans: what they refuse, how they travel, and how workers share one."""

import json

import pytest

from labkit.load.errors import LoadError
from labkit.load.plan import FIELDS, Plan

URL = "http://127.0.0.1:11434"


def test_a_plan_comes_back_from_json_as_it_was():
    plan = Plan(
        url=URL,
        headers=(("A", "b"), ("C", "d")),
        goodput=(("ttft", 500.0),),
        addresses=("10.0.0.1:11434",),
        requests=None,
        seconds=2.5,
        rate=3.0,
    )
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_json(json.loads(plan.to_json())) == plan
    assert "\n" not in plan.to_json()


def test_a_plan_cannot_be_changed_and_replace_gives_another():
    plan = Plan(url=URL)
    with pytest.raises(AttributeError, match=r"plan\.replace\(clients=\.\.\.\) gives another"):
        plan.clients = 3
    assert (plan.replace(clients=3).clients, plan.clients) == (3, 50)
    assert plan.replace() == plan
    assert hash(plan.replace()) == hash(plan)


def test_repr_names_what_differs_from_the_defaults():
    assert repr(Plan(url=URL, clients=2)) == f"Plan(url='{URL}', clients=2)"


@pytest.mark.parametrize(
    ("fields", "happened"),
    [
        ({"clients": 0}, "clients cannot be 0"),
        ({"clients": 1.5}, "clients cannot be 1.5"),
        ({"clients": True}, "clients cannot be True"),
        ({"requests": "10"}, "requests cannot be '10'"),
        ({"rate": -1.0}, "rate cannot be -1.0"),
        ({"rate": float("inf")}, "rate cannot be inf"),
        ({"timeout_s": float("nan")}, "timeout_s cannot be nan"),
        ({"warmup": -1}, "warmup cannot be -1"),
        ({"url": 5}, "url cannot be 5"),
        ({"stream": "no"}, "stream cannot be 'no'"),
        ({"vary_prompt": 1}, "vary_prompt cannot be 1"),
        ({"headers": "A: b"}, "headers cannot be 'A: b'"),
        ({"arrivals": "x"}, "no such arrivals"),
        ({"goodput": (("tpot", 1.0),)}, "headers or goodput cannot be so"),
        ({"headers": (("A",),)}, "headers or goodput cannot be so"),
        ({"requests": None}, "a run needs an end"),
        ({"clientz": 4}, "a plan has a field that is not known"),
    ],
)
def test_a_plan_refuses_what_no_run_can_do(fields, happened):
    with pytest.raises(LoadError) as error:
        Plan(**{"url": URL, **fields})
    assert error.value.happened == happened
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [
        "LoadError",
        "saw",
        "try",
    ]


@pytest.mark.parametrize("text", ["", "[]", "3", "{"])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(LoadError, match="the plan is not a JSON object"):
        Plan.from_json(text)


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_the_shares_of_all_workers_are_exactly_the_plan(workers):
    plan = Plan(url=URL, requests=100, clients=10, warmup=5, rate=8.0, seed=4)
    shares = [plan.share(index, workers) for index in range(workers)]
    for name in ("requests", "clients", "warmup"):
        assert sum(getattr(share, name) for share in shares) == getattr(plan, name)
    assert sum(share.rate for share in shares) == pytest.approx(8.0)
    assert [share.seed for share in shares] == [4 + index for index in range(workers)]
    assert [(share.worker, share.workers) for share in shares] == [
        (index, workers) for index in range(workers)
    ]
    same = set(FIELDS) - {*"requests clients warmup rate seed worker workers".split()}
    assert all(getattr(share, name) == getattr(plan, name) for share in shares for name in same)


def test_a_share_by_time_has_no_number_of_requests():
    share = Plan(url=URL, requests=None, seconds=3.0).share(1, 2)
    assert (share.requests, share.seconds, share.clients) == (None, 3.0, 25)


def test_a_worker_without_work_is_refused():
    with pytest.raises(LoadError, match="a worker would have nothing to do"):
        Plan(url=URL, clients=3).share(0, 4)
    with pytest.raises(LoadError, match="no such worker"):
        Plan(url=URL).share(4, 4)
