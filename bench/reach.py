"""`lab.connect` through the API server's proxy, next to `kubectl port-forward`.

Both reach the same Pod of the running lab. Makes a labelled namespace and removes it.

    python bench/reach.py           milliseconds of a request, of the first token, of a stream
    python bench/reach.py --cuts    of many answers through the proxy, how many are cut off,
                                    on kept connections and on new ones
"""

import argparse
import contextlib
import io
import os
import re
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import labkit as lab
from labkit.errors import StreamCut
from labkit.jupyter import namespace
from labkit.kube import proxy as reach
from labkit.kube import session
from labkit.setup.cluster import labs

LAB = labs.Lab()
BODY = {"model": lab.model, "prompt": "Write a limerick about Kubernetes"}


@contextlib.contextmanager
def forwarded(space: str):
    """A port of this machine that leads to the Pod."""
    words = [LAB.program(), "-n", space, "port-forward", "pod/ollama", ":11434"]
    words += ["--address", "127.0.0.1"]
    process = subprocess.Popen(
        words, env={**os.environ, **LAB.environment()}, stdout=subprocess.PIPE, text=True
    )
    try:
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        yield reach.local(f"127.0.0.1:{found[1]}")
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def request(connection: reach.Connection) -> float:
    begun = time.perf_counter()
    assert connection.get("/api/version")
    return time.perf_counter() - begun


def stream(connection: reach.Connection) -> tuple[float, float]:
    """Seconds to the first token, and to the last."""
    begun = time.perf_counter()
    first = 0.0
    done = False
    for event in connection.lines("/api/generate", BODY):
        first = first or time.perf_counter() - begun
        done = event["done"]
    assert done
    return first, time.perf_counter() - begun


def cuts(how: str, count: int) -> int:
    """How many of so many answers were cut off, asked by four clients at once."""

    def ask(_: int) -> int:
        lost = 0
        with reach.opened(session.current(), "pod/ollama") as connection:
            connection._client.headers["connection"] = how
            for _ in range(count // 4):
                try:
                    connection.post("/api/show", {"model": lab.model})
                except StreamCut:
                    lost += 1
        return lost

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(ask, range(4)))


def compare(space: str, repeat: int) -> None:
    rows: dict[str, list[tuple[float, ...]]] = {"proxy": [], "port-forward": []}
    with (
        forwarded(space) as forward,
        reach.opened(session.current(), "pod/ollama") as proxy,
    ):
        ways = {"proxy": proxy, "port-forward": forward}
        for connection in ways.values():
            stream(connection)  # the model is loaded
        for _ in range(repeat):
            for name, connection in ways.items():
                rows[name].append((request(connection), *stream(connection)))
    print(f"median of {repeat}, ms   request   first token   whole stream")
    medians = {}
    for name, found in rows.items():
        medians[name] = [statistics.median(one) * 1000 for one in zip(*found, strict=True)]
        print(f"{name:17}{medians[name][0]:12.1f}{medians[name][1]:14.1f}{medians[name][2]:15.1f}")
    ratios = [a / b for a, b in zip(*medians.values(), strict=True)]
    print(f"{'ratio':17}{ratios[0]:12.2f}{ratios[1]:14.2f}{ratios[2]:15.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--cuts", action="store_true")
    options = parser.parse_args()
    space = namespace.make(Path("bench-reach"))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            lab.start(space)
            lab.run("ollama", image="ollama/ollama")
            lab.wait("pod/ollama")
            lab.pull(at="pod/ollama")
        if options.cuts:
            for name, how in (("kept", "keep-alive"), ("new", "close")):
                print(f"{name} connections: {cuts(how, 4000)} of 4000 answers cut off")
        else:
            compare(space, options.repeat)
    finally:
        namespace.remove(space)


if __name__ == "__main__":
    main()
