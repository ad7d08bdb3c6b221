"""One command at a time on a lab."""

import subprocess
import sys

import pytest

from labkit.bringup import lock
from labkit.errors import TimedOut

HOLD = "from labkit.bringup import lock\nwith lock.held(print): print('held', flush=True); input()"


@pytest.fixture
def holder():
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_waits_says_so_and_gives_up_at_its_limit(holder):
    said: list[str] = []
    with pytest.raises(TimedOut), lock.held(said.append, wait_s=0.3):
        pytest.fail("the lock was not exclusive")
    assert said == ["Another ./lab command is at work on this machine: waiting for it to end."]


def test_a_killed_holder_frees_the_lock(holder):
    holder.kill()
    holder.wait(10)
    said: list[str] = []
    with lock.held(said.append, wait_s=5):
        assert said == []
