"""The lines of an answer, each as it comes; silence is reported every second."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import urllib3

TICK_S = 1.0


def lines(
    answer: urllib3.BaseHTTPResponse, deadline: float, failed: Callable[[Exception], Exception]
) -> Iterator[str | None]:
    """The lines; None when there was none for a second. Ends with the answer or at the deadline.

    Raises what `failed` makes of what ended it too early.
    """
    if answer.connection and answer.connection.sock:
        answer.connection.sock.settimeout(None)  # from now on silence is no failure
    feed: queue.Queue[str | Exception | None] = queue.Queue(maxsize=1000)
    threading.Thread(target=_feed, args=(answer, feed), daemon=True).start()
    try:
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                line = feed.get(timeout=min(TICK_S, left_s))
            except queue.Empty:
                yield None
                continue
            if line is None:
                return
            if isinstance(line, Exception):
                raise failed(line)
            yield line
    finally:
        with suppress(RuntimeError, ValueError):  # nothing to end: it was read whole
            answer.shutdown()  # ends the thread's reading
        _drain(feed)


def split(chunks: Iterable[bytes]) -> Iterator[str]:
    r"""The lines in these pieces. They end at LF alone: others are text, in JSON and in logs.

    >>> list(split([b"a\xc2", b"\x85b\n\nc"]))
    ['a\x85b', '', 'c']
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def _feed(answer: urllib3.BaseHTTPResponse, feed: queue.Queue) -> None:
    """Whole lines into the queue; an Exception or None at the end."""
    try:
        for line in split(answer.stream(2**16)):
            feed.put(line)
        feed.put(None)
    except Exception as error:  # handed on to the reader, who raises it
        feed.put(error)


def _drain(feed: queue.Queue) -> None:
    """A thread that waits to put its last lines can end."""
    while True:
        try:
            feed.get_nowait()
        except queue.Empty:
            return
