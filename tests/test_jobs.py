"""Jobs: in the order of their needs, a few at a time, stopped by the first failure."""

import threading

import pytest

from labkit.bringup import jobs
from labkit.bringup.jobs import Job
from labkit.errors import BuildFailed


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
