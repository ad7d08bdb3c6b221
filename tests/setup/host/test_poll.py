"""Waits that look again and again: first look at once, last one told, Ctrl-C leaves."""

import signal
import threading
import traceback

import pytest

from labkit.errors import CommandFailed, LabError, TimedOut, Unreachable
from labkit.setup.host import jobs, poll, shell
from labkit.setup.host.jobs import Job
from labkit.setup.host.poll import Poll

LONG_S = 60.0  # for what is ended long before


class Clock:
    """Time that passes only in pauses."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(poll, "time", clock)
    return clock


def until(looks, limit_s: float, every_s: float, **options) -> int:
    """Wait for a look that says True; which one it was."""
    wait, number = Poll(limit_s, every_s=every_s), 1
    while not looks():
        wait.not_yet(f"not there within {limit_s:g} s", f"look {number}", "wait", **options)
        number += 1
    return number


def test_a_first_look_that_succeeds_costs_no_pause(clock):
    assert until(lambda: True, 10, 1) == 1
    assert clock.pauses == []


def test_it_looks_in_the_interval_that_was_asked_for(clock):
    answers = iter([False, False, True])
    assert until(lambda: next(answers), 10, 0.25) == 3
    assert clock.pauses == [0.25, 0.25]


def test_the_time_begins_with_the_wait_and_not_with_the_first_look(clock):
    wait = Poll(10, every_s=4)
    clock.now += 9
    assert (wait.waited_s, wait.deadline, wait.is_over) == (9, 110, False)
    wait.not_yet("not there", "nothing", "wait")
    with pytest.raises(TimedOut):
        wait.not_yet("not there", "nothing", "wait")
    assert clock.pauses == [4]


def test_after_the_deadline_it_says_what_it_waited_for_and_what_the_last_look_saw(clock):
    with pytest.raises(TimedOut) as raised:
        until(lambda: False, 1, 0.5)
    assert str(raised.value) == "TimedOut: not there within 1 s\nsaw: look 3\ntry: wait"
    assert clock.pauses == [0.5, 0.5]  # the third look is at the deadline, none is after it


def test_without_any_time_it_looks_once(clock):
    with pytest.raises(TimedOut, match="look 1"):
        until(lambda: False, 0, 0.5)
    assert clock.pauses == []


def test_the_error_may_be_another_one(clock):
    with pytest.raises(Unreachable, match="look 1"):
        until(lambda: False, 0, 0.5, error=Unreachable)


def test_what_is_costly_to_say_is_asked_for_the_error_alone(clock):
    asked = []

    def last_words() -> str:
        asked.append(clock.now)
        return "its log"

    wait = Poll(1, every_s=1)
    wait.not_yet("not there", last_words, "wait")
    assert asked == []
    with pytest.raises(TimedOut, match="saw: its log"):
        wait.not_yet("not there", last_words, "wait")
    assert asked == [101]


@pytest.mark.parametrize("limit_s", [0.0, LONG_S], ids=["out of time", "Ctrl-C"])
def test_what_the_last_look_failed_with_is_no_part_of_the_traceback(limit_s):
    def look() -> None:
        try:
            raise LabError("the look failed", "nothing", "look again")
        except LabError as error:
            Poll(limit_s, every_s=LONG_S).not_yet("not there", error.saw, "wait")

    if limit_s:  # the interrupt comes in the pause, or pytest would stop here
        threading.Timer(0.1, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)).start()
    with pytest.raises((TimedOut, KeyboardInterrupt)) as raised:
        look()
    assert raised.type is (KeyboardInterrupt if limit_s else TimedOut)
    text = "".join(traceback.format_exception(raised.value))
    assert "the look failed" not in text


def test_another_jobs_end_ends_the_wait_of_this_one():
    waits, ended = threading.Event(), []

    def wait() -> None:
        waits.set()
        try:
            until(lambda: False, LONG_S, 0.02)
        except LabError as error:
            ended.append(type(error))

    def fail() -> None:
        waits.wait(LONG_S)
        raise Unreachable("the other job", "nothing", "again")

    with pytest.raises(Unreachable):
        jobs.run([Job("waits", wait), Job("fails", fail)])
    assert ended == [CommandFailed]  # after LONG_S it would be TimedOut
    shell.go_on()  # what comes after it may run


def test_what_is_ended_says_so(clock):
    shell.end_all()
    try:
        with pytest.raises(CommandFailed, match="all commands are being stopped"):
            poll.pause(1)
    finally:
        shell.begin()
