"""labkit/reach.py: what becomes of each way in which an HTTP server can fail to answer."""

import json
import socket
import time

import pytest

from labkit import reach
from labkit.errors import ModelMissing, NotFound, OllamaSaid, StreamCut, Unreachable


def lines(url: str) -> list[dict]:
    with reach.local(url) as ollama:
        return list(ollama.lines("/api/generate", {}, timeout_s=5))


def streaming(*events: dict | bytes, ends: bool = True):
    """Answers with these lines under a 200; cut off unless it `ends`."""

    def answer(handler) -> None:
        for event in events:
            data = event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
            handler.chunk(data)
        if ends:
            handler.chunk(b"")
        handler.close_connection = True

    return answer


def test_the_lines_of_a_stream_come_one_by_one_however_they_are_packed(answering):
    url = answering(streaming(b'{"a": 1}\n{"a"', b': 2}\n\n{"a": 3}\n'))
    assert lines(url) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_an_error_line_under_a_200_is_an_error(answering):
    url = answering(streaming({"status": "pulling manifest"}, {"error": "no such host"}))
    with pytest.raises(OllamaSaid) as raised:
        lines(url)
    assert (raised.value.saw, raised.value.status) == ("no such host", 200)


@pytest.mark.parametrize("answer", [streaming({"a": 1}, ends=False), streaming(b"<html>\n")])
def test_a_stream_that_is_cut_or_is_no_json_is_an_error(answering, answer):
    with pytest.raises(StreamCut):
        lines(answering(answer))


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, "model 'x' not found", ModelMissing),
        (404, 'model "x" not found, try pulling it first', ModelMissing),
        (400, "invalid options", OllamaSaid),
        (503, "server busy, please try again", OllamaSaid),
    ],
)
def test_ollamas_own_no_keeps_its_words_and_status(answering, status, error, kind):
    url = answering(lambda handler: handler.send({"error": error}, status))
    with reach.local(url) as ollama, pytest.raises(OllamaSaid) as raised:
        ollama.post("/api/generate", {})
    assert type(raised.value) is kind
    assert (raised.value.saw, raised.value.status) == (error, status)


def test_a_no_that_is_no_json_is_told_too(answering):
    url = answering(lambda handler: handler.send(b"404 page not found", 404))
    with reach.local(url) as ollama, pytest.raises(OllamaSaid, match="404 page not found"):
        ollama.get("/nonsense")


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (503, Unreachable)])
def test_a_no_of_the_api_server_is_not_taken_for_ollamas(answering, status, error):
    said = {"kind": "Status", "message": "no endpoints available for service"}
    url = answering(lambda handler: handler.send(said, status))
    with reach.local(url) as ollama, pytest.raises(error, match="no endpoints available"):
        ollama.get("/api/version")


def test_a_pod_without_an_address_is_one_to_wait_for(answering):
    said = {"kind": "Status", "message": "address not allowed"}
    url = answering(lambda handler: handler.send(said, 403))
    with reach.local(url) as ollama, pytest.raises(Unreachable, match="has no address yet"):
        ollama.get("/api/version")


def test_nobody_there_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with reach.local(f"127.0.0.1:{port}") as ollama, pytest.raises(Unreachable):
        ollama.get("/api/version")


def test_silence_ends_after_the_time_that_was_given():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with reach.local(url) as ollama, pytest.raises(Unreachable, match=r"for 0\.3 s"):
            ollama.get("/api/version", timeout_s=0.3)
    assert time.monotonic() - begun < 3


def test_text_comes_back_as_text_and_json_as_what_it_holds(answering):
    answers = {"/": b"Ollama is running", "/api/version": b'{"version": "0.24.0"}'}
    url = answering(lambda handler: handler.send(answers[handler.path]))
    with reach.local(url) as ollama:
        assert ollama.get("/") == "Ollama is running"
        assert ollama.get("/api/version") == {"version": "0.24.0"}


def test_the_users_proxy_is_for_the_world_outside(answering, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    url = answering(lambda handler: handler.send({}))
    with reach.local(url) as ollama:
        assert ollama.get("/") == {}
