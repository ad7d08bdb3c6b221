"""A machine without the kernel's stamps, and one whose clock is set while a run goes on."""

import socket
import time

import pytest

from labkit.load import clock, connection, engine, exchange
from labkit.load.plan import Plan
from tests.load.misbehaving import good, never_answers, serving, streams

pytestmark = pytest.mark.usefixtures("none_leaked")

NO_SUCH_OPTION = 9999
HOUR_NS = 3_600_000_000_000


def planned(url: str, **fields: object) -> Plan:
    usual = {"requests": 40, "clients": 4, "timeout_s": 15.0, "api": "generate", "model": "tiny"}
    return Plan(url=url, method="POST", **{**usual, **fields})


def test_without_kernel_stamps_the_run_goes_on_and_the_verdict_says_so(monkeypatch):
    monkeypatch.setattr(connection, "SO_TIMESTAMPNS", NO_SUCH_OPTION)
    with serving(streams) as server:
        result = engine.run(planned(server.url))
    assert (result.succeeded, result.failed) == (40, 0)
    plain = result.plain()
    assert plain["client"]["timestamps"] == "user"
    assert plain["client"]["delay_ms"] is None
    (said,) = [note for note in plain["trust"]["notes"] if "timestamp" in note]
    reads = result.reads  # a busy machine has several lines in one
    assert 40 <= result.unstamped_reads == reads
    assert said.startswith(f"{reads} reads had no kernel timestamp: what they held came between")
    for metric in ("ttft_ms", "gap_ms", "latency_ms"):  # not one of them is known exactly
        assert plain[metric]["low"]["mean"] < plain[metric]["high"]["mean"]
    assert plain["ttft_ms"]["count"] == plain["latency_ms"]["count"] == 40
    assert 0 < plain["ttft_ms"]["min"] <= plain["latency_ms"]["max"]


@pytest.mark.usefixtures("stamping")
def test_with_kernel_stamps_the_verdict_does_not_speak_of_them():
    with serving(good) as server:
        result = engine.run(planned(server.url))
    plain = result.plain()
    assert plain["client"]["timestamps"] == "kernel"
    assert plain["client"]["delay_ms"]["count"] >= 40
    assert not [note for note in plain["trust"]["notes"] if "timestamp" in note]


@pytest.fixture
def stamping():
    """The kernel stamps what comes: it begins to some time after the first socket asked for it."""
    with socket.socket(type=socket.SOCK_DGRAM) as asks:
        asks.setsockopt(socket.SOL_SOCKET, connection.SO_TIMESTAMPNS, 1)
        asks.bind(("127.0.0.1", 0))
        asks.settimeout(1)
        for _ in range(1000):
            asks.sendto(b"?", asks.getsockname())
            if asks.recvmsg(1, 64)[1]:
                break
            time.sleep(0.001)
        yield


@pytest.mark.usefixtures("stamping")
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

        monkeypatch.setattr(exchange, "Connection", Late)
        plan = planned(server.url, requests=300, clients=1, keep_alive=False, stream=False)
        result = engine.run(plan)
    assert (result.succeeded, result.unstamped_reads) == (300, unstamped)
    assert result.timestamps == clock_of
    assert bool([note for note in result.notes() if "timestamp" in note]) == (clock_of == "user")


def test_reads_of_a_client_that_stood_still_are_in_its_delay(monkeypatch):
    """Later than LATE_NS, as on a CPU that it was kept from."""
    stood_s = 2 * engine.LATE_NS / 1e9

    def stands_still(_: engine.Engine) -> float:
        time.sleep(stood_s)
        return 0

    monkeypatch.setattr(engine.Engine, "_rest", stands_still)
    with serving(good) as server:
        result = engine.run(planned(server.url, requests=4))
    delay = result.plain()["client"]["delay_ms"]
    assert delay["p99"] > stood_s * 0.9e3
    assert result.metrics["latency_ms"].bounds(0.5)[1] < stood_s * 0.5e3  # not in the figures
    assert not [doubt for doubt in result.doubts() if "(p99)" in doubt]  # nor does it spoil them


@pytest.mark.parametrize("step_ns", [HOUR_NS, -HOUR_NS], ids=["forward", "back"])
def test_the_kernels_stamps_from_before_the_clock_was_set_are_not_taken(monkeypatch, step_ns):
    with serving(streams) as server:
        monkeypatch.setattr(clock, "time", Stepped(server, 20, step_ns))
        result = engine.run(planned(server.url, clients=8, requests=80))
    assert (result.succeeded, result.clock_steps) == (80, 1)
    assert result.unstamped_reads > 8
    plain = result.plain()
    for metric in ("ttft_ms", "latency_ms"):
        assert 0 < plain[metric]["min"] <= plain[metric]["max"] < 10_000
    assert plain["gap_ms"]["max"] < 10_000


class OutOfTheCpu:
    """A realtime clock whose first reading takes long: another process has the CPU."""

    def __init__(self) -> None:
        self.readings = 0

    def time_ns(self) -> int:
        self.readings += 1
        if self.readings == 1:
            time.sleep(0.01)
        return time.time_ns()


def test_the_clocks_are_read_again_when_something_came_between(monkeypatch):
    between = OutOfTheCpu()
    monkeypatch.setattr(clock, "time", between)
    ahead = clock.Clock().ahead()
    assert between.readings > 1
    assert abs(ahead - (time.time_ns() - time.monotonic_ns())) < 5_000_000


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
    assert "the clock was set 1 time" in result.reasons
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
