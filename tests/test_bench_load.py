"""bench/load: the reference tells the truth, the limit agrees with it, outputs are read right."""

import contextlib
import doctest
import json
import sys
import time
from pathlib import Path

import pytest

from labkit.errors import CommandFailed, TimedOut, ToolMissing, Unsupported
from labkit.setup.host import paths

BENCH = Path(__file__).parents[1] / "bench" / "load"
HEY = """\
response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset
0.0137,0.0001,0.0000,0.0001,0.0054,0.0080,200,0.0021
0.0157,0.0024,0.0000,0.0000,0.0051,0.0080,200,0.0003
"""
WRK = """\
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.22ms    0.40ms   9.10ms   90.00%
  142093 requests in 3.00s, 55.01MB read
Requests/sec:  47356.10
"""


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch, tmp_path):
    """The bench's files import each other as scripts do; nothing goes to the user's cache."""
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.setattr(paths, "cache", lambda *parts: tmp_path.joinpath("cache", *parts))
    yield
    for name in [
        n for n, m in sys.modules.items() if str(BENCH) in str(getattr(m, "__file__", ""))
    ]:
        del sys.modules[name]


def limit(port: int, *words: str) -> dict:
    import measuring

    run = measuring.run([str(measuring.compiled("limit")), *words, str(port)], cores=(0,))
    return json.loads(run.output)


@pytest.mark.parametrize("name", ["comparing", "clients", "heavy", "open_loop"])
def test_the_examples_in_its_docstrings_are_true(name):
    import importlib

    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed


@pytest.mark.parametrize("clock", [[], ["--kernel-stamps"]])
def test_the_reference_and_the_limit_compile_without_a_warning_and_count_the_same(clock):
    import measuring

    with measuring.reference(tokens=4, first_us=3000, gap_us=1000) as port:
        seen = limit(port, "--streams", "3", "--requests", "7", *clock)
        truth = measuring.stats(port)
    assert (seen["requests"], seen["lines"]) == (truth["requests"], truth["lines"]) == (7, 35)
    assert truth["ttft_ms"]["count"] == 7 and truth["gap_ms"]["count"] == 28
    assert 3 <= seen["ttft_p99_ms"] < 1000 and 0.5 <= seen["gap_p99_ms"] < 1000
    assert truth["ttft_ms"]["p50"] >= 3 and truth["gap_ms"]["p50"] <= truth["gap_ms"]["p99"]


def test_the_reference_forgets_on_reset_and_lists_arrivals_in_order():
    import measuring

    with measuring.reference(tokens=2) as port:
        limit(port, "--requests", "5", "--body", '{"stream": false}')
        arrivals = measuring.arrivals_ns(port)
        measuring.reset(port)
        assert len(arrivals) == 5 and arrivals == sorted(arrivals)
        assert measuring.stats(port)["requests"] == 0 == len(measuring.arrivals_ns(port))


@pytest.mark.parametrize("spread", [True, False])
def test_spread_streams_begin_in_different_parts_of_a_gap(spread):
    import measuring

    with measuring.reference(tokens=1, first_us=1000, gap_us=200_000, spread=spread) as port:
        limit(port, "--streams", "16", "--requests", "16")
        first = measuring.stats(port)["ttft_ms"]
    assert (first["max"] > 150) == (first["p50"] > 50) == spread


def test_several_lines_per_write_are_all_counted():
    import measuring

    with measuring.reference(tokens=100, lines_per_write=16) as port:
        assert limit(port, "--streams", "2", "--requests", "4")["lines"] == 404
        assert measuring.stats(port)["gap_ms"]["count"] == 4 * 6


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
def test_the_reference_streams_in_the_words_of_each_api(path):
    import urllib.request

    import measuring

    body = json.dumps({"model": "m", "stream": True}).encode()
    with measuring.reference(tokens=3) as port:
        url = f"http://127.0.0.1:{port}{path}"
        with urllib.request.urlopen(url, data=body, timeout=10) as answer:
            lines = [line.removeprefix(b"data: ") for line in answer if line.strip()]
    events = [json.loads(line) for line in lines if line.strip() != b"[DONE]"]
    assert len(events) == 4
    if path == "/api/chat":
        assert [event["done"] for event in events] == [False, False, False, True]
        assert events[-1]["eval_count"] == 3
    else:
        assert {event["object"] for event in events} == {"chat.completion.chunk"}
        assert lines[-1].strip() == b"[DONE]" and events[-1]["usage"]["completion_tokens"] == 3


def test_without_a_compiler_it_says_so(monkeypatch):
    import measuring

    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissing) as caught:
        measuring.compiled("reference")
    assert str(caught.value) == (
        "ToolMissing: reference.c cannot be compiled\n"
        "saw: no gcc on PATH\n"
        "try: apt install gcc libc6-dev"
    )


