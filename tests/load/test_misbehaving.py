"""Every way of misbehaving is counted under its kind, and what goes on beside it goes well."""

import socket

import pytest

from labkit.load import engine
from labkit.load.plan import Plan
from labkit.load.result import FAILURES, Result
from tests.load import misbehaving
from tests.load.misbehaving import Way, serving

pytestmark = pytest.mark.usefixtures("none_leaked")

VALID = (
    "good",
    "streams",
    "answer_byte_by_byte",
    "extensions_and_trailers",
    "chunks_across_lines",
    "close_delimited",
    "many_1xx_first",
    "folded_header",
    "same_length_twice",
    "closes_between_requests",
    "says_close",
    "answers_before_the_request",
    "invalid_utf8_in_a_word",
    "length_and_chunked",
    "done_twice",
    "more_after_the_end",
)
KINDS = {
    "never_answers": "timeout",
    "header_byte_by_byte": "timeout",
    "body_byte_by_byte": "timeout",
    "stalls_mid_stream": "timeout",
    "terminator_missing": "timeout",
    "length_too_long_and_waits": "timeout",
    "endless_1xx": "timeout",
    "accepts_and_closes": "stream_cut",
    "reset_before_answer": "stream_cut",
    "thinks_and_closes": "stream_cut",
    "closes_before_request_is_read": "stream_cut",
    "cut_in_header": "stream_cut",
    "reset_mid_chunk": "stream_cut",
    "cut_without_done": "stream_cut",
    "ends_without_done": "stream_cut",
    "cut_before_terminator": "stream_cut",
    "cut_within_terminator": "stream_cut",
    "length_too_long": "stream_cut",
    "close_delimited_without_done": "stream_cut",
    "empty_answer": "stream_cut",
    "no_json_and_cut": "stream_cut",
    "error_line_first": "in_band_error",
    "error_line_mid_stream": "in_band_error",
    "error_line_and_cut": "in_band_error",
    "status_500_json": "http_status",
    "status_503_html": "http_status",
    "status_429_and_close_unread": "http_status",
    "redirect": "http_status",
    "garbage_instead_of_http": "bad_http",
    "http_2_preface": "bad_http",
    "endless_header": "bad_http",
    "endless_header_line": "bad_http",
    "garbage_chunk_size": "bad_http",
    "negative_chunk_size": "bad_http",
    "huge_chunk_size": "bad_http",
    "endless_chunk_size": "bad_http",
    "chunk_without_its_end": "bad_http",
    "two_lengths": "bad_http",
    "length_of_no_number": "bad_http",
    "bad_json_in_last_line": "bad_json",
    "invalid_utf8_in_first_line": "bad_json",
    "invalid_utf8_in_last_line": "bad_json",
    "html_under_200": "bad_json",
    "json_that_is_no_object": "bad_json",
    "endless_line": "bad_http",
    "length_too_short": "bad_json",
}
TIMEOUT_S = 0.5
CLOSE_AT_ONCE = ("accepts_and_closes", "reset_before_answer", "closes_before_request_is_read")


def planned(url: str, **fields: object) -> Plan:
    usual = {"requests": 8, "clients": 8, "timeout_s": 15.0, "api": "generate", "model": "tiny"}
    return Plan(url=f"{url}/api/generate", method="POST", **{**usual, **fields})


def failures(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(FAILURES, 0), **counts}


def whole(result: Result) -> None:
    """Its counters agree with each other."""
    plain = result.plain()
    requests = plain["requests"]
    assert requests["failed"] == sum(plain["failures"].values())
    assert requests["started"] == requests["succeeded"] + requests["failed"]
    assert requests["unfinished"] == 0
    counted = {name: (plain[name] or {"count": 0})["count"] for name in ("latency_ms", "ttft_ms")}
    assert counted["latency_ms"] == requests["succeeded"]
    assert counted["ttft_ms"] + plain["client"]["buffered"] == requests["succeeded"]
    assert plain["client"]["not_streamed"] == 0
    if requests["succeeded"]:
        assert plain["tokens"] == {
            "prompt": 3 * requests["succeeded"],
            "generated": 4 * requests["succeeded"],
            "cached": None,
        }


def test_every_way_has_its_kind():
    told = {
        name
        for name, value in vars(misbehaving).items()
        if callable(value) and getattr(value, "__annotations__", {}).get("client") == "Client"
    }
    assert told == {*VALID, *KINDS}


