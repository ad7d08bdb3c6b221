"""labkit/ollama.py: streams that end well and those that do not, and the lines that are printed."""

import json

import pytest

from labkit import ollama, session
from labkit.errors import ModelMissing, NotStarted, NotUp, OllamaSaid, StreamCut, TimedOut

DONE = {
    "model": "lab-llama:latest",
    "done": True,
    "done_reason": "stop",
    "eval_count": 4,
    "prompt_eval_count": 7,
    "total_duration": 2_000_000_000,
    "load_duration": 500_000_000,
    "prompt_eval_duration": 250_000_000,
    "eval_duration": 1_000_000_000,
}


def layer(digest: str, completed: int | None, total: int) -> dict:
    event = {"status": f"pulling {digest}", "digest": digest, "total": total}
    return event if completed is None else {**event, "completed": completed}


@pytest.fixture
def server(answering, monkeypatch):
    """`server({path: events or (status, object)})`: an Ollama that answers so.

    Returns the list of (path, body) that it is asked.
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
                    handler.chunk(json.dumps(event).encode() + b"\n")
                handler.chunk(b"")
            else:
                handler.send(found)

        monkeypatch.setenv("OLLAMA_HOST", answering(answer))
        monkeypatch.setattr(session, "_current", session.Session("lab", "", None))
        return asked

    return start


def test_an_answer_has_the_text_the_tokens_and_seconds(server, capsys):
    asked = server({"/api/generate": [{"response": "A "}, {"response": "Pod."}, DONE]})
    answer = ollama.generate("What is a Pod?", model="lab-llama", keep_alive="10s")
    assert str(answer) == "A Pod."
    assert (answer.tokens, answer.prompt_tokens, answer.tokens_per_s) == (4, 7, 4.0)
    assert (answer.total_s, answer.load_s, answer.prompt_s) == (2.0, 0.5, 0.25)
    body = {"model": "lab-llama", "prompt": "What is a Pod?", "keep_alive": "10s"}
    assert asked == [("/api/generate", body)]
    out = capsys.readouterr().out
    assert out.startswith("$ ollama run --keepalive=10s lab-llama 'What is a Pod?'\n")
    assert "A Pod.\n" in out


def test_an_end_without_done_is_an_error_and_never_an_answer(server):
    server({"/api/generate": [{"response": "A a a a"}]})
    with pytest.raises(StreamCut, match="7 characters, and no done:true"):
        ollama.generate("x")


def test_an_error_in_the_middle_of_an_answer_is_an_error(server):
    server({"/api/generate": [{"response": "A"}, {"error": "out of memory"}]})
    with pytest.raises(OllamaSaid, match="out of memory"):
        ollama.generate("x")


def test_what_ollama_run_takes_only_at_its_prompt_is_shown_as_typed_there(server, capsys):
    server({"/api/generate": [DONE]})
    ollama.generate("Hi", model="m", system="Be brief.", options={"temperature": 0})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "$ ollama run m",
        '>>> /set system "Be brief."',
        ">>> /set parameter temperature 0",
        ">>> Hi",
    ]


def test_a_second_turn_sends_all_that_was_said(server):
    said = {"message": {"content": "A Pod."}}
    asked = server({"/api/chat": [said, DONE]})
    first = ollama.chat("What is a Pod?")
    second = ollama.chat("And a Service?", after=first)
    contents = [message["content"] for message in asked[1][1]["messages"]]
    assert contents == ["What is a Pod?", "A Pod.", "And a Service?"]
    assert [message["role"] for message in second.messages] == ["user", "assistant"] * 2


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
    asked = server({"/api/pull": events})
    pulled = ollama.pull("qwen2:1.5b")
    assert pulled.fetched_bytes == 50
    assert repr(pulled).startswith("pulled qwen2:1.5b: 50 B in ")
    assert asked == [("/api/pull", {"model": "qwen2:1.5b"})]


def test_a_pull_of_what_is_there_already_says_that_nothing_was_downloaded(server):
    server({"/api/pull": [layer("sha256:a", 100, 100), {"status": "success"}]})
    assert repr(ollama.pull("m")) == "m is up to date: nothing was downloaded"


def test_a_pull_that_ends_without_success_is_an_error(server):
    server({"/api/pull": [{"status": "pulling manifest"}]})
    with pytest.raises(StreamCut, match="its last word: pulling manifest"):
        ollama.pull("m")


def test_a_model_that_is_not_at_the_registry_is_no_missing_model(server):
    server({"/api/pull": [{"error": "pull model manifest: file does not exist"}]})
    with pytest.raises(OllamaSaid) as raised:
        ollama.pull("lama")
    assert not isinstance(raised.value, ModelMissing)
    assert "is the name spelt right?" in raised.value.hint


def test_the_labs_own_mirror_speaks_plain_http_and_others_do_not(server, capsys):
    asked = server({"/api/pull": [{"status": "success"}]})
    ollama.pull()
    ollama.pull("other/model")
    assert [body.get("insecure") for _, body in asked] == [True, None]
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$")]
    assert printed[0].startswith("$ ollama pull --insecure models.lab-system:5001/")
    assert printed[1] == "$ ollama pull other/model"


def loaded(name: str, expires: str = "2318-01-01T00:00:00Z") -> dict:
    return {"name": name, "digest": "d" * 64, "size": 2_000_000, "expires_at": expires}


def test_stop_waits_until_the_model_is_gone_and_returns_what_is_left(server):
    left = [
        {"models": [loaded("m:latest"), loaded("n:latest")]},
        {"models": [loaded("n:latest")]},
        {"models": [loaded("n:latest")]},
    ]
    asked = server({"/api/generate": [DONE], "/api/ps": lambda: left.pop(0)})
    assert ollama.stop("m").column("NAME") == ["n:latest"]
    assert asked[0][1] == {"model": "m", "keep_alive": 0}
    assert left == []


def test_a_model_that_stays_in_memory_is_named_with_its_time(server):
    server({"/api/ps": {"models": [loaded("m:latest")]}})
    with pytest.raises(TimedOut, match=r"(?s)m:latest still loaded.*until: Forever"):
        ollama.ps(watch=True, timeout_s=0.1)


@pytest.mark.parametrize("models", [None, []])
def test_an_ollama_without_models_has_empty_tables(server, models):
    server({"/api/tags": {"models": models}, "/api/ps": {"models": models}})
    assert ollama.models().rows == ollama.ps().rows == []


def test_without_start_and_without_a_local_ollama_three_lines_say_so(monkeypatch):
    monkeypatch.setattr(session, "_current", None)
    with pytest.raises(NotStarted):
        ollama.models()
    monkeypatch.setattr(session, "_current", session.Session("lab", "cloud", None))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    with pytest.raises(NotUp, match='at="pod/ollama"'):
        ollama.models()
