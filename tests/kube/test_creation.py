"""labkit/kube/creation.py: what the API server warns of."""

import pytest

import labkit as lab
from labkit.kube import creation

TEXT = 'would violate PodSecurity "restricted:latest": runAsNonRoot != true'


@pytest.fixture
def warning(connected, discovery, monkeypatch):
    """An API server that warns of everything that is created."""
    monkeypatch.setattr(creation, "_warned", set())

    def answer(handler) -> None:
        path = handler.path.partition("?")[0]
        if path in discovery:
            handler.send(discovery[path])
            return
        text = TEXT.replace('"', '\\"')
        handler.send({}, Warning=f'299 - "{text}"')

    connected(answer)


def test_a_warning_is_printed_once_however_often_the_server_repeats_it(warning, capsys):
    for name in ("a", "b"):
        lab.run(name, image="ollama/ollama")
    assert capsys.readouterr().out.count("Warning: would violate PodSecurity") == 1
