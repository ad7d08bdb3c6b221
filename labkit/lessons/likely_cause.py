"""`lab.load_test`, whose error also names the classic mistake that the namespace looks like.

The load test itself is measure/load_test.py, which knows nothing of lessons.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from labkit.errors import Unreachable
from labkit.kube import session
from labkit.lessons import hints
from labkit.measure import load_repeat
from labkit.measure import load_test as measured


def command(words: list[str]) -> int:
    """`./lab load WORDS`; its exit code."""
    with named():
        code: int = (load_repeat if load_repeat.wanted(words) else measured).command(words)
        return code


@contextmanager
def named() -> Iterator[None]:
    """A target that does not answer is reported with the likely mistake, if there is one."""
    try:
        yield
    except Unreachable as error:
        mistake = hints.likely(session.current())
        if not mistake:
            raise
        saw = f"{error.saw}; likely: {mistake.cause}"
        raise Unreachable(error.happened, saw, mistake.fix) from None


# a decorator that keeps the signature, for editors and type checkers too
load_test = named()(measured.load_test)
load_test.__module__ = __name__