@pytest.mark.parametrize("name", VALID)
@pytest.mark.parametrize("clients", [1, 4])
def test_what_is_valid_succeeds(name, clients):
    way: Way = getattr(misbehaving, name)
    with serving(way) as server:
        result = engine.run(planned(server.url, requests=4, clients=clients))
    assert result.failures == failures(), result.failure_examples
    assert result.plain()["statuses"] == {"200": 4}
    assert result.succeeded == 4
    whole(result)


@pytest.mark.parametrize("name", KINDS)
def test_each_way_is_counted_under_its_kind_and_those_beside_it_succeed(name):
    way: Way = getattr(misbehaving, name)
    kind = KINDS[name]
    timeout_s = TIMEOUT_S if kind == "timeout" else 15.0
    with serving(way, every=2) as server:
        result = engine.run(planned(server.url, timeout_s=timeout_s))
    assert result.failures == failures(**{kind: 4}), result.failure_examples
    assert result.succeeded == 4
    assert server.requests == 8
    assert list(result.failure_examples) == [kind]
    whole(result)


@pytest.mark.parametrize("name", [name for name in KINDS if name not in CLOSE_AT_ONCE])
def test_a_client_goes_on_after_each_of_them(name):
    """One client: its second request comes on a connection that was used before."""
    kind = KINDS[name]
    timeout_s = TIMEOUT_S if kind == "timeout" else 15.0
    with serving(getattr(misbehaving, name), every=2) as server:
        result = engine.run(planned(server.url, requests=3, clients=1, timeout_s=timeout_s))
    assert result.failures == failures(**{kind: 1}), result.failure_examples
    assert result.succeeded == 2
    assert server.requests == 3
    whole(result)


@pytest.mark.parametrize("name", CLOSE_AT_ONCE)
def test_a_used_connection_that_closes_at_once_was_idle_for_too_long_and_is_no_failure(name):
    with serving(getattr(misbehaving, name), every=2) as server:
        result = engine.run(planned(server.url, requests=4, clients=1))
    assert result.failures == failures(), result.failure_examples
    assert result.succeeded == 4
    assert server.requests == 7  # the second, third and fourth request were sent twice
    whole(result)


def test_an_answer_before_the_end_of_a_large_request_does_not_mix_two_requests():
    body = "".join(f"{at:09}\n" for at in range(800_000))
    with serving(misbehaving.answers_before_the_request) as server:
        result = engine.run(planned(server.url, requests=4, clients=1, body=body, api=None))
    assert result.failures == failures(), result.failure_examples
    assert result.succeeded == 4
    assert set(server.bodies) <= {body.encode()}


def test_a_large_request_is_sent_whole():
    body = "".join(f"{at:09}\n" for at in range(800_000))
    with serving(misbehaving.good) as server:
        result = engine.run(planned(server.url, requests=4, clients=2, body=body, api=None))
    assert (result.succeeded, result.failures) == (4, failures())
    assert server.bodies == [body.encode()] * 4


def test_where_nobody_listens_every_request_is_a_failure_to_connect():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = engine.run(planned(f"http://127.0.0.1:{port}", requests=5, clients=2))
    assert result.failures == failures(connect=5)
    assert result.failure_examples == {"connect": "Connection refused"}
    whole(result)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("never_answers", "not whole after 0.5 s"),
        ("cut_without_done", "closed after 1 chunk"),
        ("accepts_and_closes", "closed before any answer"),
        ("reset_before_answer", "Connection reset by peer before any answer"),
        ("ends_without_done", 'no "done": true after 2 chunks'),
        ("empty_answer", "an answer without a line"),
        ("error_line_first", '{"error":"model runner has unexpectedly stopped"}'),
        ("status_500_json", '500 {"error":"llama runner terminated"}'),
        ("redirect", "302"),
        ("garbage_instead_of_http", "no HTTP/1.1 response: b'SSH-2.0-OpenSSH_9.6"),
        ("negative_chunk_size", "no chunk size: b'-5'"),
        ("two_lengths", "no content length: b'"),
        ("html_under_200", "<html>"),
    ],
)
def test_an_example_of_each_failure_is_kept_in_words(name, said):
    with serving(getattr(misbehaving, name)) as server:
        result = engine.run(planned(server.url, requests=1, clients=1, timeout_s=TIMEOUT_S))
    assert said in result.failure_examples[KINDS[name]]


def test_a_closed_loop_of_some_seconds_ends_after_them():
    with serving(misbehaving.good) as server:
        result = engine.run(planned(server.url, requests=None, seconds=0.3, clients=2))
    assert 0.3 <= result.duration_s < 10
    assert result.succeeded == result.started == server.requests > 2
    assert result.failures == failures()
