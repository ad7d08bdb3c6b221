"""Load on answers as both lines of Ollama give them: whole, remembered, cut, and OpenAI's."""

import json

import pytest

from labkit.load import engine
from labkit.load.plan import Plan
from labkit.load.result import FAILURES, Result
from tests.ollama import recorded

GENERATE = "/api/generate"
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
each_version = pytest.mark.parametrize("version", recorded.VERSIONS)


@pytest.fixture
def asked(answering):
    """`asked(body, path)`: four requests, each answered by this body as a stream of its lines."""

    def ask(body: str, path: str = CHAT) -> Result:
        def answer(handler) -> None:
            for line in body.splitlines(keepends=True):
                handler.chunk(line.encode())
            handler.chunk(b"")

        url = answering(answer) + path
        plan = Plan(url=url, method="POST", body="{}", requests=4, clients=2, timeout_s=15.0)
        return engine.run(plan)

    return ask


def failed(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(FAILURES, 0), **counts}


@each_version
def test_what_the_prompt_cache_had_is_counted_where_ollama_tells(asked, version):
    body = recorded.text(version, "generate-again.ndjson")
    result = asked(body, GENERATE)
    (last,) = [line for line in recorded.lines(version, "generate-again.ndjson") if line["done"]]
    assert (result.succeeded, result.failures) == (4, failed())
    assert result.prompt_tokens == 4 * last["prompt_eval_count"]
    told = {"0.24.0": None, "0.34.2": 4 * last.get("prompt_eval_cached_count", 0)}[version]
    assert result.cached_tokens == told
    assert bool(result.cached()) == (version == "0.34.2")


@each_version
def test_an_answer_whose_model_died_is_an_error_under_a_200(asked, version):
    result = asked(recorded.text(version, "generate-killed.ndjson"), GENERATE)
    assert (result.succeeded, result.failures) == (0, failed(in_band_error=4))
    assert "unexpected EOF" in result.failure_examples["in_band_error"]


@each_version
@pytest.mark.parametrize("path", [CHAT, TEXT])
def test_a_whole_stream_succeeds_and_counts_its_words_and_tokens(asked, version, path):
    body = recorded.text(version, "v1-chat.txt")
    result = asked(body, path)
    assert (result.succeeded, result.failures) == (4, failed())
    assert result.chunks == 4 * 50 == 4 * body.count(":null}]}") and result.statuses == {200: 4}
    assert (result.prompt_tokens, result.generated_tokens) == (4 * 7, 4 * 51)
    assert result.cached_tokens == {"0.24.0": None, "0.34.2": 4 * 6}[version]


@each_version
def test_a_stream_whose_model_died_is_cut_though_http_says_that_it_is_whole(asked, version):
    result = asked(recorded.text(version, "v1-chat-killed.txt"))
    assert (result.succeeded, result.failures) == (0, failed(stream_cut=4))
    assert result.failure_examples["stream_cut"].startswith("no finish_reason and no [DONE]: data:")
    words = recorded.text(version, "v1-chat-killed.txt").count("data:") - 1  # the last has no text
    assert result.failure_examples["stream_cut"].endswith(f"(after {words} chunks)")
    assert result.statuses == {200: 4}


@each_version
def test_an_end_without_done_but_with_its_reason_is_whole(asked, version):
    body = recorded.text(version, "v1-chat.txt").removesuffix("data: [DONE]\n\n")
    assert asked(body).succeeded == 4  # the usage, which follows the reason
    *events, _usage = body.removesuffix("\n\n").split("\n\n")
    assert asked("\n\n".join(events)).succeeded == 4


def test_an_error_event_is_an_error_and_an_empty_answer_is_cut(asked):
    assert asked('data: {"error":{"message":"x"}}').failures == failed(in_band_error=4)
    assert asked("").failures == failed(stream_cut=4)


def test_an_answer_that_is_no_stream_succeeds(asked):
    whole = {"choices": [{"message": {"content": "A Pod."}, "finish_reason": "stop"}]}
    assert asked(json.dumps(whole)).failures == failed()
