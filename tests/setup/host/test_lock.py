"""One command at a time on a lab."""

import fcntl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from labkit.errors import TimedOut
from labkit.setup.host import lock, paths
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


def test_a_holder_is_seen_and_its_end_too(holder):
    assert lock.is_held()
    holder.kill()
    holder.wait(10)
    assert not lock.is_held()


def test_those_that_look_at_the_same_moment_do_not_see_each_other(tmp_path):
    assert not lock.is_held()  # no command was ever at work
    with lock.held(Reporter()):
        pass
    with paths.state("lock").open("rb") as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)  # as another look does, in the middle of which this is
        assert not lock.is_held()
    with ThreadPoolExecutor(8) as several:
        assert not any(several.map(lambda _: lock.is_held(), range(400)))


def test_a_command_that_begins_while_another_looks_does_not_wait_for_it(capsys):
    with lock.held(Reporter()):
        pass
    with paths.state("lock").open("rb") as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        end = threading.Timer(0.1, lambda: fcntl.flock(looks, fcntl.LOCK_UN))
        end.start()
        with lock.held(Reporter()):
            end.join()
    assert capsys.readouterr().out == ""


def test_the_lock_is_free_again_after_the_block():
    for _ in range(2):
        with lock.held(Reporter(), wait_s=0):
            pass
