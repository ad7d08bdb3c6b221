"""What the system allows and counts: open files, priority, timers, memory."""

from __future__ import annotations

import os
import resource
import sys
from _thread import get_native_id
from collections.abc import Iterator
from contextlib import contextmanager

from labkit.load.errors import LoadError

SPARE = 16  # the poller, the resolver's sockets, what a notebook opens meanwhile


def ensure(connections: int) -> None:
    """Room for so many sockets: raises the soft limit, or LoadError when the hard one is lower."""
    try:
        open_now = len(os.listdir("/dev/fd"))  # noqa: PTH208 - pathlib costs 4 ms
    except OSError:
        open_now = SPARE
    needed = connections + open_now + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise LoadError(
            f"{connections} connections need {needed} open files, this process may have {hard}",
            f"ulimit -n is {soft}, ulimit -Hn is {hard}",
            f"-c {hard - open_now - SPARE}, --processes, or a higher limit (ulimit -Hn, as root)",
        )
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:
        hint = f"-c {soft - open_now - SPARE}, or ulimit -n {needed}"
        raise LoadError(f"the limit of {soft} open files stays", str(error), hint) from None


def run_first() -> None:
    """Real-time priority for this process and its workers; raises LoadError.

    What wakes up to send at a set time waits for its turn otherwise, milliseconds on a busy CPU.
    The kernel leaves 5 % of a CPU to the others (sched_rt_runtime_us).
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError) as error:  # macOS has no such call
        hint = "run it as root, or without --realtime"
        raise LoadError("no real-time priority for this process", str(error), hint) from None


@contextmanager
def punctual() -> Iterator[None]:
    """While it holds, this thread is woken when it has to be: Linux takes 0.05 ms more else."""
    slack = f"/proc/{get_native_id()}/timerslack_ns"
    try:
        with open(slack, encoding="ascii") as file:  # noqa: PTH123 - pathlib costs 4 ms
            before = file.read()
        _write(slack, "1")
    except OSError:  # no Linux, or none that has it: later by a little
        yield
        return
    try:
        yield
    finally:
        _write(slack, before)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)


def max_rss_bytes() -> int:
    """The most memory this process has had."""
    if sys.platform == "linux":  # getrusage counts what the parent had when it forked
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            words = next((line.split() for line in file if line.startswith("VmHWM:")), None)
        if words:
            return int(words[1]) * 1024
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
