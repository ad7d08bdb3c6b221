"""Ctrl-C as a flag: an exception between two counts would tear a result."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts(loop: object) -> Iterator[None]:
    """While it holds, Ctrl-C sets `loop.interrupted`."""

    def stop(*_: object) -> None:
        loop.interrupted = True

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread: Python gives Ctrl-C to that one
        yield
        return
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # workers are started without
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
