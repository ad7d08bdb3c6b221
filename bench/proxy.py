"""What do the proxy of k8s/steps/08-proxy, and its exporter, add to the time to first token?

The load engine asks the reference server: directly; through HAProxy as the manifest has it, but
without the filter and the log that feed the exporter; and with both. In turn, so that what else
the machine does meets all three. Server and engine have a core each; the parts of the Pod have
CPU shares in the proportion that they have there. Needs Docker with the lab's images, cc, and
two cores.

    python bench/proxy.py             milliseconds to the first token at about 64 streams, medians
    python bench/proxy.py --waves     all 64 ask again at one moment: the worst case
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from labkit.kube import apply
from labkit.setup.host import docker

STREAMS, TOKENS, GAP_S, FIRST_S = 64, 64, 0.020, 0.050
SERVER_CORE, ENGINE_CORE = 0, 1
ITEMS = {
    (item["kind"], item["metadata"]["name"]): item for item in apply.load("k8s/steps/08-proxy")
}
FEEDS = r"^ *(log 127.0.0.1:8405|lua-load|tune.lua|filter lua).*\n"  # an exporter
WAYS = ("direct", "proxy", "proxy and exporter")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def shares(name: str) -> str:
    """The CPU shares of a container of the Pod, the proxy's being the engine's usual 1024."""
    pod = ITEMS["Deployment", "ollama"]["spec"]["template"]["spec"]
    milli = {
        one["name"]: int(one["resources"]["requests"]["cpu"].removesuffix("m"))
        for one in pod["initContainers"]
    }
    return str(1024 * milli[name] // milli["haproxy"])


@contextmanager
def reference(folder: Path, port: int) -> Iterator[None]:
    source, program = Path(__file__).parent / "load" / "reference.c", folder / "reference"
    subprocess.run(["cc", "-O2", "-o", program, source], check=True, timeout=60)
    words = ["--tokens", TOKENS, "--first-us", FIRST_S * 1e6, "--gap-us", GAP_S * 1e6]
    words = [program, port, *(f"{one:.0f}" if isinstance(one, float) else one for one in words)]
    with running(list(map(str, words)), core=SERVER_CORE):
        yield


@contextmanager
def running(words: list[str], core: int) -> Iterator[None]:
    process = subprocess.Popen(words, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def container(name: str, image: str, folder: Path, mount: str, *words: str) -> Iterator[None]:
    """A container of the Pod, on this machine's own network."""
    env = {"MODEL": "reference", "OLLAMA_NUM_PARALLEL": "512", "OLLAMA_MAX_QUEUE": "512"}
    env["QUEUE_TIMEOUT"] = "10s"
    options = ["--network", "host", "--user", "65532:65532", "--cap-drop", "ALL", "--read-only"]
    options += ["--cpu-shares", shares(name), "--volume", f"{folder}:{mount}:ro"]
    options += [word for key, value in env.items() for word in ("--env", f"{key}={value}")]
    made = docker.docker("run", "--rm", "--detach", *options, image, *words).strip()
    try:
        yield
    finally:
        docker.docker("kill", made)


@contextmanager
def proxy(folder: Path, server: int, exporter: int | None) -> Iterator[int]:
    """HAProxy with the manifest's files; its port. Without an exporter: nothing that feeds one."""
    port, metrics = free_port(), free_port()
    made = folder / f"haproxy-{port}"
    made.mkdir(mode=0o755)
    for name, text in ITEMS["ConfigMap", "haproxy"]["data"].items():
        changes = {":11434": f"127.0.0.1:{port}", ":8404": f"127.0.0.1:{metrics}"}
        for old, new in changes.items():
            text = text.replace(f"bind {old}", f"bind {new}")
        text = text.replace("127.0.0.1:11435", f"127.0.0.1:{server}")
        if exporter:
            text = text.replace("127.0.0.1:8405", f"127.0.0.1:{exporter}")
        elif name == "haproxy.cfg":
            text = re.sub(FEEDS, "", text, flags=re.MULTILINE)
        (made / name).write_text(text)
    image = "haproxy:2.6.12"
    with container("haproxy", image, made, "/usr/local/etc/haproxy"):
        until(lambda: answers(f"http://127.0.0.1:{metrics}/ready"))
        yield port


@contextmanager
def exported(folder: Path, server: int) -> Iterator[int]:
    port = free_port()
    made = folder / "exporter"
    made.mkdir(mode=0o755)
    source = ITEMS["ConfigMap", "exporter"]["data"]["exporter.py"]
    source = source.replace("PORT = 8405", f"PORT = {port}").replace("11435", str(server))
    (made / "exporter.py").write_text(source)
    words = ("python3", "/exporter/exporter.py")
    with container("exporter", "python:3.11-slim", made, "/exporter", *words):
        until(lambda: answers(f"http://127.0.0.1:{port}/metrics"))
        yield port


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


def until(true: Callable[[], bool], limit_s: float = 20) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_s:g} s")
        time.sleep(0.05)


def measured(port: int, requests: int, *, waves: bool) -> dict:
    """The engine's result, its process on its own core."""
    words = [sys.executable, "-P", "-m", "labkit.load", "--model", "reference", "--prompt", "x"]
    words += ["-n", str(requests), "--warmup", str(STREAMS), "-o", "json"]
    rate = STREAMS / (FIRST_S + GAP_S * TOKENS)
    steady = ["-c", str(8 * STREAMS), "--rate", f"{rate:.1f}", "--arrivals", "poisson"]
    words += ["-c", str(STREAMS)] if waves else steady
    done = subprocess.run(
        [*words, f"http://127.0.0.1:{port}"],
        preexec_fn=lambda: os.sched_setaffinity(0, {ENGINE_CORE}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--requests", type=int, default=512)
    parser.add_argument("--waves", action="store_true")
    given = parser.parse_args()
    found: dict[str, list[dict]] = {way: [] for way in WAYS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        server = free_port()
        stack.enter_context(reference(folder, server))
        exporter = stack.enter_context(exported(folder, server))
        ports = [server]
        ports += [stack.enter_context(proxy(folder, server, each)) for each in (None, exporter)]
        for _ in range(given.repeat):
            for way, port in zip(WAYS, ports, strict=True):
                found[way].append(measured(port, given.requests, waves=given.waves)["ttft_ms"])
    print(f"median of {given.repeat}          p50 ms   p99 ms   added p50   added p99")
    for way in WAYS:
        p50, p99 = (statistics.median(one[key] for one in found[way]) for key in ("p50", "p99"))
        added = [
            statistics.median(
                one[key] - bare[key] for one, bare in zip(found[way], found["direct"], strict=True)
            )
            for key in ("p50", "p99")
        ]
        print(f"{way:18} {p50:10.2f} {p99:8.2f} {added[0]:11.2f} {added[1]:11.2f}")


if __name__ == "__main__":
    main()
