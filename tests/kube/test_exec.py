"""labkit/kube/exec.py: what the API server can say instead of running a command."""

import pytest

from labkit.errors import ApiSilent, Refused
from labkit.kube import exec as kubectl_exec
from labkit.kube import session


def no(code: int, ready: int):
    said = {"kind": "Status", "message": "its words", "code": code}
    return lambda handler: handler.send(said, ready if handler.path == "/readyz" else code)


@pytest.mark.parametrize(
    ("code", "ready", "error"),
    [
        (503, 200, ApiSilent),
        (429, 200, ApiSilent),
        (401, 500, ApiSilent),
        (403, 500, ApiSilent),
        (403, 200, Refused),
        (500, 200, Refused),
    ],
)
def test_an_outage_is_told_from_a_refusal(connected, discovery, code, ready, error):
    answer = no(code, ready)
    connected(
        lambda handler: (
            handler.send(discovery[handler.path]) if handler.path in discovery else answer(handler)
        )
    )
    with pytest.raises(error) as raised:
        kubectl_exec.ran(session.current(), "ollama", ("true",))
    assert type(raised.value) is error
    assert not getattr(raised.value, "maybe_done", False)  # nothing has been run


class Socket:
    """What a container writes: (channel, bytes) after each other, and then its end."""

    def __init__(self, *frames: tuple[int, bytes]) -> None:
        self.frames = list(frames)
        self.sock = self
        self.now = (0, b"")

    def is_open(self) -> bool:
        return bool(self.frames)

    def update(self, timeout: float) -> None:
        self.now = self.frames.pop(0) if self.frames else (0, b"")

    def read_channel(self, channel: int) -> bytes:
        if channel == kubectl_exec.ERROR:
            return b'{"status": "Success"}'
        return self.now[1] if self.now[0] == channel else b""

    def close(self) -> None:
        return

    shutdown = close


def test_escape_sequences_go_wherever_frames_end_and_the_text_stays(monkeypatch):
    frames = [
        (1, "success é".encode()[:-1]),
        (2, b"pulling \x1b[?25"),
        (1, "é".encode()[-1:] + b" \x1b[K\x1b"),
        (2, b"l100 %\n"),
        (1, b"[?25h\x1b[?2026l[K\n"),
        (2, b"end\x1b[1"),
    ]
    monkeypatch.setattr(kubectl_exec, "_opened", lambda *_, **__: Socket(*frames))
    shown: list[str] = []
    ended = kubectl_exec.ran(None, "ollama", ("ollama", "pull"), on_text=shown.append)
    assert (ended.stdout, ended.stderr) == ("success é [K\n", "pulling 100 %\nend1")
    assert sorted("".join(shown)) == sorted(ended.stdout + ended.stderr)
