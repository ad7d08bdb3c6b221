"""A slower machine to test on: `./lab test --cpu 0.25` leaves a quarter of each core to all else.

On each core a real-time process takes the rest, in turns of 10 ms, of everything that runs: the
nodes and their Pods, the engine, the clients. It is not a CPU quota, because

- cgroup v1 refuses a Pod whose own limit is above the quota of its node,
- of two cores' quota one thread may take all, and is then no slower than before,
- a quota is left behind by a program that is killed. These processes end with the one that
  started them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from labkit.errors import Unsupported
from labkit.setup.host import speed

LEAST = 0.05  # the kernel leaves that to the others (sched_rt_runtime_us)
TURN_S = 0.01
PRIORITY = 10  # above `./lab load --realtime`


def parsed(text: str) -> float:
    """The share that a person gave. Raises Unsupported for what is none.

    >>> parsed("0.25")
    0.25
    """
    try:
        share = float(text)
    except ValueError:
        share = 0
    if not LEAST <= share <= 1:
        happened = "--cpu takes the share of each core that is left, a number up to 1"
        hint = f"./lab test --cpu 0.25; the least is {LEAST}"
        raise Unsupported(happened, f"--cpu {text}", hint)
    return share


def allowed() -> bool:
    """May this process take the rest of a core from all others?"""
    code = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    return not subprocess.run([sys.executable, "-I", "-c", code], capture_output=True).returncode


@contextmanager
def left(share: float) -> Iterator[None]:
    """While the block runs, this share of each core is left, and the machine's measure is of it.

    Of one that was killed the measure stays; the next `./lab up` takes another. Raises Unsupported
    without the right to real-time priority.
    """
    if share == 1 or speed.share() < 1:  # somebody who started this has taken the rest already
        yield
        return
    takers: list[subprocess.Popen] = []
    try:
        for core in sorted(os.sched_getaffinity(0)):
            takers.append(_taker(core, share))
            _require(takers[-1])
        os.environ[speed.SHARE] = str(share)
        speed.ensure()
        yield
    finally:
        for taker in takers:
            taker.kill()
        for taker in takers:
            taker.communicate()
        if os.environ.pop(speed.SHARE, None):
            speed.ensure()


def _taker(core: int, share: float) -> subprocess.Popen:
    words = [str(word) for word in (core, share, os.getpid())]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "labkit.setup.host.cpu_share", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for those who clean up
    )


def _require(taker: subprocess.Popen) -> None:
    if not taker.stdout.readline():
        said = taker.communicate()[1].strip().splitlines()
        raise Unsupported(
            "no real-time priority, which --cpu needs",
            said[-1] if said else "no word",
            "run it as root, on the machine itself or in a container with CAP_SYS_NICE",
        )


def take(core: int, share: float, parent: int) -> None:
    """Take the rest of a core from all others, until the parent has ended."""
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    print("ready", flush=True)
    turn = _turn(time.monotonic())
    while os.getppid() == parent:
        while time.monotonic() < turn + TURN_S * (1 - share):
            pass
        now = time.monotonic()
        turn = max(turn + TURN_S, _turn(now))  # turns that were missed are not made up for
        time.sleep(max(turn - now, 0))


def _turn(now: float) -> float:
    """When the turn of that moment began, on every core the same.

    Else threads that wait for each other, as Ollama's do, would have of each core's quarter only
    what falls together: a sixteenth, which no slower machine does to them.

    >>> round(_turn(12.3456), 3)
    12.34
    """
    return now - now % TURN_S


if __name__ == "__main__":
    take(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
