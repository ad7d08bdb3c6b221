"""For every test of the load engine: a deadline, and no descriptor more than before."""

import contextlib
import faulthandler
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

DEADLINE_S = 30  # of one test: what hangs is told where


def descriptors() -> dict[int, str]:
    """The open files of this process."""
    found = {}
    for entry in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):  # the one that the listing needed
            found[int(entry.name)] = str(entry.readlink())
    return found


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    def over(*_: object) -> None:
        faulthandler.dump_traceback()
        raise TimeoutError(f"the test hangs: {DEADLINE_S} s are over")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(DEADLINE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def none_leaked() -> Iterator[None]:
    """Fails a test that ends with more open files than it had at its start."""
    before = descriptors().items()
    yield
    # what an earlier test's server still held may close meanwhile
    assert descriptors().items() - before == set()
