"""Progress: plain lines where nobody watches, never silent, estimates from the last run."""

import io
import time

import pytest
from rich.console import Console

from labkit.setup.host import progress
from labkit.setup.host.progress import Reporter, minutes


@pytest.fixture
def reporter():
    made = Reporter()
    made.console = Console(file=io.StringIO(), width=200, highlight=False)
    with made:
        yield made


def said(reporter: Reporter) -> list[str]:
    return reporter.console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.44, "0.4 s"), (37.4, "37 s"), (200, "3 min 20 s"), (59.7, "1 min 00 s")],
)
def test_durations_are_said_as_people_say_them(seconds, words):
    assert minutes(seconds) == words


def test_a_task_says_when_it_starts_and_how_it_ended(reporter):
    with reporter.task("image registry") as task:
        task.note("127.0.0.1:5050")
    assert said(reporter)[0] == "image registry ..."
    assert said(reporter)[1].startswith("image registry: 127.0.0.1:5050 (0.")


def test_a_long_task_is_never_silent(reporter, monkeypatch):
    monkeypatch.setattr(progress, "HEARTBEAT_S", 0.2)
    with reporter.task("build cluster") as task:
        task.note("compiling")
        deadline = time.monotonic() + 60
        while len(said(reporter)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert said(reporter)[1].startswith("  ... build cluster: compiling, ")


def test_a_failed_task_is_not_called_done(reporter):
    with pytest.raises(RuntimeError), reporter.task("cluster"):
        raise RuntimeError
    assert said(reporter) == ["cluster ..."]


def test_the_next_run_estimates_from_this_one(reporter, monkeypatch):
    with reporter.task("cluster"):
        reporter._tasks[0].started -= 95
    later = Reporter()
    later.console = reporter.console
    with later, later.task("cluster"):
        pass
    assert said(reporter)[-2] == "cluster of about 1 min 35 s ..."
