"""How each client is run, and what its output says: the only file that knows their options."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import heavy
import measuring
import peers

from labkit.setup.host import paths

PROMPT = "Why is the sky blue?"
REALTIME = "labkit --realtime"  # needs root
NOT_EXACT = 0.9  # hey rounds down to a multiple of its workers


class Load(NamedTuple):
    """What is asked of a client."""

    port: int
    streams: int
    requests: int
    tiny: bool = False  # one small object for each request, in place of a stream
    rate: int = 0  # open loop: requests per second
    processes: int = 1

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def body(self) -> str:
        fields = {"model": "reference", "prompt": PROMPT, "stream": not self.tiny}
        return json.dumps(fields)


class Seen(NamedTuple):
    """A client's own figures; None for what it cannot see."""

    requests: int
    ttft_p99_ms: float | None = None
    gap_p99_ms: float | None = None
    deviation_p99_ms: float | None = None


class Client(NamedTuple):
    name: str
    words: Callable[[Load], list[str]]
    seen: Callable[[str], Seen]
    env: Callable[[Load], dict[str, str]] = lambda load: {}


def available(names: Iterable[str]) -> tuple[list[Client], list[str]]:
    """The clients that are here, and a sentence for each that is not."""
    found, missing = [], []
    for name in names:
        if name in OWN:
            found.append(OWN[name]())
            continue
        peer = peers.find(name)
        if peer.program:
            found.append(PEERS[name](str(peer.program)))
        else:
            missing.append(f"{name} is not measured: {peer.reason}")
    return found, missing


def quantile(values: list[float], share: float) -> float:
    """As the reference does it.

    >>> quantile([4, 1, 3, 2], 0.5)
    2
    """
    return sorted(values)[int((len(values) - 1) * share)]


# -- ours, and the limit ---------------------------------------------------------------------


def _labkit_words(load: Load) -> list[str]:
    words = [sys.executable, "-m", "labkit.load", "-n", str(load.requests), "-c", str(load.streams)]
    if load.tiny:
        words += ["-m", "POST", "-T", "application/json", "-d", load.body]
    else:
        words += ["--model", "reference", "--prompt", PROMPT]
    if load.rate:
        words += ["--rate", str(load.rate)]
    if load.processes > 1:
        words += ["--processes", str(load.processes)]
    return [*words, "-t", "0", "-o", "json", f"{load.url}/api/generate"]


def labkit_seen(output: str) -> Seen:
    result = json.loads(output)

    def p99(name: str) -> float | None:
        return result[name] and result[name]["p99"]

    count = result["requests"]["succeeded"]
    return Seen(count, p99("ttft_ms"), p99("gap_ms"), p99("schedule_deviation_ms"))


def _limit_words(load: Load) -> list[str]:
    words = [str(measuring.compiled("limit")), "--streams", str(load.streams)]
    return [*words, "--requests", str(load.requests), "--body", load.body, str(load.port)]


def _stamped_words(load: Load) -> list[str]:
    return [*_limit_words(load), "--kernel-stamps"]


def object_seen(output: str) -> Seen:
    """What the C client, the vLLM-style loop and locustfile.py print: one JSON object."""
    last = json.loads(output.strip().splitlines()[-1])
    return Seen(last["requests"], last["ttft_p99_ms"] or None, last["gap_p99_ms"] or None)


def _realtime_words(load: Load) -> list[str]:
    words = _labkit_words(load)
    return [*words[:-1], "--realtime", words[-1]]


OWN = {
    "labkit": lambda: Client("labkit", _labkit_words, labkit_seen),
    REALTIME: lambda: Client(REALTIME, _realtime_words, labkit_seen),
    "C": lambda: Client("C", _limit_words, object_seen),
    "C, kernel stamps": lambda: Client("C, kernel stamps", _stamped_words, object_seen),
}

# -- the peers -------------------------------------------------------------------------------


