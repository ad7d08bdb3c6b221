"""An API server that is away for a while is asked again, until a deadline; nowhere else.

One that restarts fails requests in many ways: it refuses or resets a connection, ends it in the
TLS handshake or in the middle of an answer, answers 429, 502, 503 or 504, or 401 and 403 while it
has not read its stores, or ends a watch. Where the request is made each of them becomes ApiSilent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from labkit.errors import ApiSilent, KubeconfigWrong
from labkit.setup.host.poll import pause
from labkit.ui.live import Live

T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0
LONGEST_RETRY_AFTER_S = 10.0  # whatever the API server asks for


class Outage:
    """How long the API server has been away, and when to ask it again."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._pause_s = FIRST_PAUSE_S
        self._since = 0.0
        self._last: ApiSilent | None = None

    def pause_s(self, error: ApiSilent, *, repeatable: bool = False) -> float:
        """Until the next try. Raises the error where none is allowed, or the time is up."""
        if isinstance(error, KubeconfigWrong) or (error.maybe_done and not repeatable):
            raise error
        now = time.monotonic()
        self._since = self._since if self._last else now
        self._last = error
        left_s = self._deadline - now
        if left_s <= 0:
            self.require_over()
        pause_s = max(self._pause_s, min(error.retry_after_s, LONGEST_RETRY_AFTER_S))
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return min(pause_s, left_s)

    def over(self) -> None:
        """It has answered."""
        self._last, self._pause_s = None, FIRST_PAUSE_S

    def require_over(self) -> None:
        """Raise ApiSilent when the server did not answer the last request."""
        if self._last:
            away_s = time.monotonic() - self._since
            happened = f"{self._last.happened}, asked again for {away_s:.0f} s"
            raise ApiSilent(happened, self._last.saw, self._last.hint) from None


def asked_again(
    act: Callable[[], T],
    deadline: float,
    *,
    repeatable: bool = False,
    on_wait: Callable[[str], None] | None = None,
) -> T:
    """What `act` gives, as soon as the API server answers.

    `repeatable` acts may be done twice: they look at what is there, or say what should be. Any
    other is done again only where its change cannot have been made. Raises ApiSilent at the
    deadline, with for how long it was asked and what was seen last; at once for KubeconfigWrong.
    """
    outage = Outage(deadline)
    begun = time.monotonic()
    with ExitStack() as stack:
        live: Live | None = None
        while True:
            try:
                found = act()
            except ApiSilent as error:
                pause_s = outage.pause_s(error, repeatable=repeatable)
                if on_wait is None:
                    live = stack.enter_context(Live("the API server"))
                    on_wait = live.show
                waited_s, limit_s = time.monotonic() - begun, deadline - begun
                on_wait(f"{error.happened}, {waited_s:.0f} s of {limit_s:.0f} s; {error.hint}")
                pause(pause_s)
                continue
            if live:
                live.done(f"the API server answers again, after {time.monotonic() - begun:.1f} s")
            return found
