"""labkit/kube/proxy.py: what becomes of each way in which an HTTP server can fail to answer."""

import json
import socket
import time

import pytest

from labkit.errors import ApiSilent, ModelMissing, NotFound, OllamaSaid, StreamCut, Unreachable
from labkit.kube import proxy, session
from tests.ollama import recorded


def lines(url: str) -> list[dict]:
    with proxy.local(url) as ollama:
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


def chunks(url: str, path: str = "/v1/chat/completions") -> list[dict]:
    with proxy.local(url) as ollama:
        return list(ollama.lines(path, {"stream": True}, timeout_s=5))


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_an_answer_of_openais_is_cut_without_a_finish_reason_and_done(answering, version):
    whole = recorded.text(version, "v1-chat.txt").encode()
    found = chunks(answering(streaming(whole)))
    assert found[0]["object"] == "chat.completion.chunk"
    killed = recorded.text(version, "v1-chat-killed.txt").encode()
    came = killed.count(b'"content":"') - killed.count(b'"content":""')
    said = rf"no finish_reason and no \[DONE\], after at least {came} tokens"
    with pytest.raises(StreamCut, match=said) as raised:
        chunks(answering(streaming(killed)))
    assert raised.value.status == 200
    # one line of the whole is enough to end it: vLLM has the first, a proxy may add the other
    for end in (b'data: {"choices": [{"finish_reason": "stop"}]}\n', b"data: [DONE]\n"):
        assert chunks(answering(streaming(killed, end)))


def test_an_answer_of_openais_that_is_no_stream_is_one_object(answering):
    said = {"choices": [{"text": "A", "finish_reason": "length"}]}
    assert chunks(answering(streaming(said)), "/v1/completions") == [said]
    with pytest.raises(StreamCut, match="not a JSON object"):
        chunks(answering(streaming(b"data: {\n")))


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
    with proxy.local(url) as ollama, pytest.raises(OllamaSaid) as raised:
        ollama.post("/api/generate", {})
    assert type(raised.value) is kind
    assert (raised.value.saw, raised.value.status) == (error, status)


@pytest.mark.parametrize(
    ("status", "answer", "hint"),
    [
        (500, "prediction aborted, token repeat limit reached", "repeat_penalty"),
        (501, "This server does not support embeddings. Start it with `--embeddings`", "made for"),
        (
            500,
            "llama-server process has terminated: exit status 1: llama_init_from_model: quantized V"
            " cache requires flash_attn to be enabled",
            "OLLAMA_KV_CACHE_TYPE=f16",
        ),
        (
            500,
            "llama-server process has terminated: exit status 1",
            "misspelt OLLAMA_KV_CACHE_TYPE",
        ),
        (500, "llama-server process has terminated: signal: killed", "a larger memory limit"),
        (500, 'option "num_predict" must be of type integer', "of that type"),
        (400, 'time: missing unit in duration "5"', 'keep_alive="10m"'),
        (403, None, "OLLAMA_ORIGINS"),
    ],
)
def test_an_error_that_ollama_is_known_for_is_told_with_its_fix(answering, status, answer, hint):
    sent = {"error": answer} if answer else b""  # a foreign Origin gets a 403 without a body
    url = answering(lambda handler: handler.send(sent, status))
    with proxy.local(url) as ollama, pytest.raises(OllamaSaid) as raised:
        ollama.post("/api/generate", {})
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("rename /m/blobs/sha256-0-partial /m/blobs/sha256-0: no such file", "pull once more"),
        ("open /m/blobs/sha256-0-partial-0: read-only file system", "is writable"),
        ("pull model manifest: file does not exist", "correct the name"),
    ],
)
def test_a_pull_that_failed_is_told_with_its_fix(answering, said, hint):
    url = answering(streaming({"status": "pulling manifest"}, {"error": said}))
    with proxy.local(url) as ollama, pytest.raises(OllamaSaid) as raised:
        list(ollama.lines("/api/pull", {}))
    assert hint in raised.value.hint


