"""Waits that look again and again: the deadline, the pauses, what is said when the time is up."""

from __future__ import annotations

import time
from collections.abc import Callable

from labkit.errors import LabError, TimedOut
from labkit.setup.host import shell


class Poll:
    """A wait of `limit_s` seconds that looks every `every_s`; its time runs from here on.

        poll = Poll(speed.deadline(30), every_s=0.1)
        while not answers():
            poll.not_yet("it did not answer", last_words, "docker logs lab-registry")

    The first look is at once, and one that succeeds costs no pause.
    """

    def __init__(self, limit_s: float, *, every_s: float) -> None:
        self.limit_s = limit_s
        self._every_s = every_s
        self._begun = time.monotonic()

    @property
    def deadline(self) -> float:
        """On the clock of time.monotonic(): for `outage.asked_again`."""
        return self._begun + self.limit_s

    @property
    def waited_s(self) -> float:
        return time.monotonic() - self._begun

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline

    def not_yet(
        self,
        happened: str,
        saw: str | Callable[[], str],
        hint: str,
        *,
        error: type[LabError] = TimedOut,
    ) -> None:
        """Pause before the next look. Raises `error` when the time is up.

        `happened` says what was waited for, `saw` what the last look saw; a function is only
        called for the error.
        """
        if self.is_over:
            raise error(happened, saw() if callable(saw) else saw, hint) from None
        self.pause()

    def pause(self) -> None:
        """The same for a wait that ends in another way than with an error."""
        pause(self._every_s)


def pause(seconds: float) -> None:
    """Between two looks. Ctrl-C ends it, here and in the other jobs of `./lab up`.

    It is not told as a consequence of what the last look failed with. Raises CommandFailed in a
    job, where the main thread got the Ctrl-C.
    """
    try:
        time.sleep(seconds)
    except KeyboardInterrupt as stop:
        raise stop from None
    shell.go_on()
