"""labkit/ollama/local_models.py: what a pull counts, and how it may end."""

import pytest

from labkit.errors import ModelMissing, OllamaSaid, StreamCut
from labkit.ollama import local_models


def layer(digest: str, completed: int | None, total: int) -> dict:
    event = {"status": f"pulling {digest}", "digest": digest, "total": total}
    return event if completed is None else {**event, "completed": completed}


def test_a_pull_counts_what_it_fetched_and_not_what_was_there(server):
    events = [
        {"status": "pulling manifest"},
        layer("sha256:a", 100, 100),  # told once: it was there
        layer("sha256:b", None, 50),
        layer("sha256:b", 20, 50),
        layer("sha256:b", 50, 50),
        {"status": "verifying sha256 digest"},
        {"status": "success"},
    ]
    asked = server({"/api/pull": events, "/api/tags": {"models": None}})
    pulled = local_models.pull("qwen2:1.5b")
    assert pulled.fetched_bytes == 50
    assert repr(pulled).startswith("pulled qwen2:1.5b: 50 B in ")
    assert asked == [("/api/pull", {"model": "qwen2:1.5b"}), ("/api/tags", {})]


def test_a_pull_of_what_is_there_already_says_that_nothing_was_downloaded(server):
    held = {"models": [{"name": "m:latest", "size": 100}]}
    events = [layer("sha256:a", 100, 100), {"status": "success"}]
    server({"/api/pull": events, "/api/tags": held})
    assert repr(local_models.pull("m")) == "m is up to date: nothing was downloaded"


def test_a_pull_that_ends_without_success_is_an_error(server):
    server({"/api/pull": [{"status": "pulling manifest"}]})
    with pytest.raises(StreamCut, match="its last word: pulling manifest"):
        local_models.pull("m")


def test_a_model_that_is_not_at_the_registry_is_no_missing_model(server):
    server({"/api/pull": [{"error": "pull model manifest: file does not exist"}]})
    with pytest.raises(OllamaSaid) as raised:
        local_models.pull("lama")
    assert not isinstance(raised.value, ModelMissing)
    assert "takes lab.model" in raised.value.hint


def test_the_labs_own_mirror_speaks_plain_http_and_others_do_not(server, capsys):
    asked = server({"/api/pull": [{"status": "success"}], "/api/tags": {"models": []}})
    local_models.pull()
    local_models.pull("other/model")
    assert [body.get("insecure") for path, body in asked if path == "/api/pull"] == [True, None]
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$")]
    assert printed[0].startswith("$ ollama pull --insecure models.lab-system:5001/")
    assert printed[1] == "$ ollama pull other/model"


@pytest.mark.parametrize("models", [None, []])
def test_an_ollama_without_models_has_an_empty_table(server, models):
    server({"/api/tags": {"models": models}})
    assert local_models.models().rows == []
