"""Runs of the engine that are disturbed on purpose, beside a server that knows the truth.

`run(seed)` chooses streams, pace, dialect and disturbance by its seed, and holds the figures'
bounds against the server's own times. What is claimed holds however late anybody was: the server
too gives two ends for each of its times, and nothing here waits for a limit.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from labkit.load import connection, engine
from labkit.load.figures import Figure, figures
from labkit.load.histogram import QUANTILES
from labkit.load.plan import Plan
from labkit.load.result import Result

DISTURBANCES = ("stopped", "slow progress", "held reader", "hogs", "no stamps", "nothing")
PATHS = ("/api/generate", "/api/chat", "/v1/chat/completions")
SLACK_MS = 0.05  # two clocks are compared, each read to 0.02 ms
BUCKET = 1 / 1024
NEAR_MS = {"ttft_ms": 0.3, "gap_ms": 0.2}  # so near to the truth is what is called good
NO_SUCH_OPTION = 9999


class Ran(NamedTuple):
    """One disturbed run: what was chosen, what it measured, what is wrong with that."""

    said: str
    wide: list[str]  # figures that were not called good
    good: list[str]
    wrong: list[str]


def run(seed: int, measuring) -> Ran:
    """The run of this seed; `measuring` is bench/load's."""
    chance = random.Random(seed)
    disturbance = DISTURBANCES[seed % len(DISTURBANCES)]
    streams, tokens = chance.choice((1, 2, 4, 8, 16)), chance.choice((4, 8, 16, 24))
    pace = {"tokens": tokens, "first_us": chance.randrange(500, 30_000)}
    pace |= {"gap_us": chance.randrange(300, 12_000), "spread": chance.random() < 0.5}
    path = chance.choice(PATHS)
    requests = max(streams, 60 // tokens)
    said = f"seed {seed}: {disturbance}, {path}, {streams} streams, {requests} requests, {pace}"
    cores = tuple(os.sched_getaffinity(0))
    with measuring.reference(**pace, ahead=True, cores=cores) as port:
        body = json.dumps({"model": "reference", "stream": True})
        plan = Plan(
            url=f"http://127.0.0.1:{port}{path}",
            method="POST",
            body=body,
            requests=requests,
            clients=streams,
        )
        result = _DISTURBED[disturbance](plan, chance)
        truth = measuring.times_ns(port)
    shown = {f"{one.metric}.{one.figure}": one for one in figures(result)}
    wrong = [f"{result.failures}"] if result.succeeded != requests else []
    for metric in NEAR_MS:
        wrong += _wrong(result, metric, truth[metric], shown)
    mine = [name for name in shown if name.partition(".")[0] in NEAR_MS]
    wide = [name for name in mine if not shown[name].good]
    return Ran(said, wide, [name for name in mine if shown[name].good], wrong)


def _wrong(result: Result, metric: str, truth: dict, shown: dict[str, Figure]) -> list[str]:
    """What is not true of a quantity's figures."""
    summary = result.metrics[metric].summary()
    low, high = (sorted(ns / 1e6 for ns in truth[end]) for end in ("low", "high"))
    if not summary or summary["count"] != len(low):
        return [f"{metric}: {summary and summary['count']} observations of {len(low)}"]
    wrong = []
    for name in ("mean", "min", *QUANTILES, "max"):
        least, most = _figure(low, name), _figure(high, name)
        seen_low, seen_high = summary["low"][name], summary["high"][name]
        slack = SLACK_MS + BUCKET * seen_high
        told = f"{metric}.{name} between {seen_low} and {seen_high}, was {least} to {most} ms"
        if seen_low > most + slack or seen_high < least - slack:
            wrong.append(told)
        figure = shown.get(f"{metric}.{name}")
        if figure and figure.good:
            middle = (seen_low + seen_high) / 2
            if max(least - middle, middle - most) > NEAR_MS[metric] + BUCKET * seen_high:
                wrong.append(f"called good: {told}")
    return wrong


def _figure(ordered: list[float], name: str) -> float:
    """As the engine defines it."""
    if name == "mean":
        return sum(ordered) / len(ordered)
    share = {"min": 0.0, "max": 1.0, **QUANTILES}[name]
    return ordered[max(1, math.ceil(share * len(ordered))) - 1]


# -- the disturbances


def _undisturbed(plan: Plan, chance: random.Random) -> Result:
    return engine.run(plan)


def _stopped(plan: Plan, chance: random.Random) -> Result:
    """The client is stopped and continued all the time."""
    with _client(plan) as process:
        while process.poll() is None and not _has_printed(process):
            time.sleep(chance.uniform(0.0005, 0.02))
            process.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0.0005, 0.04))
            process.send_signal(signal.SIGCONT)
        return _result(process)


def _beside_hogs(plan: Plan, chance: random.Random) -> Result:
    """Programs that take all they can get of every core."""
    hog = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    with _client(plan) as process:
        hogs = [subprocess.Popen(hog) for _ in os.sched_getaffinity(0)]
        try:
            return _result(process)
        finally:
            for one in hogs:
                one.kill()
                one.wait()


def _slow_progress(plan: Plan, chance: random.Random) -> Result:
    """Who watches takes long, in the loop's own thread."""
    return engine.run(plan, lambda _: time.sleep(chance.uniform(0, 0.04)), every_s=0.0)


def _held(plan: Plan, chance: random.Random) -> Result:
    """Another thread keeps the interpreter's lock from the one that reads."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(chance.uniform(0.0005, 0.01)):
            sum(range(chance.randrange(400_000)))  # one call: the lock is not given up in it

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        return engine.run(plan)
    finally:
        over.set()
        thread.join()


def _unstamped(plan: Plan, chance: random.Random) -> Result:
    """As on macOS; and held as well."""
    asked, connection.SO_TIMESTAMPNS = connection.SO_TIMESTAMPNS, NO_SUCH_OPTION
    try:
        return _held(plan, chance) if chance.random() < 0.5 else engine.run(plan)
    finally:
        connection.SO_TIMESTAMPNS = asked


_DISTURBED = dict(
    zip(
        DISTURBANCES,
        (_stopped, _slow_progress, _held, _beside_hogs, _unstamped, _undisturbed),
        strict=True,
    )
)


@contextlib.contextmanager
def _client(plan: Plan) -> Iterator[subprocess.Popen]:
    """`python -m labkit.load` with this plan, that has started and begins now."""
    with tempfile.TemporaryDirectory() as folder:
        begin = Path(folder, "at")
        words = [sys.executable, "-m", "labkit.load", "--plan", "-", "-o", "json"]
        words += ["--start-at", str(begin)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(words, **pipes) as process:
            try:
                process.stdin.write(plan.to_json().encode())
                process.stdin.close()
                assert json.loads(process.stdout.readline()) == {"ready": True}
                begin.write_text("0\n")
                yield process
            finally:
                process.kill()


def _has_printed(process: subprocess.Popen) -> bool:
    return bool(select.select([process.stdout], [], [], 0)[0])


def _result(process: subprocess.Popen) -> Result:
    return Result.from_json(process.stdout.read().decode())