def test_a_no_that_is_no_json_is_told_too(answering):
    url = answering(lambda handler: handler.send(b"404 page not found", 404))
    with proxy.local(url) as ollama, pytest.raises(OllamaSaid, match="404 page not found"):
        ollama.get("/nonsense")


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (503, Unreachable)])
def test_a_no_of_the_api_server_is_not_taken_for_ollamas(answering, status, error):
    said = {"kind": "Status", "message": "no endpoints available for service"}
    url = answering(lambda handler: handler.send(said, status))
    with proxy.local(url) as ollama, pytest.raises(error, match="no endpoints available"):
        ollama.get("/api/version")


def test_a_pod_without_an_address_is_one_to_wait_for(answering):
    said = {"kind": "Status", "message": "address not allowed"}
    url = answering(lambda handler: handler.send(said, 403))
    with proxy.local(url) as ollama, pytest.raises(Unreachable, match="has no address yet"):
        ollama.get("/api/version")


def starting(refusals: int):
    """An API server whose Pod refuses the first connections, as a container that has just begun."""
    said = "error trying to reach service: dial tcp 10.244.1.23:11434: connect: connection refused"
    asked = []

    def answer(handler) -> None:
        asked.append(handler.path)
        if len(asked) <= refusals:
            handler.send({"kind": "Status", "message": said, "code": 503}, 503)
        else:
            handler.send({"version": "0.34.2"}, 200)

    return answer, asked


def test_a_pod_that_does_not_listen_yet_is_asked_again_for_a_while(answering):
    answer, asked = starting(2)
    with proxy.local(answering(answer)) as ollama:
        ollama.patience_s = 30.0
        assert ollama.get("/api/version") == {"version": "0.34.2"}
    assert len(asked) == 3


@pytest.mark.parametrize(("patience_s", "most"), [(0.0, 1), (0.5, 4)])
def test_one_that_goes_on_refusing_is_unreachable(answering, patience_s, most):
    answer, asked = starting(99)
    with proxy.local(answering(answer)) as ollama:
        ollama.patience_s = patience_s
        with pytest.raises(Unreachable, match="connection refused"):
            ollama.post("/api/generate", {})
    assert 1 <= len(asked) <= most


def test_nobody_there_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with proxy.local(f"127.0.0.1:{port}") as ollama, pytest.raises(Unreachable):
        ollama.get("/api/version")


def test_silence_ends_after_the_time_that_was_given():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with proxy.local(url) as ollama, pytest.raises(Unreachable, match=r"for 0\.3 s"):
            ollama.get("/api/version", timeout_s=0.3)
    assert time.monotonic() - begun < 3


def test_text_comes_back_as_text_and_json_as_what_it_holds(answering):
    answers = {"/": b"Ollama is running", "/api/version": b'{"version": "0.24.0"}'}
    url = answering(lambda handler: handler.send(answers[handler.path]))
    with proxy.local(url) as ollama:
        assert ollama.get("/") == "Ollama is running"
        assert ollama.get("/api/version") == {"version": "0.24.0"}


