"""One command at a time on a lab."""

import subprocess
import sys

import pytest

from labkit.errors import TimedOut
from labkit.setup.host import lock
from labkit.setup.host.progress import Reporter

HOLD = """
from labkit.setup.host import lock, progress
with lock.held(progress.Reporter()):
    print('held', flush=True)
    input()
"""


@pytest.fixture
def holder():
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_waits_says_so_and_gives_up_at_its_limit(holder, capsys):
    with pytest.raises(TimedOut), lock.held(Reporter(), wait_s=0.3):
        pytest.fail("the lock was not exclusive")
    assert capsys.readouterr().out.splitlines() == [
        "Another ./lab command is at work on this machine.",
        "waiting for it to end ...",
    ]


def test_a_killed_holder_frees_the_lock(holder, capsys):
    holder.kill()
    holder.wait(10)
    with lock.held(Reporter(), wait_s=5):
        assert capsys.readouterr().out == ""


def test_the_lock_is_free_again_after_the_block():
    for _ in range(2):
        with lock.held(Reporter(), wait_s=0):
            pass
