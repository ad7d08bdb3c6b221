"""An open loop sends when a request is due, whatever comes back, and counts from then on."""

import time

import pytest

from labkit.load import engine
from labkit.load.plan import Plan
from tests.load.answers import CHUNKED, chunk
from tests.load.misbehaving import FIRST, GOOD, STREAM_S, Client, good, never_answers, serving

pytestmark = pytest.mark.usefixtures("none_leaked")

ANSWER_S = 0.02


def answers_after_a_while(client: Client) -> None:
    client.request()
    time.sleep(ANSWER_S)
    client.send(CHUNKED, chunk(FIRST))
    time.sleep(STREAM_S)
    client.send(GOOD.removeprefix(CHUNKED + chunk(FIRST)))


def planned(url: str, **fields: object) -> Plan:
    usual = {"clients": 64, "timeout_s": 15.0, "api": "generate", "model": "tiny"}
    return Plan(url=url, method="POST", **{**usual, **fields})


@pytest.mark.parametrize("kind", ["constant", "poisson"])
def test_requests_are_sent_though_none_is_answered(kind):
    with serving(never_answers) as server:
        plan = planned(server.url, requests=40, rate=200.0, arrivals=kind, timeout_s=0.6)
        result = engine.run(plan)
    assert (server.requests, result.failures["timeout"]) == (40, 40)


def test_a_queue_of_the_client_is_part_of_the_latency():
    """One connection, an answer takes four times as long as the next request is away."""
    with serving(answers_after_a_while) as server:
        result = engine.run(planned(server.url, requests=12, rate=200.0, clients=1))
    assert (result.succeeded, result.failed) == (12, 0)
    plain = result.plain()
    last_due_ms, last_sent_ms = 11 * 5, 11 * ANSWER_S * 1000
    assert plain["schedule_deviation_ms"]["max"] >= last_sent_ms - last_due_ms
    assert plain["latency_ms"]["max"] >= last_sent_ms + ANSWER_S * 1000 - last_due_ms
    assert plain["ttft_ms"]["max"] >= last_sent_ms + ANSWER_S * 1000 - last_due_ms
    assert plain["trust"]["verdict"] == "doubtful"


def test_arrivals_that_found_no_connection_until_the_end_are_told():
    with serving(never_answers) as server:
        plan = planned(server.url, rate=100.0, clients=2, timeout_s=0.6)
        result = engine.run(plan.replace(requests=None, seconds=0.4))
    assert result.started == server.requests == 2
    assert "38 arrivals found no free connection: never sent" in result.reasons


def test_a_warm_up_goes_before_the_schedule_and_is_not_counted():
    with serving(good) as server:
        result = engine.run(planned(server.url, requests=20, rate=400.0, warmup=15))
    assert (result.started, result.succeeded, server.requests) == (20, 20, 35)
    plain = result.plain()
    assert plain["latency_ms"]["count"] == plain["schedule_deviation_ms"]["count"] == 20


def test_a_run_of_some_seconds_sends_what_is_due_in_them():
    with serving(good) as server:
        plan = planned(server.url, rate=100.0, requests=None, seconds=0.4)
        result = engine.run(plan)
    assert (result.started, result.succeeded, server.requests) == (40, 40, 40)
    assert result.duration_s >= 0.39


def test_when_time_is_over_nothing_waits_for_a_connection():
    """The first answer frees a client, for which there is no more to do."""
    takes_s = iter([0.5])

    def one_sooner(client: Client) -> None:
        client.request()
        time.sleep(next(takes_s, 1.5))
        client.send(GOOD)

    with serving(one_sooner) as server:
        plan = planned(server.url, requests=None, seconds=0.3, rate=100.0, clients=6)
        result = engine.run(plan)
    assert result.succeeded == 6
    assert "24 arrivals found no free connection: never sent" in result.reasons
    assert result.cpu_s < 0.4 * result.duration_s


def test_a_first_token_that_nobody_saw_was_not_in_time():
    with serving(good) as server:
        limits = (("ttft", 10_000.0),)
        seen = engine.run(planned(server.url, requests=4, goodput=limits))
        url = f"{server.url}/elsewhere"
        unseen = engine.run(planned(url, requests=4, goodput=limits, api=None, model=None))
    assert (seen.good, unseen.good) == (4, 0)
    assert unseen.succeeded == 4


def test_a_look_at_the_clock_does_not_hold_up_what_is_due_just_after_it():
    """A poll waits whole milliseconds: one for the tick may not reach beyond the next arrival."""
    with serving(good) as server:
        loop = engine.Engine(planned(server.url, requests=1, rate=1.0), None, 1.0)
        try:
            now = time.monotonic_ns()
            loop.next_tick, loop.due = now + 200_000, now + 300_000
            assert loop._rest() == 0
        finally:
            loop.exchanges.close()
