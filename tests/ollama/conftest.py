"""An Ollama that answers what a test wants."""

import json

import pytest

from labkit.kube import session


@pytest.fixture
def server(answering, monkeypatch):
    """`server({path: answer})`: an Ollama that answers so.

    An answer is a list of events, an object, an object and its status, or a function that returns
    one; bytes are sent as they are. Returns the list of (path, body) that it is asked.
    """

    def start(answers: dict) -> list[tuple[str, dict]]:
        asked = []

        def answer(handler) -> None:
            asked.append((handler.path, json.loads(handler.body or b"{}")))
            found = answers[handler.path]
            if callable(found):
                found = found()
            if isinstance(found, list):
                for event in found:
                    is_raw = isinstance(event, bytes)
                    handler.chunk(event if is_raw else json.dumps(event).encode() + b"\n")
                handler.chunk(b"")
            elif isinstance(found, tuple):
                handler.send(*found)
            else:
                handler.send(found)

        monkeypatch.setenv("OLLAMA_HOST", answering(answer))
        monkeypatch.setattr(session, "_current", session.Session("lab", "", None))
        return asked

    return start