def test_the_users_proxy_is_for_the_world_outside(answering, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    url = answering(lambda handler: handler.send({}))
    with proxy.local(url) as ollama:
        assert ollama.get("/") == {}


@pytest.mark.parametrize("event", [b"null\n", b"3\n", b"[]\n", b'"x"\n', b"\xff\n"])
def test_a_line_that_is_no_object_is_an_error(answering, event):
    with pytest.raises(StreamCut, match="not a JSON object"):
        lines(answering(streaming(event)))


HAPROXY = b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available.\n</body></html>\n"


@pytest.mark.parametrize("ends", [True, False])
def test_the_page_of_a_proxy_in_a_stream_is_named_by_its_heading(answering, ends):
    with pytest.raises(StreamCut, match="the proxy, not Ollama") as raised:
        lines(answering(streaming(b"\n<html>\n<body>", HAPROXY[12:], ends=ends)))
    assert raised.value.saw == "503 Service Unavailable"


@pytest.mark.parametrize(
    ("status", "text"),
    [(502, b"upstream connect error"), (503, b"no healthy upstream"), (504, b"")],
)
def test_plain_words_under_a_gateways_status_are_the_proxys_too(answering, status, text):
    url = answering(lambda handler: handler.send(text, status))
    with proxy.local(url) as ollama, pytest.raises(OllamaSaid, match="the proxy, not") as raised:
        ollama.get("/api/tags")
    assert raised.value.saw == text.decode() or raised.value.saw == f"HTTP {status}"


def test_a_proxy_that_sends_one_to_its_login_is_not_taken_for_ollama(answering):
    link = b'<a href="/login">Found</a>.'
    url = answering(lambda handler: handler.send(link, 302, Location="/login"))
    with proxy.local(url) as web:
        for ask in (web.get, lambda path: web.post(path, {}), lambda path: [*web.lines(path, {})]):
            with pytest.raises(OllamaSaid, match=r"the proxy, not Ollama.*HTTP 302"):
                ask("/api/tags")
        assert web.get("/") == link.decode()


def test_an_answer_that_is_no_json_is_an_error_where_ollama_sends_nothing_else(answering):
    said = {"/api/tags": b"OK", "/api/delete": b""}
    url = answering(lambda handler: handler.send(said[handler.path]))
    with proxy.local(url) as ollama:
        with pytest.raises(OllamaSaid, match="no JSON") as raised:
            ollama.get("/api/tags")
        assert (raised.value.saw, raised.value.status) == ("OK", 200)
        assert ollama.delete("/api/delete", {}) == ""  # as Ollama says that it is done


def test_a_page_is_a_page_where_one_asks_for_one(answering):
    url = answering(lambda handler: handler.send(HAPROXY))
    with proxy.local(url) as web:
        assert web.get("/").startswith("<html>")
        with pytest.raises(OllamaSaid, match="the proxy, not Ollama"):
            web.get("/api/tags")


@pytest.fixture
def through(connected, discovery):
    """`through(answer)`: a connection to service/ollama whose proxy path answers so."""
    made = []

    def connect(answer):
        def answered(handler) -> None:
            path = handler.path.partition("?")[0]
            if path in discovery:
                handler.send(discovery[path])
            elif path.endswith("/services/ollama"):
                handler.send({"spec": {"ports": [{"port": 80}]}})
            else:
                answer(handler)

        connected(answered)
        made.append(proxy.opened(session.current(), "service/ollama"))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def hang_up(handler) -> None:
    handler.close_connection = True


def not_ready(code: int):
    said = {"kind": "Status", "message": "not yet", "code": code}
    return lambda handler: handler.send(said, 500 if handler.path == "/readyz" else code)


@pytest.mark.parametrize("answer", [hang_up, *map(not_ready, (401, 403, 429, 503))])
def test_an_api_server_that_is_away_is_not_taken_for_a_silent_ollama(through, answer):
    with pytest.raises(ApiSilent) as raised:
        through(answer).get("/api/tags")
    assert not raised.value.maybe_done


def test_a_question_that_the_api_server_took_with_it_may_have_been_asked(through):
    with pytest.raises(ApiSilent) as raised:
        through(hang_up).post("/api/generate", {})
    assert raised.value.maybe_done


def test_an_api_server_that_nobody_hears_is_not_taken_for_a_silent_ollama(through):
    connection = through(hang_up)
    with socket.create_server(("127.0.0.1", 0)) as free:
        connection.url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ApiSilent) as raised:
        connection.post("/api/generate", {})
    assert not raised.value.maybe_done


def test_what_the_api_server_says_of_a_service_is_not_its_own_outage(through):
    said = {"kind": "Status", "message": "error trying to reach service: EOF", "code": 503}
    with pytest.raises(Unreachable, match="EOF"):
        through(lambda handler: handler.send(said, 503)).get("/api/tags")
