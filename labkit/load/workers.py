"""Runs a plan in several processes, each the same command as in a Pod, and merges their results."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from labkit.load.errors import LoadError
from labkit.load.interrupts import interrupts
from labkit.load.plan import Plan
from labkit.load.progress import Progress
from labkit.load.result import Result

START_S = 0.3  # until every process listens to its clock
GRACE_S = 1.0  # for workers that a terminal's Ctrl-C reached too
LOOK_MS = 100  # Ctrl-C is looked for so often
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
    children: list[subprocess.Popen[bytes]] = []
    # A Ctrl-C that comes before a worker runs waits until it does: each gives its part.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for index in range(processes):
            child = subprocess.Popen(
                [*command, "--worker", f"{index}/{processes}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": places},
            )
            children.append(child)
            assert child.stdin is not None  # a pipe, as asked for
            child.stdin.write(plan.to_json().encode())
            child.stdin.close()
        return Collector(children, on_progress, start_at).run()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for child in children:
            if child.poll() is None:
                child.terminate()
            if child.stdout:
                child.stdout.close()
            child.wait()


class Collector:
    """Reads what the workers print until each has printed its result."""

    def __init__(
        self,
        children: list[subprocess.Popen[bytes]],
        on_progress: Callable[[Progress], None] | None,
        start_at: float,
    ) -> None:
        self.children, self.on_progress, self.start_at = children, on_progress, start_at
        self.interrupted = False
        self.states: dict[int, Progress] = {}
        self.results: dict[int, Result] = {}

    def run(self) -> Result:
        """The merged result; Ctrl-C is passed on, and the parts merged. Raises LoadError."""
        poll = select.poll()
        texts = {child.stdout.fileno(): b"" for child in self.children if child.stdout}
        left = set(texts)
        for descriptor in texts:
            poll.register(descriptor, select.POLLIN)
        with interrupts(self):
            told, ends_at = False, 0.0
            while left:
                for descriptor, _ in poll.poll(LOOK_MS):
                    piece = os.read(descriptor, 65536)
                    *lines, texts[descriptor] = (texts[descriptor] + piece).split(b"\n")
                    for line in lines:
                        self._take(descriptor, line)
                    if not piece:
                        poll.unregister(descriptor)
                        left.discard(descriptor)
                if self.interrupted and not ends_at:
                    ends_at = time.monotonic() + GRACE_S
                # A terminal told them already, and a second Ctrl-C would lose their results;
                # `kill` told them nothing.
                if ends_at and not told and time.monotonic() > ends_at:
                    told = True
                    for child in self.children:
                        child.send_signal(signal.SIGINT)  # held back until it is ready, unlike TERM
        if len(self.results) < len(self.children):
            saw = f"{len(self.results)} of {len(self.children)} results"
            raise LoadError("a worker ended without a result", saw, "the lines above say why")
        return Result.merge([self.results[descriptor] for descriptor in texts], self.start_at)

    def _take(self, descriptor: int, line: bytes) -> None:
        try:
            told = json.loads(line)
            if "schema" in told:
                self.results[descriptor] = Result.from_json(told)
                return
            self.states[descriptor] = Progress(**told["progress"])
        except (ValueError, TypeError, KeyError):
            saw = line[:100].decode(errors="replace")
            raise LoadError("a worker did not print a result", saw, "look there") from None
        if self.on_progress:
            self.on_progress(together(list(self.states.values())))


def together(states: list[Progress]) -> Progress:
    """The sum of the workers' progress; of the quantiles the worst."""

    def worst(name: str) -> float | None:
        return max((v for s in states if (v := getattr(s, name)) is not None), default=None)

    sums = {name: sum(getattr(s, name) for s in states) for name in Progress._fields[1:6]}
    elapsed = max(state.elapsed_s for state in states)
    p50, p95 = worst("ttft_p50_ms"), worst("ttft_p95_ms")
    return Progress(elapsed_s=elapsed, **sums, ttft_p50_ms=p50, ttft_p95_ms=p95)
