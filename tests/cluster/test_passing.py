"""haproxy.cfg and answer.lua of k8s/steps/08-proxy: what passes them, and what they log."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from labkit.kube import apply
from labkit.setup.host import docker, speed

DATA = apply.load("k8s/steps/08-proxy/haproxy.yaml")[0]["data"]
IMAGE = "haproxy:2.6.12"
TOKEN = {"model": "tiny", "response": 'a "eval_count":9', "done": False}
LAST = {"model": "tiny", "response": "", "done": True, "context": list(range(9000))}
COSTS = {"total_duration": 5, "load_duration": 1, "eval_count": 20, "eval_duration": 4}
LINES = [TOKEN] * 20 + [LAST | COSTS]
WHOLE = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in LINES)


class Proxy(NamedTuple):
    url: str
    records: Callable[[int], list[dict]]  # of its log, once there are so many


@pytest.fixture
def proxy(lab, answering, tmp_path) -> Iterator[Callable]:
    """`proxy(answer)`: HAProxy before a server that answers so, and has its model.

    Two at a time, and as many may wait as `waiting` says.
    """
    made: list[str] = []

    def start(answer: Callable, waiting: int = 2) -> Proxy:
        def known(handler) -> None:
            handler.send({}) if handler.path == "/api/show" else answer(handler)

        server = answering(known).removeprefix("http://")
        free = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        front, metrics = (f"127.0.0.1:{one.getsockname()[1]}" for one in free)
        for one in free:
            one.close()
        for name, text in DATA.items():
            for old, new in (("bind :11434", f"bind {front}"), ("bind :8404", f"bind {metrics}")):
                text = text.replace(old, new)
            (tmp_path / name).write_text(text.replace("127.0.0.1:11435", server))
        tmp_path.chmod(0o755)
        env = {"MODEL": "tiny", "OLLAMA_NUM_PARALLEL": "2", "OLLAMA_MAX_QUEUE": str(waiting)}
        env["QUEUE_TIMEOUT"] = "1s"
        words = [word for key, value in env.items() for word in ("--env", f"{key}={value}")]
        words += ["--volume", f"{tmp_path}:/usr/local/etc/haproxy:ro", "--user", "65532"]
        made.append(docker.docker("run", "--detach", "--network", "host", *words, IMAGE).strip())
        deadline = time.monotonic() + speed.deadline(20)
        while True:
            try:
                urllib.request.urlopen(f"http://{metrics}/ready", timeout=2).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < deadline, docker.docker("logs", made[-1])
                time.sleep(0.05)

        def records(count: int) -> list[dict]:
            found: list[dict] = []
            while len(found) < count:
                assert time.monotonic() < deadline, found
                lines = docker.docker("logs", made[-1]).splitlines()
                found = [json.loads(line) for line in lines if line.startswith("{")]
            return found

        return Proxy(f"http://{front}", records)

    yield start
    for name in made:
        docker.docker("rm", "--force", name)


def passed(url: str, path: str = "/api/generate", size: int = 0) -> bytes:
    request = urllib.request.Request(url + path, json.dumps({"size": size}).encode())
    with urllib.request.urlopen(request, timeout=speed.deadline(30)) as answer:
        return answer.read()


def test_an_answer_passes_as_it_is_however_it_is_cut_into_pieces(proxy):
    def answer(handler) -> None:
        size = json.loads(handler.body)["size"]
        if not size:
            handler.send(WHOLE)
            return
        for start in range(0, len(WHOLE), size):
            handler.chunk(WHOLE[start : start + size])
        handler.chunk(b"")

    found = proxy(answer)
    for size in (0, 1, 7, 100, 4096, len(WHOLE)):
        assert passed(found.url, size=size) == WHOLE
    told = [record["answer"] for record in found.records(6)]
    assert told == [{"model": "tiny", "done": True, **COSTS}] * 6


ENDS = {
    "/api/pull": (b'{"status":"success"}\n', {"done": True}),
    "/api/create": (b'{"error":"a \\"word\\""}\n', {"error": 'a "word"', "done": False}),
    "/v1/completions": (
        b'data: {"model":"tiny","usage":{"prompt_tokens":4,"completion_tokens":40}}\n\n'
        b"data: [DONE]\n\n",
        {"model": "tiny", "prompt_tokens": 4, "completion_tokens": 40, "done": True},
    ),
    "/api/chat": (b'{"model":"tiny","done":false}\n', {"model": "tiny", "done": False}),
    "/v1/chat/completions": (  # not streamed: its length says whether it is whole
        b'{"id":"x","model":"tiny","choices":[{"message":{"content":"a"}}],'
        b'"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}\n',
        {"model": "tiny", "prompt_tokens": 4, "completion_tokens": 2, "done": False},
    ),
    "/api/generate": (  # an empty prompt
        b'{"model":"tiny","created_at":"now","response":"","done":true,"done_reason":"load"}\n',
        {"model": "tiny", "done": True, "done_reason": "load"},
    ),
    "/api/tool": (  # who calls one may call its argument so
        b'{"model":"tiny","message":{"role":"assistant","content":"","tool_calls":[{"function":'
        b'{"name":"end","arguments":{"done":true}}}]},"done":false}\n',
        {"model": "tiny", "done": False},
    ),
}


def test_the_log_knows_how_each_kind_of_answer_ended(proxy):
    def answer(handler) -> None:
        handler.chunk(ENDS[handler.path][0])
        handler.chunk(b"")

    found = proxy(answer)
    for path in ENDS:
        passed(found.url, path)
    told = {record["path"]: record["answer"] for record in found.records(len(ENDS))}
    assert told == {path: told for path, (_, told) in ENDS.items()}


def test_a_token_is_not_held_back_until_the_next(proxy):
    def answer(handler) -> None:
        handler.chunk(b'{"first":1}\n')
        time.sleep(1)
        handler.chunk(b'{"last":1}\n')
        handler.chunk(b"")

    found = proxy(answer)
    begun = time.monotonic()
    request = urllib.request.Request(f"{found.url}/api/generate", b"{}")
    with urllib.request.urlopen(request, timeout=speed.deadline(30)) as lines:
        assert lines.readline() == b'{"first":1}\n'
        assert time.monotonic() - begun < 0.1  # a kernel that waits for more does so for 0.2 s


def test_a_path_in_other_letters_waits_in_the_same_queue(proxy):
    def answer(handler) -> None:
        time.sleep(0.3)
        handler.send(WHOLE)

    found = proxy(answer)
    passed(found.url, "/api/g%65nerate")
    (record,) = found.records(1)
    assert (record["path"], record["backend"]) == ("/api/generate", "inference")


def test_without_a_queue_only_those_are_refused_who_find_no_turn(proxy):
    go, taken = threading.Event(), threading.Semaphore(0)

    def answer(handler) -> None:
        taken.release()
        assert go.wait(20)
        handler.send(WHOLE)

    found = proxy(answer, waiting=0)
    with ThreadPoolExecutor(2) as pool:
        first = [pool.submit(passed, found.url) for _ in range(2)]
        assert taken.acquire(timeout=speed.deadline(10))
        assert taken.acquire(timeout=speed.deadline(10))
        with pytest.raises(urllib.error.HTTPError) as error:
            passed(found.url)
        go.set()
        assert (error.value.code, json.load(error.value)["waiting"]) == (503, 0)
        assert [one.result(timeout=speed.deadline(20)) for one in first] == [WHOLE, WHOLE]
    assert passed(found.url) == WHOLE
