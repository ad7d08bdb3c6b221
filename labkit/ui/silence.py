"""Says in a live line what a long wait is for, as long as nothing has come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labkit.ui.live import Live

SILENT_S = 5.0  # a model that is loaded answers sooner


@contextmanager
def silence(live: Live, text: str) -> Iterator[Callable[[], None]]:
    """Show the text and the seconds while the block waits; what it gives is called to end that.

    >>> with Live("ask") as live, silence(live, "no word yet") as heard:
    ...     heard()
    ...     live.done("a word")
    ✓ a word
    """
    is_over = threading.Event()
    begun = time.monotonic()

    def tell() -> None:
        is_first = True
        while not is_over.wait(SILENT_S if is_first else 1.0):
            seconds = time.monotonic() - begun
            live.show(f"{seconds:.0f} s, {text}", milestone=is_first)
            is_first = False

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()

    def heard() -> None:
        if not is_over.is_set():
            is_over.set()
            teller.join()  # else it could still show over what has come

    try:
        yield heard
    finally:
        heard()
