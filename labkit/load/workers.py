"""Runs a plan in several processes, each the same command as in a Pod, and merges their results."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from labkit.load.engine import Progress
from labkit.load.errors import LoadError
from labkit.load.plan import Plan
from labkit.load.result import Result

START_S = 0.3  # until every process listens to its clock
ROOT = str(Path(__file__).resolve().parents[2])


def run(
    plan: Plan,
    processes: int,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    start_at: float | None = None,
) -> Result:
    """The merged result of `processes` processes that start together; raises LoadError."""
    start_at = start_at or time.time() + START_S
    for index in range(processes):
        plan.share(index, processes)  # raises before anything was started
    command = [sys.executable, "-m", "labkit.load", "--plan", "-", "--progress", "-o", "json"]
    command += ["--i-own-this-target", "--start-at", repr(start_at)]
    places = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    children = []
    for index in range(processes):
        child = subprocess.Popen(
            [*command, "--worker", f"{index}/{processes}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": places},
        )
        child.stdin.write(plan.to_json().encode())
        child.stdin.close()
        children.append(child)
    try:
        return collect(children, on_progress)
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
            child.stdout.close()
            child.wait()


def collect(children: list, on_progress: Callable[[Progress], None] | None) -> Result:
    """Read what the workers print until each has printed its result; Ctrl-C reaches them too."""
    poll = select.poll()
    texts = {child.stdout.fileno(): b"" for child in children}
    states: dict[int, Progress] = {}
    results: dict[int, Result] = {}
    for descriptor in texts:
        poll.register(descriptor, select.POLLIN)
    open_ones = set(texts)
    while open_ones:
        try:
            for descriptor, _ in poll.poll():
                piece = os.read(descriptor, 65536)
                if not piece:
                    poll.unregister(descriptor)
                    open_ones.discard(descriptor)
                *lines, texts[descriptor] = (texts[descriptor] + piece).split(b"\n")
                for line in lines:
                    told = json.loads(line)
                    if "progress" in told:
                        states[descriptor] = Progress(**told["progress"])
                        if on_progress:
                            on_progress(together(list(states.values())))
                    else:
                        results[descriptor] = Result.from_json(told)
        except KeyboardInterrupt:
            for child in children:  # a terminal told them already, `kill` did not
                child.terminate()
    if len(results) < len(children):
        saw = f"{len(results)} of {len(children)} results"
        raise LoadError("a worker ended without a result", saw, "the lines above say why")
    return Result.merge([results[child] for child in texts])


def together(states: list[Progress]) -> Progress:
    """The sum of the workers' progress; of the quantiles the worst."""

    def worst(name: str) -> float | None:
        return max((v for s in states if (v := getattr(s, name)) is not None), default=None)

    sums = [sum(getattr(s, name) for s in states) for name in Progress._fields[1:6]]
    elapsed = max(state.elapsed_s for state in states)
    return Progress(elapsed, *sums, worst("ttft_p50_ms"), worst("ttft_p95_ms"))
