"""labkit/ollama/client.py: without an address the local Ollama is meant, where there is one."""

import pytest

from labkit.errors import NotStarted, NotUp
from labkit.kube import session
from labkit.ollama import client


def test_without_start_and_without_a_local_ollama_three_lines_say_so(monkeypatch):
    monkeypatch.setattr(session, "_current", None)
    with pytest.raises(NotStarted):
        client.server()
    monkeypatch.setattr(session, "_current", session.Session("lab", "cloud", None))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    with pytest.raises(NotUp, match='at="pod/ollama"'):
        client.server()
