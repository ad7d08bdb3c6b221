"""labkit/setup/host/cpu_share.py: the rest of each core is taken, and given back in any case."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.errors import Unsupported
from labkit.setup.host import cpu_share, speed

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="real-time priority needs root")


@pytest.fixture(autouse=True)
def measured(monkeypatch) -> list[float]:
    """Of which share of each core the machine was measured, each time."""
    seen: list[float] = []

    def rate() -> tuple[float, str]:
        seen.append(speed.share())
        return 25.0, ""

    monkeypatch.setattr(speed, "_rate", rate)
    monkeypatch.setattr(speed, "cpus", lambda: 2.0)
    monkeypatch.delenv("LAB_SPEED")
    return seen


def takers(parent: int) -> list[int]:
    """The processes of a parent's that take the rest."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"labkit.setup.host.cpu_share" in words and str(parent).encode() in words:
            found.append(int(folder.name))
    return found


# prints CPU seconds for each second of one that could use a whole core
BUSY = """
import time
wall = time.monotonic()
while time.monotonic() < wall + 1: pass
print(time.process_time() / (time.monotonic() - wall))
"""


@pytest.mark.parametrize("text", ["0", "-1", "1.01", "nan", "inf", "0.01", "half", ""])
def test_a_share_that_is_none_is_refused_in_three_lines(text):
    with pytest.raises(Unsupported) as raised:
        cpu_share.parsed(text)
    assert str(raised.value).splitlines() == [
        "Unsupported: --cpu takes the share of each core that is left, a number up to 1",
        f"saw: --cpu {text}".rstrip(),
        "try: ./lab test --cpu 0.25; the least is 0.05",
    ]


@needs_root
def test_a_busy_process_on_each_core_gets_no_more_than_its_share(measured):
    cores = os.sched_getaffinity(0)
    with cpu_share.left(0.25):
        found = takers(os.getpid())
        assert {core for pid in found for core in os.sched_getaffinity(pid)} == cores
        assert {os.sched_getscheduler(pid) for pid in found} == {os.SCHED_FIFO}
        words = [sys.executable, "-I", "-S", "-c", BUSY]
        busy = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in cores]
        shares = [float(one.communicate()[0]) for one in busy]
    # a quarter; half, because the kernel counts coarsely. A whole core gives 1
    assert sum(shares) < 0.5 * len(cores)
    assert all(share > 0 for share in shares)


# prints the milliseconds of one second in which it ran on this core
RAN = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
found, end = set(), float(sys.argv[2])
while (now := time.monotonic()) < end: found.add(int(now * 1000))
print(*found)
"""


@needs_root
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="of two cores")
def test_all_cores_are_left_at_the_same_time(measured):
    with cpu_share.left(0.25):
        words = [sys.executable, "-I", "-S", "-c", RAN]
        end = str(time.monotonic() + 2)
        ran = [
            subprocess.Popen([*words, str(core), end], stdout=subprocess.PIPE, text=True)
            for core in sorted(os.sched_getaffinity(0))[:2]
        ]
        for each in ran:
            turns = [int(ms) % 10 for ms in each.communicate()[0].split()]
            # the last quarter of each, and a little late
            assert sum(ms in (7, 8, 9, 0) for ms in turns) > 0.8 * len(turns)


@needs_root
def test_the_machine_is_measured_under_the_share_and_again_after_it(measured):
    speed.ensure()
    with pytest.raises(KeyboardInterrupt), cpu_share.left(0.5):
        assert speed.relative() == speed.thread() == 0.5
        raise KeyboardInterrupt
    assert speed.relative() == 1.0
    assert measured == [1.0, 0.5, 1.0]
    assert takers(os.getpid()) == []


HOLDS = """
import time
from labkit.setup.host import cpu_share
from labkit.setup.host import speed
speed._rate = lambda: (25.0, '')
with cpu_share.left(0.5):
    print("held", flush=True)
    time.sleep(60)
"""


@needs_root
def test_after_a_kill_nothing_is_taken_and_the_next_one_measures_the_whole_machine(measured):
    with subprocess.Popen(
        [sys.executable, "-P", "-c", HOLDS], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert takers(holder.pid)
        holder.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while (left := takers(holder.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in left:  # else they take the rest for good
        os.kill(pid, signal.SIGKILL)
    assert left == []
    assert speed.known().share == 0.5
    speed.ensure()  # as `./lab up` does, which the build tier runs
    assert speed.known().share == 1.0


def test_the_whole_machine_needs_no_right_and_no_measure(measured):
    with cpu_share.left(1):
        assert takers(os.getpid()) == []
    assert measured == []


@needs_root
def test_without_the_right_to_it_three_lines_say_so():
    code = (
        "from labkit.setup.host import cpu_share\n"
        "from labkit.errors import Unsupported\n"
        "try:\n"
        "    with cpu_share.left(0.5): print('held')\n"
        "except Unsupported as error: print(error)\n"
    )
    words = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", sys.executable]
    words += ["-P", "-c", code]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
    assert said[0] == "Unsupported: no real-time priority, which --cpu needs"
    assert said[1] == "saw: PermissionError: [Errno 1] Operation not permitted"
    assert said[2].startswith("try: run it as root")
