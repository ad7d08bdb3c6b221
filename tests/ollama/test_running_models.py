"""labkit/ollama/running_models.py: how long a model stays in memory, and what is left."""

import pytest

from labkit.errors import TimedOut
from labkit.ollama import running_models


def loaded(name: str, expires: str = "2318-01-01T00:00:00Z") -> dict:
    return {"name": name, "digest": "d" * 64, "size": 2_000_000, "expires_at": expires}


def test_stop_waits_until_the_model_is_gone_and_returns_what_is_left(server):
    left = [
        {"models": [loaded("m:latest"), loaded("n:latest")]},
        {"models": [loaded("n:latest")]},
        {"models": [loaded("n:latest")]},
    ]
    asked = server({"/api/generate": [{"done": True}], "/api/ps": lambda: left.pop(0)})
    assert running_models.stop("m").column("NAME") == ["n:latest"]
    assert asked[0][1] == {"model": "m", "keep_alive": 0}
    assert left == []


def test_a_model_that_stays_in_memory_is_named_with_its_time(server):
    server({"/api/ps": {"models": [loaded("m:latest")]}})
    with pytest.raises(TimedOut, match=r"(?s)m:latest still loaded.*until: Forever"):
        running_models.ps(watch=True, timeout_s=0.1)


@pytest.mark.parametrize("models", [None, []])
def test_an_ollama_without_loaded_models_has_an_empty_table(server, models):
    server({"/api/ps": {"models": models}})
    assert running_models.ps().rows == []
