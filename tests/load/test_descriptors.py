"""Real-time priority, timers, and the memory of this process alone."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from labkit.load import descriptors, engine
from labkit.load.errors import LoadError
from labkit.load.plan import Plan
from tests.load.misbehaving import good, serving


def test_real_time_priority_that_is_refused_is_told(monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(LoadError) as error:
        descriptors.run_first()
    assert str(error.value).splitlines() == [
        "LoadError: no real-time priority for this process",
        "saw: [Errno 1] Operation not permitted",
        "try: run it as root, or without --realtime",
    ]


def test_memory_is_this_process_own_and_not_what_its_parent_had():
    ballast = bytearray(b"x" * 300_000_000)
    code = "from labkit.load.descriptors import max_rss_bytes; print(max_rss_bytes())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1_000_000 < int(run.stdout) < 100_000_000 < len(ballast)


def test_a_run_is_woken_when_it_asked_to_be_and_leaves_the_threads_timer_as_it_was():
    slack = Path(f"/proc/{threading.get_native_id()}/timerslack_ns")
    before = slack.read_text()
    with serving(good) as server:
        plan = Plan(url=server.url, requests=2, clients=1)
        seen = []
        engine.run(plan, on_end=lambda *_: seen.append(slack.read_text().strip()))
    assert seen == ["1", "1"]
    assert slack.read_text() == before


def test_a_system_without_that_setting_does_without_it(monkeypatch):
    monkeypatch.setattr(descriptors, "get_native_id", lambda: 0)
    with descriptors.punctual():
        assert threading.get_native_id() > 0