def test_on_one_core_it_says_that_two_are_needed(monkeypatch):
    import measuring

    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    with pytest.raises(Unsupported, match=r"the server to core 0 and the client to core 1"):
        measuring.require_cores()


def test_a_client_is_charged_for_the_cpu_of_its_children():
    import measuring

    busy = "sum(range(3_000_000))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{busy}'])"
    alone = measuring.run([sys.executable, "-I", "-S", "-c", "pass"], cores=(0,))
    run = measuring.run([sys.executable, "-I", "-S", "-c", parent], cores=(0,))
    assert run.cpu_s > alone.cpu_s + 0.02


def test_a_client_that_does_not_end_is_ended_with_its_children(tmp_path):
    import measuring

    script = f"sleep 600 & echo $! >{tmp_path}/child; wait"
    with pytest.raises(TimedOut, match=r"still running after 0 s and was ended"):
        measuring.run(["sh", "-c", script], cores=(0,), timeout_s=0.4)
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    deadline = time.monotonic() + 60
    with contextlib.suppress(FileNotFoundError):
        while ") Z " not in child.read_text():  # its new parent may bury it late
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_what_a_failed_client_said_is_in_the_error():
    import measuring

    with pytest.raises(CommandFailed) as caught:
        measuring.run(["sh", "-c", "echo no such model >&2; exit 3"], cores=(0,))
    assert caught.value.saw == "no such model" and "ended with 3" in caught.value.happened


def test_the_outputs_of_hey_and_wrk_are_read():
    import clients

    assert clients.hey_seen(HEY)[:2] == (2, pytest.approx(5.1))
    assert clients.wrk_seen(WRK).requests == 142093
    with pytest.raises(AssertionError, match="Socket errors"):
        clients.wrk_seen(WRK + "  Socket errors: connect 0, read 7, write 0, timeout 0\n")


def test_our_own_result_is_read_and_what_it_does_not_hold_is_none():
    import clients

    result = {
        "requests": {"succeeded": 9},
        "ttft_ms": {"p99": 50.5},
        "gap_ms": None,
        "schedule_deviation_ms": None,
    }
    assert clients.labkit_seen(json.dumps(result)) == (9, 50.5, None, None)


def test_each_repetition_runs_all_and_turns_the_order_round(monkeypatch):
    import clients
    import comparing

    found = [clients.Client(name, None, None) for name in ("a", "b")]
    monkeypatch.setattr(clients, "available", lambda names: (found, ["c is not here"]))
    order = []

    def once(client):
        order.append(client.name)
        return {"ms": float(len(order))}

    values, notes = comparing.interleaved(["a", "b", "c"], comparing.Options(repetitions=3), once)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert values == {"a": {"ms": 4.0}, "b": {"ms": 3.0}} and notes == ["c is not here"]


def test_a_client_that_fails_is_a_note_and_no_value(monkeypatch):
    import clients
    import comparing

    monkeypatch.setattr(clients, "available", lambda names: ([clients.Client("a", None, None)], []))

    def once(client):
        comparing.complete(client, clients.Seen(80), 100)

    values, notes = comparing.interleaved(["a"], comparing.Options(repetitions=1), once)
    assert values == {} and notes == ["a, repetition 1: a had 80 answers of 100"]


def test_a_figure_shows_its_goals_below_its_table():
    import comparing

    goals = comparing.peer_goals(
        {"labkit": {"cpu": 2.0}, "hey": {"cpu": 5.0}}, "cpu", "CPU", {"hey": 2.5}
    )
    text = str(comparing.Figure("4. Tiny", ("client",), [("hey",)], goals, ["k6 is not here"]))
    assert text.endswith(
        "| hey |\n\n- meets   hey's CPU, × ours: 2.5 (goal ≥ 2.5)\n- k6 is not here\n"
    )


def test_a_peer_that_cannot_be_had_has_a_reason_and_no_program():
    import peers

    assert peers.find("k6") == ("k6", None, "the bench does not install it: it is under the AGPL")


def test_every_client_of_a_figure_is_one_that_can_be_found():
    import clients
    import comparing
    import cost
    import memory
    import open_loop
    import peers

    asked = {*comparing.ALL, *open_loop.NAMES}
    asked |= {"wrk", *cost.PACED_PEERS, *cost.FAST_PEERS, *cost.TINY_PEERS, *memory.PEERS}
    assert asked <= set(clients.OWN) | set(peers.FINDERS)
    assert set(peers.FINDERS) - set(clients.PEERS) == {"k6"}


def test_an_unknown_figure_is_refused_with_the_names_there_are(monkeypatch, capsys):
    import run

    monkeypatch.setattr(sys, "argv", ["run.py", "speed"])
    with pytest.raises(SystemExit):
        run.main()
    assert "no figure speed; there are accuracy, cpu," in capsys.readouterr().err
