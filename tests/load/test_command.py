"""`python -m labkit.load` as a process: interrupted, without a reader, out of descriptors."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.load.answers import CHUNKED, END, chunk
from tests.load.misbehaving import FIRST, LAST, Client, Server, never_answers, serving, streams

OPEN_LOOP = ("--rate", "200", "-c", "4")
CLOSED_LOOP = ("-c", "4")
LONG = ("-z", "50s", "--api", "generate", "--model", "tiny", "-m", "POST")
WAIT_S = 30.0


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(streams) as running:
        yield running


def command(url: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "labkit.load", *words, f"{url}/api/generate"]


def started(url: str, *words: str, **options: object) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command(url, *words), text=True, **{"stdout": pipe, "stderr": pipe, **options}
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    try:
        out, err = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize("loop", [CLOSED_LOOP, OPEN_LOOP], ids=["closed", "open"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_gives_its_partial_result(server, number, loop):
    process = started(server.url, *LONG, *loop, "-o", "json")
    server.wait_for(requests=20)
    process.send_signal(number)
    code, out, err = ended(process)
    assert (code, err) == (130, "")
    result = json.loads(out)
    assert result["interrupted"] is True
    requests = result["requests"]
    assert requests["succeeded"] >= 15
    assert requests["failed"] == 0
    assert requests["started"] == requests["succeeded"] + requests["unfinished"]
    assert requests["unfinished"] <= 4
    assert result["duration_s"] < WAIT_S
    seen = result["ttft_ms"]["count"]
    assert seen + result["client"]["buffered"] == requests["succeeded"]
    assert seen > 0


def test_an_interrupted_run_says_so_in_its_report(server):
    process = started(server.url, *LONG)
    server.wait_for(requests=20)
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, err) == (130, "")
    assert "interrupted" in out.lower()


def test_answers_that_are_under_way_are_read_to_their_end_and_no_request_follows():
    """An Ollama whose client leaves in the middle of an answer can be blocked for good."""

    def slow(client: Client) -> None:
        client.request()
        client.send(CHUNKED, chunk(FIRST))
        time.sleep(0.4)
        client.send(chunk(LAST), END)

    with serving(slow) as server:
        process = started(server.url, *LONG, "-c", "3", "-o", "json")
        server.wait_for(requests=6)
        process.send_signal(signal.SIGINT)
        code, out, err = ended(process)
        assert server.requests == 6
    assert (code, err) == (130, "")
    expected = {"started": 6, "succeeded": 6, "failed": 0, "unfinished": 0}
    assert json.loads(out)["requests"] == expected


def test_requests_that_nobody_answered_are_unfinished_and_not_failed():
    with serving(never_answers) as server:
        process = started(server.url, *LONG, "-c", "3", "-t", "0", "-o", "json")
        server.wait_for(requests=3)
        process.send_signal(signal.SIGINT)
        code, out, err = ended(process)
    assert (code, err) == (130, "")
    assert json.loads(out)["requests"] == {
        "started": 3,
        "succeeded": 0,
        "failed": 0,
        "unfinished": 3,
    }


def test_a_run_that_is_interrupted_while_it_warms_up_has_no_result(server):
    words = ("-n", "1000000", "--warmup", "1000000", *LONG[2:], *CLOSED_LOOP)
    process = started(server.url, *words, "-o", "json")
    server.wait_for(requests=20)
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, err) == (130, "")
    result = json.loads(out)
    assert result["interrupted"] is True
    assert result["requests"] == {"started": 0, "succeeded": 0, "failed": 0, "unfinished": 0}
    assert result["latency_ms"] is None


@pytest.mark.parametrize("reaches", ["parent", "group"])
def test_interrupted_processes_give_their_merged_partial_result(server, reaches):
    """A terminal's Ctrl-C reaches every process of the group, `kill` only the one named."""
    process = started(
        server.url, *LONG, *CLOSED_LOOP, "--processes", "2", "-o", "json", start_new_session=True
    )
    server.wait_for(requests=40)
    if reaches == "group":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, err) == (130, "")
    result = json.loads(out)
    assert result["interrupted"] is True
    assert len(result["workers"]) == 2
    assert result["requests"]["succeeded"] >= 20


