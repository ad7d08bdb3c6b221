"""Ctrl-C as a flag: an exception between two counts would tear a result."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Protocol

    class Loop(Protocol):
        """What looks at its flag in each round."""

        interrupted: bool


@contextmanager
def interrupts(loop: Loop) -> Iterator[None]:
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
