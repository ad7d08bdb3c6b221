"""Api.watch while the API server restarts: however a watch ends, it goes on where it was."""

import itertools
import json
import time

import pytest

import labkit as lab
from labkit.errors import ApiSilent
from labkit.kube import session


@pytest.fixture
def watching(connected):
    """`watching(*ways)`: what a watch tells whose server fails so, one way after the other."""

    def watch(*ways: str) -> tuple[list[str], list[str]]:
        asked: list[str] = []
        left = itertools.chain(ways, itertools.repeat("well"))

        def answer(handler) -> None:
            asked.append(handler.path)
            WAYS[next(left)](handler, len(asked))

        connected(answer)
        found = []
        news = session.current().api.watch("/api/v1/pods", timeout_s=60)
        for one in filter(None, news):
            found.append(one[1]["metadata"]["resourceVersion"])
            if one[0] == "DELETED":
                break
        news.close()
        return found, asked

    return watch


def line(kind: str, version: int) -> bytes:
    item = {"metadata": {"resourceVersion": str(version)}}
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def well(handler, n: int) -> None:
    handler.chunk(line("DELETED", 90 + n))
    handler.chunk(b"")


def quiet(handler, n: int) -> None:
    handler.chunk(line("ADDED", n))
    handler.chunk(b"")


def silent(handler, n: int) -> None:
    handler.chunk(b"")


def mid_line(handler, n: int, *, is_whole: bool = False) -> None:
    handler.chunk(line("ADDED", n))
    handler.chunk(line("ADDED", 50)[:20])
    handler.chunk(b"") if is_whole else None
    handler.close_connection = True


def hang_up(handler, n: int) -> None:
    handler.close_connection = True


def status(handler, n: int, code: int, **more: str) -> None:
    handler.send({"kind": "Status", "message": "no", "code": code}, code, **more)


def expired(handler, n: int) -> None:
    error = {"code": 410, "reason": "Expired", "message": "too old"}
    handler.chunk(json.dumps({"type": "ERROR", "object": error}).encode() + b"\n")
    handler.chunk(b"")


def slow_etcd(handler, n: int) -> None:
    error = {"code": 500, "message": "etcdserver: no leader"}
    handler.chunk(json.dumps({"type": "ERROR", "object": error}).encode() + b"\n")
    handler.chunk(b"")


WAYS = {
    "well": well,
    "quiet end": quiet,
    "nothing": silent,
    "cut in a line": mid_line,
    "end in a line": lambda handler, n: mid_line(handler, n, is_whole=True),
    "hang-up": hang_up,
    "503": lambda handler, n: status(handler, n, 503),
    "429": lambda handler, n: status(handler, n, 429, **{"Retry-After": "1"}),
    "410": lambda handler, n: status(handler, n, 410),
    "ERROR 410": expired,
    "ERROR 500": slow_etcd,
}


@pytest.mark.parametrize("way", [way for way in WAYS if way != "well"])
def test_a_watch_that_ends_is_opened_again(watching, way):
    found, asked = watching("quiet end", way, way)
    assert found[0] == "1" and found[-1].startswith("9")
    assert "50" not in found  # of an event that did not come whole nothing is told
    last = asked[-1]
    assert ("resourceVersion" in last) == ("410" not in way)


@pytest.mark.parametrize("way", ["hang-up", "503", "cut in a line"])
def test_one_that_is_away_when_the_time_is_up_says_so(connected, way):
    connected(lambda handler: WAYS["hang-up" if way != "503" else way](handler, 1))
    begun = time.monotonic()
    with pytest.raises(ApiSilent, match=r"asked again for \d+ s"):
        list(session.current().api.watch("/api/v1/pods", timeout_s=2))
    assert time.monotonic() - begun >= 1.9


def test_a_wait_goes_on_whatever_of_its_requests_fails(connected, discovery):
    """Of four requests in a row two are hung up on: its list, its watch, and what it looks at."""
    pod = {"kind": "Pod", "metadata": {"name": "ollama", "uid": "1", "resourceVersion": "5"}}
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
    rows = discovery["/api"]["items"][0]["versions"][0]["resources"]
    kind = {"responseKind": {"kind": "Event"}, "resource": "events", "singularResource": "event"}
    rows.append({**rows[0], **kind, "shortNames": ["ev"]})
    asked, watches = [], []

    def answer(handler) -> None:
        asked.append(handler.path)
        path = handler.path.partition("?")[0]
        if len(asked) % 4 in (1, 2):
            handler.close_connection = True
        elif path in discovery:
            handler.send(discovery[path])
        elif "watch=true" in handler.path:
            watches.append(path)
            item = pod if len(watches) < 3 else {**pod, "status": ready}
            handler.chunk(json.dumps({"type": "MODIFIED", "object": item}).encode() + b"\n")
            handler.chunk(b"")
        elif path.endswith("/pods"):
            handler.send({"metadata": {"resourceVersion": "4"}, "items": [pod]})
        else:
            handler.send({"items": []})

    connected(answer)
    assert lab.wait("pod/ollama", timeout_s=60).item["status"] == ready