def test_a_worker_is_ready_before_it_is_told_when_to_begin(server, tmp_path):
    process = started(server.url, "-n", "8", "-o", "json", "--start-at", os.fspath(tmp_path / "at"))
    assert process.stdout.readline() == '{"ready": true}\n'
    (tmp_path / "at").write_text("1")  # as a part of it is seen while it is written
    time.sleep(0.2)
    moment = time.time() + 0.2
    (tmp_path / "at").write_text(f"{moment!r}\n")
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert moment <= json.loads(out)["started_at"] < moment + 0.1
    assert server.requests == 8


def test_a_worker_that_is_told_to_end_before_it_was_told_to_begin_ends(server, tmp_path):
    process = started(server.url, "--start-at", os.fspath(tmp_path / "at"))
    process.stdout.readline()
    process.terminate()
    assert ended(process)[::2] == (130, "")


def test_a_moment_that_cannot_be_read_is_said_in_three_lines(server, tmp_path):
    (tmp_path / "at").write_text("soon\n")
    for file in (tmp_path, tmp_path / "at"):
        code, out, err = ended(started(server.url, "--start-at", os.fspath(file)))
        assert (code, out) == (2, '{"ready": true}\n')
        assert err.startswith("LoadError: --start-at cannot take this file")
        assert len(err.splitlines()) == 3


def test_an_interrupted_sweep_keeps_the_level_that_it_was_at_and_those_before(server):
    process = started(server.url, *LONG, "--sweep", "2,3", "-o", "json")
    server.wait_for(requests=20)
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, err) == (130, "")
    (level,) = json.loads(out)["levels"]
    assert (level["plan"]["clients"], level["interrupted"]) == (2, True)


@pytest.mark.parametrize("output", ["text", "json", "csv"])
def test_nobody_who_reads_its_output_is_no_traceback(server, output):
    """As in `… | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = started(server.url, "-n", "20", *LONG[2:], "-o", output, stdout=writing)
    finally:
        os.close(writing)
    code, _, err = ended(process)
    assert (code, err) == (141, "")


def test_rows_are_those_of_the_requests_that_count(server):
    words = ("-n", "5", "-c", "1", "--warmup", "3", "-o", "csv", "--model", "tiny")
    code, out, err = ended(started(server.url, *words))
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1 + 5


@pytest.mark.parametrize("several", [("--sweep", "1,2"), ("--processes", "2")])
def test_rows_that_cannot_be_told_apart_are_refused(server, several):
    code, out, err = ended(started(server.url, "-n", "4", "-c", "2", "-o", "csv", *several))
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "LoadError: rows of several runs cannot be told apart"


def test_nobody_who_reads_its_progress_ends_the_run(server):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = started(server.url, *LONG, "--progress", "-o", "json", stdout=writing)
    finally:
        os.close(writing)
    code, _, err = ended(process)
    assert (code, err) == (141, "")


def limited(limit: str, words: list[str]) -> subprocess.CompletedProcess[str]:
    """The command where so many open files are allowed."""
    shell = ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *words]
    return subprocess.run(shell, capture_output=True, text=True, timeout=WAIT_S, check=False)


def test_more_clients_than_open_files_are_refused_in_three_lines(server):
    done = limited("-n 64", command(server.url, "-n", "200", "-c", "100", *LONG[2:]))
    assert (done.returncode, done.stdout) == (2, "")
    happened, saw, hint = done.stderr.splitlines()
    assert happened.startswith("LoadError: 100 connections need ")
    assert "open files" in happened
    assert "ulimit -n" in saw
    assert "64" in saw
    assert hint.startswith("try: -c ")
    assert server.requests == 0


def test_a_soft_limit_that_may_be_raised_is_raised(server):
    done = limited("-Sn 64", command(server.url, "-n", "200", "-c", "100", *LONG[2:]))
    assert (done.returncode, done.stderr) == (0, "")
    assert server.requests == 200


def test_what_the_refusal_says_to_try_works(server):
    refused = limited("-n 64", command(server.url, "-n", "200", "-c", "100", *LONG[2:]))
    clients = refused.stderr.splitlines()[2].removeprefix("try: -c ").split(",")[0]
    done = limited("-n 64", command(server.url, "-n", "200", "-c", clients, *LONG[2:]))
    assert (done.returncode, done.stderr) == (0, "")
    assert server.requests == 200
