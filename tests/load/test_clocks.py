"""A machine without the kernel's stamps, and one whose clock is set while a run goes on."""

import time

import pytest

from labkit.load import clock, connection, engine
from labkit.load.plan import Plan
from tests.load.misbehaving import good, never_answers, serving

pytestmark = pytest.mark.usefixtures("none_leaked")

NO_SUCH_OPTION = 9999
HOUR_NS = 3_600_000_000_000


def planned(url: str, **fields: object) -> Plan:
    usual = {"requests": 40, "clients": 4, "timeout_s": 15.0, "api": "generate", "model": "tiny"}
    return Plan(url=url, method="POST", **{**usual, **fields})


def test_without_kernel_stamps_the_run_goes_on_and_the_verdict_says_so(monkeypatch):
    monkeypatch.setattr(connection, "SO_TIMESTAMPNS", NO_SUCH_OPTION)
    with serving(good) as server:
        result = engine.run(planned(server.url))
    assert (result.succeeded, result.failed) == (40, 0)
    plain = result.plain()
    assert plain["client"]["timestamps"] == "user"
    assert plain["client"]["delay_ms"] is None
    assert plain["trust"]["verdict"] == "doubtful"
    said = "40 reads had no kernel timestamp: the client's own delay is part of their figures"
    assert said in plain["trust"]["reasons"]
    assert plain["ttft_ms"]["count"] == plain["latency_ms"]["count"] == 40
    assert 0 < plain["ttft_ms"]["min"] <= plain["latency_ms"]["max"]


def test_with_kernel_stamps_the_verdict_does_not_speak_of_them():
    with serving(good) as server:
        result = engine.run(planned(server.url))
    plain = result.plain()
    assert plain["client"]["timestamps"] == "kernel"
    assert plain["client"]["delay_ms"]["count"] >= 40
    assert not [reason for reason in plain["trust"]["reasons"] if "timestamp" in reason]


@pytest.mark.parametrize(("unstamped", "clock_of"), [(2, "kernel"), (6, "user")])
def test_reads_before_the_kernel_has_begun_to_stamp_are_counted(monkeypatch, unstamped, clock_of):
    """Where nobody else has asked for stamps, the first packets have none."""
    with serving(good) as server:

        class Late(connection.Connection):
            __slots__ = ()

            def open(self, address: tuple) -> int:
                asked = (
                    connection.SO_TIMESTAMPNS if server.requests >= unstamped else NO_SUCH_OPTION
                )
                with monkeypatch.context() as patch:
                    patch.setattr(connection, "SO_TIMESTAMPNS", asked)
                    return super().open(address)

        monkeypatch.setattr(engine, "Connection", Late)
        plan = planned(server.url, requests=300, clients=1, keep_alive=False, stream=False)
        result = engine.run(plan)
    assert (result.succeeded, result.unstamped_reads) == (300, unstamped)
    assert result.timestamps == clock_of
    assert bool([reason for reason in result.reasons if "timestamp" in reason]) == (
        clock_of == "user"
    )


class Stepped:
    """The module `time`, whose realtime clock is set by an hour when `server` has seen enough."""

    def __init__(self, server, requests: int, step_ns: int) -> None:
        self.server, self.requests, self.step_ns = server, requests, step_ns

    def time_ns(self) -> int:
        return time.time_ns() + (self.server.requests >= self.requests) * self.step_ns

    def __getattr__(self, name: str):
        return getattr(time, name)


@pytest.fixture(params=[HOUR_NS, -HOUR_NS], ids=["forward", "back"])
def set_clock(request, monkeypatch):
    """Sets the engine's clock by an hour after so many requests; without kernel stamps."""

    def after(server, requests: int) -> None:
        # stamps of the kernel's own clock would not follow
        monkeypatch.setattr(connection, "SO_TIMESTAMPNS", NO_SUCH_OPTION)
        stepped = Stepped(server, requests, request.param)
        for module in (engine, clock):
            monkeypatch.setattr(module, "time", stepped)

    return after


def test_a_clock_that_is_set_is_told_and_does_not_end_up_in_the_figures(set_clock):
    with serving(good) as server:
        set_clock(server, 20)
        result = engine.run(planned(server.url, requests=60, clients=1, client_rate=200.0))
    assert (result.succeeded, result.failed) == (60, 0)
    assert result.clock_steps == 1
    assert "the clock was set 1 times" in result.reasons
    assert result.duration_s < 10
    # the one request during which it was set cannot be told from a slow one
    assert result.metrics["latency_ms"].quantile(0.9) < 10_000


def test_an_open_loop_keeps_its_schedule_when_the_clock_is_set(set_clock):
    begun = time.monotonic()
    with serving(good) as server:
        set_clock(server, 20)
        result = engine.run(planned(server.url, requests=60, clients=30, rate=100.0))
    assert (result.succeeded, result.failed) == (60, 0)
    assert 0.5 < time.monotonic() - begun < 5
    assert result.clock_steps == 1
    assert 0.5 < result.duration_s < 5


def test_requests_still_run_into_their_time_out_when_the_clock_is_set(set_clock):
    begun = time.monotonic()
    with serving(never_answers) as server:
        set_clock(server, 4)
        result = engine.run(planned(server.url, requests=4, timeout_s=0.5))
    assert result.failures["timeout"] == 4
    assert 0.4 < time.monotonic() - begun < 5
