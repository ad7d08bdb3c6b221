"""Answers that look like successes and are none, in every dialect, streamed or not."""

import time

import pytest

from labkit.load import engine, report
from labkit.load.plan import Plan
from labkit.load.result import FAILURES, Result
from tests.load.answers import CHUNKED, END, SUMS, chunk, chunked, head, sized
from tests.load.dialects import DIALECTS, WORDS, Dialect
from tests.load.misbehaving import Client, serving

pytestmark = pytest.mark.usefixtures("none_leaked")
PAUSE_S = 0.008  # between chunks, so that each is a read of its own
SEEN_S = 0.05  # where that has to be so, on a busy machine too


@pytest.fixture(params=DIALECTS)
def dialect(request) -> Dialect:
    return DIALECTS[request.param]


@pytest.fixture(params=[name for name, one in DIALECTS.items() if one.openai])
def openai(request) -> Dialect:
    return DIALECTS[request.param]


def asked(
    dialect: Dialect,
    wire: bytes | list[bytes],
    *,
    closes: bool = False,
    pause_s: float = PAUSE_S,
    **fields,
) -> Result:
    """Four requests, each answered by these pieces, one after the other."""

    def answer(client: Client) -> None:
        client.request()
        first, *others = [wire] if isinstance(wire, bytes) else wire
        client.send(first)
        for piece in others:
            time.sleep(pause_s)
            client.send(piece)
        if closes:
            client.close()

    usual = {"requests": 4, "clients": 2, "timeout_s": 15.0, "body": "{}"}
    with serving(answer) as server:
        plan = Plan(url=server.url + dialect.path, method="POST", **{**usual, **fields})
        result = engine.run(plan)
    assert result.succeeded + result.failed == 4
    return result


def failed(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(FAILURES, 0), **counts}


def paced(pieces: list[bytes]) -> list[bytes]:
    """A stream as it comes: each piece in a chunk and a write of its own."""
    return [CHUNKED, *map(chunk, pieces), END]


def told(dialect: Dialect) -> bytes:
    """An error as this dialect tells it."""
    said = "the model died"
    return dialect.event({"error": {"message": said} if dialect.openai else said})


def test_a_stream_is_measured_in_every_dialect(dialect):
    result = asked(dialect, paced(dialect.stream()), pause_s=SEEN_S)
    plain = result.plain()
    assert (result.succeeded, result.failures) == (4, failed())
    assert (result.chunks, plain["gap_ms"]["count"]) == (16, 12)
    assert plain["ttft_ms"]["count"] == 4
    assert plain["ttft_ms"]["max"] < plain["latency_ms"]["min"]
    assert (plain["client"]["not_streamed"], plain["client"]["buffered"]) == (0, 0)
    assert "not to be had" not in report.text(result)


# -- errors under a 200


@pytest.mark.parametrize("at", [0, 1, 3, 4])
@pytest.mark.parametrize("after", ["nothing", "the end of a good answer"])
@pytest.mark.parametrize("framing", ["in one read", "piece by piece", "until the close"])
def test_an_error_in_a_stream_is_an_error_wherever_it_stands(dialect, at, after, framing):
    pieces = [*map(dialect.piece, WORDS[:at]), told(dialect)]
    pieces += dialect.stream()[at:] if after != "nothing" else []
    close = framing == "until the close"
    wire = {
        "in one read": chunked(pieces),
        "piece by piece": paced(pieces),
        "until the close": head(version="1.0") + b"".join(pieces),
    }[framing]
    result = asked(dialect, wire, closes=close)
    assert (result.succeeded, result.failures) == (0, failed(in_band_error=4))
    assert "the model died" in result.failure_examples["in_band_error"]
    assert "in_band_error\t4, such as: " in report.text(result)


def test_an_error_instead_of_an_answer_is_an_error(dialect):
    body = told(dialect).removeprefix(b"data: ")
    assert asked(dialect, sized(body)).failures == failed(in_band_error=4)


def test_an_error_that_is_written_over_several_lines_is_an_error(openai):
    result = asked(openai, sized(b'{\n "error": {\n  "message": "no model"\n }\n}\n'))
    assert result.failures == failed(in_band_error=4)
    assert "no model" in result.failure_examples["in_band_error"]


def test_an_error_of_which_the_first_line_has_the_word_is_an_error(openai):
    result = asked(openai, sized(b'{"error": {\n  "message": "no model"\n }\n}\n'))
    assert result.failures == failed(in_band_error=4)
    assert "no model" in result.failure_examples["in_band_error"]


@pytest.mark.parametrize("at", [0, 1, 4])
def test_an_error_of_null_is_none(dialect, at):
    pieces = dialect.stream()
    begin = b"data: {" if dialect.openai else b"{"
    pieces[at] = pieces[at].replace(begin, begin + b'"error":null,', 1)
    assert b'"error":null' in pieces[at]
    for wire in (chunked(pieces), paced(pieces)):
        result = asked(dialect, wire)
        assert (result.succeeded, result.failures) == (4, failed()), result.failure_examples


def test_an_error_of_null_in_an_answer_in_one_piece_is_none(dialect):
    body = dialect.whole("A Pod").replace(b"{", b'{"error":null,', 1)
    result = asked(dialect, sized(body))
    assert (result.succeeded, result.failures) == (4, failed()), result.failure_examples


def test_an_error_event_without_the_word_in_its_data_is_an_error(openai):
    pieces = [openai.piece("A"), b'event: error\ndata: {"message":"overloaded"}\n\n']
    result = asked(openai, chunked(pieces))
    assert result.failures == failed(in_band_error=4)
    assert "overloaded" in result.failure_examples["in_band_error"]


