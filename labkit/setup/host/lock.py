"""One `up` or `down` at a time: the second waits and says so. A killed one frees the lock."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import filelock

from labkit.errors import TimedOut
from labkit.setup.host import paths, speed
from labkit.setup.host.progress import Reporter

LOOK_S = 1.0  # `is_held` of another command holds it for a moment
WAIT_S = 5400  # as long as the longest cold build may take, on the reference machine


def is_held() -> bool:
    """Is an `up`, `notebook` or `down` at work on this machine? It changes nothing."""
    try:
        with paths.state("lock").open("rb") as file:
            # shared, which filelock has not: several that look at the same moment do not take each
            # other for an `up`
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False  # closing the file has freed it


@contextmanager
def held(reporter: Reporter, wait_s: float | None = None) -> Iterator[None]:
    """Hold the lab's lock while the block runs. Raise TimedOut after `wait_s` seconds."""
    wait_s = speed.deadline(WAIT_S, wait_s)
    paths.state().mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(paths.state("lock"))
    try:
        try:
            lock.acquire(timeout=min(LOOK_S, wait_s))
        except filelock.Timeout:
            reporter.say("Another ./lab command is at work on this machine.")
            with reporter.task("waiting for it to end"):
                lock.acquire(timeout=wait_s)
    except filelock.Timeout:
        raise TimedOut(
            f"another ./lab command still holds the lab after {wait_s:.0f} s",
            f"the lock {paths.state('lock')} is taken",
            "wait for it or end it, then try again",
        ) from None
    try:
        yield
    finally:
        lock.release()
