"""Jobs: in the order of their needs, a few at a time, stopped by the first failure."""

import threading
import time

import pytest

from labkit.errors import BuildFailed, LabError
from labkit.setup.host import jobs, shell
from labkit.setup.host.jobs import Job


def test_a_job_starts_after_all_that_it_needs():
    done: list[str] = []
    work = [
        Job("node", lambda: done.append("node"), ("base", "binaries")),
        Job("base", lambda: done.append("base")),
        Job("binaries", lambda: done.append("binaries")),
    ]
    jobs.run(work)
    assert set(done[:2]) == {"base", "binaries"}
    assert done[2] == "node"


def test_needs_that_are_there_already_are_no_jobs_and_no_obstacle():
    done: list[str] = []
    jobs.run([Job("image", lambda: done.append("image"), ("base that is there",))])
    assert done == ["image"]


def test_independent_jobs_overlap():
    both = threading.Barrier(2, timeout=10)
    jobs.run([Job("a", both.wait), Job("b", both.wait)], at_a_time=2)


def test_the_first_failure_is_raised_and_nothing_that_needs_it_runs(tmp_path):
    def fail():
        raise BuildFailed("no", "no", "no", log=tmp_path)

    done: list[str] = []
    with pytest.raises(BuildFailed):
        jobs.run([Job("a", fail), Job("b", lambda: done.append("b"), ("a",))])
    assert done == []


def test_a_failure_ends_the_commands_that_run_and_lets_no_other_begin():
    """Also after Ctrl-C: nobody waits for a build whose result nobody wants."""
    started = threading.Event()
    second: list[str] = []

    def long() -> None:
        started.set()
        try:
            shell.run("sleep", "60", timeout_s=60)
        except LabError:
            shell.run("echo")
            second.append("ran")

    def fail() -> None:
        started.wait(10)
        time.sleep(0.3)
        raise BuildFailed("no", "no", "no", log="log")

    begun = time.monotonic()
    with pytest.raises(BuildFailed):
        jobs.run([Job("long", long), Job("fail", fail)])
    assert time.monotonic() - begun < 20
    assert second == []
    assert shell.output("echo", "again") == "again"