@pytest.mark.parametrize("ends", ["closes", "stalls"])
def test_an_error_is_what_counts_when_the_connection_then_breaks_or_stalls(dialect, ends):
    wire = CHUNKED + chunk(dialect.piece("A")) + chunk(told(dialect))
    limit = {"timeout_s": 0.3} if ends == "stalls" else {}
    result = asked(dialect, wire, closes=ends == "closes", **limit)
    assert result.failures == failed(in_band_error=4), result.failure_examples


def test_an_error_under_a_500_that_breaks_off_is_no_error_under_a_200(dialect):
    body = told(dialect)
    wire = sized(body, length=len(body) + 1, status="500 Internal Server Error")
    assert asked(dialect, wire, closes=True).failures == failed(stream_cut=4)


def test_a_tool_call_that_speaks_of_an_error_is_none():
    call = {"function": {"name": "report", "arguments": {"error": "x"}}}
    said = {"message": {"role": "assistant", "content": "", "tool_calls": [call]}, "done": False}
    chat = DIALECTS["chat"]
    pieces = [chat.piece("A"), chat.event(said) + b" \n", *chat.end(**SUMS)]
    assert asked(chat, chunked(pieces)).failures == failed()


def test_a_page_under_a_200_is_no_answer(openai):
    result = asked(openai, sized(b"<html>\n<body>log in</body>\n</html>\n"))
    assert result.failures == failed(bad_json=4)
    assert "<html>" in result.failure_examples["bad_json"]


# -- answers without tokens


@pytest.mark.parametrize("reason", ["load", "stop"])
@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_without_tokens_is_a_failure_of_its_own_kind(dialect, reason, streamed):
    ends = {"finish_reason" if dialect.openai else "done_reason": reason}
    wire = chunked(dialect.end(reason)) if streamed else sized(dialect.whole("", **ends))
    result = asked(dialect, wire)
    assert (result.succeeded, result.failures) == (0, failed(no_tokens=4))
    assert result.rates()["requests_per_s"] == 0
    assert result.trust()["verdict"] == "doubtful"
    text = report.text(result)
    assert "no_tokens\t4, such as: " in text
    assert 'the spelling of "prompt" or "messages"' in text


def test_a_token_without_a_text_is_one():
    """Such as the first half of a character, with num_predict 1."""
    generate = DIALECTS["generate"]
    result = asked(generate, chunked(generate.end("length", eval_count=1)))
    assert (result.succeeded, result.plain()["ttft_ms"]) == (4, None)
    chat = DIALECTS["v1 chat"]
    usage = chat.event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    *first, done = chat.end("length")
    result = asked(chat, chunked([*first, usage, done]))
    assert (result.succeeded, result.generated_tokens) == (4, 4)


@pytest.mark.parametrize("what", ["thinking", "tool_calls"])
def test_thinking_and_tool_calls_are_of_the_answer(what):
    said = "so" if what == "thinking" else [{"function": {"name": "f"}}]
    chat, v1 = DIALECTS["chat"], DIALECTS["v1 chat"]
    line = chat.event({"message": {"content": "", what: said}, "done": False})
    assert asked(chat, chunked([line, *chat.end()])).succeeded == 4
    name = "reasoning_content" if what == "thinking" else what
    delta = {"role": "assistant", "content": "", name: said}
    event = v1.event({"choices": [{"delta": delta, "finish_reason": None}]})
    assert asked(v1, chunked([event, *v1.end()])).succeeded == 4


# -- answers that break off


@pytest.mark.parametrize("words", [0, 3])
def test_a_stream_without_its_end_is_cut_and_tells_how_far_it_came(dialect, words):
    pieces = [*map(dialect.piece, WORDS[:words]), dialect.piece("")]
    result = asked(dialect, chunked(pieces))
    assert (result.succeeded, result.failures) == (0, failed(stream_cut=4))
    counted = words + bool(words and not dialect.openai)  # Ollama's lines are counted unread
    assert f"after {counted} chunks" in result.failure_examples["stream_cut"]


def test_a_connection_that_closes_in_a_stream_tells_how_far_it_came(dialect):
    result = asked(dialect, paced([*map(dialect.piece, WORDS[:3])])[:-1], closes=True)
    assert result.failures == failed(stream_cut=4)
    assert result.failure_examples["stream_cut"] == "closed after 3 chunks"


def test_either_end_is_enough(openai):
    words = [*map(openai.piece, WORDS)]
    reason, done = openai.end()
    usage = openai.event({"choices": [], "usage": {"completion_tokens": 4}})
    for end in ([reason], [done], [reason, usage], [reason, b": bye\n\n"]):
        assert asked(openai, chunked([*words, *end])).failures == failed()
    for end in ([usage], [b": bye\n\n"]):
        assert asked(openai, chunked([*words, *end])).failures == failed(stream_cut=4)


def test_an_object_without_a_finish_reason_is_cut(openai):
    result = asked(openai, sized(openai.whole("A Pod", finish_reason=None)))
    assert result.failures == failed(stream_cut=4)
    assert "after 1 chunk" in result.failure_examples["stream_cut"]


def test_events_of_other_servers_are_read_too(openai):
    """Comments, ids, CR LF, no space after the colon, a usage of null in each."""
    words = [openai.piece(word).replace(b"data: ", b"data:") for word in WORDS]
    words = [word.replace(b'"choices"', b'"usage":null,"choices"') for word in words]
    sent = [b": ping\n\n", *(b"id: 7\nevent: message\n" + word for word in words)]
    sent += [b": ping\n\n", *openai.end()]
    result = asked(openai, chunked([piece.replace(b"\n", b"\r\n") for piece in sent]))
    assert (result.failures, result.chunks) == (failed(), 16)
