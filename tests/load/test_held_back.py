"""Answers that come in one go: what only a stream can show is not said, or only within bounds."""

import time

import pytest

from labkit.load import engine, report
from labkit.load.plan import Plan
from labkit.load.result import Result
from tests.load.answers import CHUNKED, END, SUMS, chunk, chunked, sized
from tests.load.dialects import DIALECTS, WORDS, Dialect
from tests.load.misbehaving import Client, serving
from tests.load.test_dialects import SEEN_S, asked, paced

pytestmark = pytest.mark.usefixtures("none_leaked")


@pytest.fixture(params=DIALECTS)
def dialect(request) -> Dialect:
    return DIALECTS[request.param]


def unseen(result: Result) -> None:
    """Nothing is said that only a stream can show."""
    plain = result.plain()
    assert result.succeeded == plain["latency_ms"]["count"] == 4
    assert plain["ttft_ms"] is plain["gap_ms"] is plain["queue_ms"] is None
    text = report.text(result)
    assert "first-token times, gaps and queue wait are not to be had" in text
    for label in ("  first token ", "  gap ", "  queue wait "):
        assert label not in text
    assert "their gaps are averages" not in text


def between(result: Result) -> None:
    """The first token of each came between the request and the read that had them all."""
    plain = result.plain()
    assert (result.lumped, plain["ttft_ms"]["count"]) == (4, result.succeeded)
    low, high = plain["ttft_ms"]["low"], plain["ttft_ms"]["high"]
    assert low["mean"] < high["mean"] and high["max"] <= plain["latency_ms"]["high"]["max"]
    assert plain["gap_ms"]["low"]["min"] == 0.0
    assert "first-token times lie anywhere between their bounds" in report.text(result)


TOOK = {**SUMS, "eval_duration": 20_000_000_000}  # what came within no time was held back


def test_a_stream_that_comes_in_one_read_has_no_first_token_time_or_bounds_of_it(dialect):
    """Ollama tells how long it took; of what others held back nothing is known but the bounds."""
    pieces = [*map(dialect.piece, WORDS), *dialect.end(**TOOK)]
    result = asked(dialect, chunked(pieces))
    (between if dialect.openai else unseen)(result)
    assert (result.buffered + result.lumped, result.chunks) == (4, 16)
    assert result.trust()["verdict"] == "doubtful"
    assert [reason for reason in result.reasons if "the chunks of 4 of 4 answers" in reason]


def test_a_stream_whose_end_comes_later_than_all_of_its_words_is_no_other(dialect):
    *words, last = [*map(dialect.piece, WORDS), b"".join(dialect.end(**TOOK))]
    wire = [CHUNKED + b"".join(map(chunk, words)), chunk(last) + END]
    (between if dialect.openai else unseen)(asked(dialect, wire))


@pytest.mark.parametrize("streams", [True, False])
def test_an_answer_in_one_piece_has_no_first_token_time_and_that_is_no_doubt(dialect, streams):
    result = asked(dialect, sized(dialect.whole("A Pod runs.")), stream=streams)
    unseen(result)
    assert (result.not_streamed, result.generated_tokens) == (4, 16)
    assert not [reason for reason in result.reasons if "answers" in reason or "chunks" in reason]
    # Linux turns its stamps on a moment after the first socket asks: early reads may have none.
    (note,) = (note for note in result.notes() if "kernel timestamp" not in note)
    assert note.startswith("4 of 4 answers came in one piece, not as a stream")


def burst(words: int, took_ms: int) -> list[bytes]:
    generate = DIALECTS["generate"]
    sums = {**SUMS, "eval_count": words + 1, "eval_duration": took_ms * 1_000_000}
    return [*[generate.piece(" word")] * words, *generate.end(**sums)]


def test_a_burst_of_several_reads_is_known_by_how_long_ollama_took_for_it():
    """Larger than a read, or a segment: what a proxy held back comes within no time."""
    pieces = burst(8, took_ms=20_000)
    unseen(asked(DIALECTS["generate"], paced(pieces)))
    halves = [chunk(b"".join(half)) for half in (pieces[:4], pieces[4:])]
    unseen(asked(DIALECTS["generate"], [CHUNKED, halves[0], halves[1] + END]))


def test_one_chunk_with_all_of_the_words_is_one_piece():
    """As where an answer is held back to see whether it calls a tool."""
    generate = DIALECTS["generate"]
    sums = {**SUMS, "eval_count": 40, "eval_duration": 20_000_000_000}
    result = asked(generate, paced([generate.piece("A Pod runs."), *generate.end(**sums)]))
    unseen(result)
    assert result.not_streamed == 4


def test_an_answer_of_one_word_is_a_stream(dialect):
    wire = paced([dialect.piece("A"), *dialect.end(**SUMS)])
    result = asked(dialect, wire, pause_s=SEEN_S)
    assert result.plain()["ttft_ms"]["count"] == result.succeeded == 4


def test_of_those_that_came_in_one_go_alone_nothing_is_derived():
    generate = DIALECTS["generate"]
    turns = iter([True, False, True, False])

    def answer(client: Client) -> None:
        client.request()
        held_back = [*map(generate.piece, WORDS), *generate.end(**TOOK)]
        for piece in [chunked(held_back)] if next(turns) else paced(generate.stream()):
            client.send(piece)
            time.sleep(SEEN_S)

    with serving(answer) as server:
        plan = Plan(url=server.url + generate.path, method="POST", requests=4, clients=1)
        result = engine.run(plan.replace(body="{}"))
    plain = result.plain()
    assert (result.succeeded, plain["ttft_ms"]["count"], plain["queue_ms"]["count"]) == (4, 2, 2)
    (reason,) = [one for one in result.reasons if "the chunks of 2 of 4 answers" in one]
    assert "of these first-token times, gaps and queue wait are not to be had" in reason


@pytest.mark.parametrize(("limit_ms", "good"), [(10_000.0, 4), (0.001, 0)])
@pytest.mark.parametrize("name", ["ttft", "gap", "latency"])
def test_what_came_in_one_go_kept_a_limit_if_all_of_it_did(limit_ms, good, name):
    generate = DIALECTS["generate"]
    pieces = [*map(generate.piece, WORDS), *generate.end(**TOOK)]
    result = asked(generate, chunked(pieces), goodput=((name, limit_ms),))
    assert (result.buffered, result.good, result.good_low) == (4, good, good)
    # a client that lost the CPU while it sent knows of no least time that its answer took
    lowest = result.metrics["latency_ms"].low.counts([limit_ms, float("inf")])[0]
    assert result.good_high == (lowest if name == "latency" else good)