def _hey(program: str) -> Client:
    def words(load: Load) -> list[str]:
        asked = [program, "-n", str(load.requests), "-t", "0", "-m", "POST", "-o", "csv"]
        asked += ["-T", "application/json", "-d", load.body]
        if load.rate:  # its -q is per worker: ten of them are the fewest that keep up
            asked += ["-c", "10", "-q", str(load.rate // 10)]
        else:
            asked += ["-c", str(load.streams)]
        return [*asked, f"{load.url}/api/generate"]

    return Client("hey", words, hey_seen)


def hey_seen(output: str) -> Seen:
    """From its CSV: the time to the first byte; it does not see tokens.

    >>> hey_seen("response-time,Response-delay\\n0.5,0.0510\\n")
    Seen(requests=1, ttft_p99_ms=51.0, gap_p99_ms=None, deviation_p99_ms=None)
    """
    rows = list(csv.DictReader(io.StringIO(output)))
    delays = [float(row["Response-delay"]) for row in rows]
    return Seen(len(rows), quantile(delays, 0.99) * 1000 if rows else None)


def _wrk(program: str) -> Client:
    script = Path(__file__).with_name("wrk.lua")

    def words(load: Load) -> list[str]:
        asked = [program, "-t1", f"-c{load.streams}", "-d3s", "-s", str(script)]
        return [*asked, f"{load.url}/api/generate", "--", load.body]

    return Client("wrk", words, wrk_seen)


def wrk_seen(output: str) -> Seen:
    """Only how many; its errors are an error here.

    >>> wrk_seen("  1200 requests in 3.00s, 1.2MB read")
    Seen(requests=1200, ttft_p99_ms=None, gap_p99_ms=None, deviation_p99_ms=None)
    """
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    return Seen(int(re.search(r"(\d+) requests in", output)[1]))


def _vllm_style(program: str) -> Client:
    script = Path(__file__).with_name("vllm_style.py")

    def words(load: Load) -> list[str]:
        asked = [program, str(script), load.url, "--streams", str(load.streams)]
        return [*asked, "--requests", str(load.requests), *(["--tiny"] if load.tiny else [])]

    return Client("vllm-style", words, object_seen)


def _locust(program: str) -> Client:
    script = Path(__file__).with_name("locustfile.py")

    def words(load: Load) -> list[str]:
        users = str(load.streams)
        asked = [program, "-f", str(script), "--headless", "--only-summary", "-u", users]
        return [*asked, "-r", users, "--host", load.url, "--loglevel", "ERROR"]

    def env(load: Load) -> dict[str, str]:
        return {"REQUESTS": str(load.requests), "TINY": "1" if load.tiny else ""}

    return Client("locust", words, locust_seen, env)


def locust_seen(output: str) -> Seen:
    return object_seen(next(line for line in output.splitlines() if line.startswith("{")))


def _inference_perf(program: str) -> Client:
    def seen(_: str) -> Seen:
        file = paths.cache("bench", "run-inference-perf", "out", "summary_lifecycle_metrics.json")
        return Seen(*heavy.inference_perf_seen(json.loads(file.read_text())))

    return _suite("inference-perf", program, heavy.inference_perf_words, seen)


def _aiperf(program: str) -> Client:
    def seen(_: str) -> Seen:
        file = paths.cache("bench", "run-aiperf", "out", "profile_export.jsonl")
        count, firsts_ms = heavy.aiperf_seen(file.read_text().splitlines())
        return Seen(count, quantile(firsts_ms, 0.99))

    return _suite("aiperf", program, heavy.aiperf_words, seen)


def _guidellm(program: str) -> Client:
    def seen(_: str) -> Seen:
        file = paths.cache("bench", "run-guidellm", "report.json")
        return Seen(*heavy.guidellm_seen(json.loads(file.read_text())))

    return _suite("guidellm", program, heavy.guidellm_words, seen)


def _suite(name: str, program: str, words: Callable, seen: Callable[[str], Seen]) -> Client:
    def with_load(load: Load) -> list[str]:
        return words(program, load.url, load.streams, load.requests)

    return Client(name, with_load, seen, lambda load: {"HF_HUB_DISABLE_TELEMETRY": "1"})


PEERS = {
    "hey": _hey,
    "wrk": _wrk,
    "vllm-style": _vllm_style,
    "locust": _locust,
    "inference-perf": _inference_perf,
    "aiperf": _aiperf,
    "guidellm": _guidellm,
}
