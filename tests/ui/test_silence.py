"""labkit/ui/silence.py: a long wait is told, and what has come is not painted over."""

import threading
import time

import pytest

from labkit.ui import silence
from labkit.ui.live import Live


def tellers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.endswith("(tell)")]


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError, None])
def test_however_the_wait_ends_nothing_is_told_afterwards(monkeypatch, capsys, end):
    monkeypatch.setattr(silence, "SILENT_S", 0.0)
    shown: list[str] = []
    live = Live("ask")
    monkeypatch.setattr(live, "show", lambda text, milestone: shown.append(text))

    def wait() -> None:
        with silence.silence(live, "no word"):
            while not shown:
                time.sleep(0.01)
            if end:
                raise end

    if end:
        with pytest.raises(end):
            wait()
    else:
        wait()
    assert not tellers()
    assert shown[0] == "0 s, no word"
