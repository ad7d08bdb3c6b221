"""Runs one client against the reference server, each on a core of its own, and measures both.

The server (reference.c) tells the truth; the client's whole process tree is charged for what it
used. This process sleeps meanwhile, on the server's core.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from labkit.errors import CommandFailed, TimedOut, ToolMissing, Unsupported
from labkit.setup.build import catalog
from labkit.setup.host import paths, shell

HERE = Path(__file__).parent
SERVER_CORE, CLIENT_CORE = 0, 1
SAMPLE_S = 0.25
ANSWER_S = 10


class Run(NamedTuple):
    """What one run of a client cost, and what it printed."""

    output: str
    began_ns: int  # CLOCK_MONOTONIC, as the reference's arrivals are
    duration_s: float
    cpu_s: float
    memory_mb: float
    memory_over_time_mb: list[float]  # every SAMPLE_S, when asked for


def require_cores() -> None:
    """Raises Unsupported where there are no two cores to pin to."""
    if not {SERVER_CORE, CLIENT_CORE} <= os.sched_getaffinity(0):
        raise Unsupported(
            "the bench pins the server to core 0 and the client to core 1",
            f"this process may use {sorted(os.sched_getaffinity(0))}",
            "a machine with two cores",
        )


def compiled(name: str) -> Path:
    """The program made from `name`.c, made once for each text of it. Raises ToolMissing."""
    sources = [HERE / f"{name}.c", *sorted(HERE.glob("*.h"))]
    program = paths.cache("bench", f"{name}-{catalog.digest_of(*sources)}")
    if not program.exists():
        if not shutil.which("gcc"):
            raise ToolMissing(
                f"{name}.c cannot be compiled", "no gcc on PATH", "apt install gcc libc6-dev"
            )
        program.parent.mkdir(parents=True, exist_ok=True)
        aside = program.with_suffix(".new")
        flags = ("-O2", "-Wall", "-Wextra", "-Werror")
        shell.run("gcc", *flags, "-o", aside, sources[0], log=paths.log_file(f"bench-{name}"))
        aside.replace(program)
    return program


@contextlib.contextmanager
def on_core(*cores: int) -> Iterator[None]:
    """What is started in here runs on these cores only, and so do its children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def reference(
    *,
    tokens: int = 64,
    first_us: int = 0,
    gap_us: int = 0,
    lines_per_write: int = 1,
    spread: bool = False,
    ahead: bool = False,
    cores: tuple[int, ...] = (SERVER_CORE,),
) -> Iterator[int]:
    """The port of a reference server that runs for the length of the block.

    `ahead` of all others on its core, where this user may ask for that: the truth waits for nobody.
    Not for a server without pauses, which would starve the rest of the machine.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pace = [f"--tokens={tokens}", f"--first-us={first_us}", f"--gap-us={gap_us}"]
    pace += [f"--lines-per-write={lines_per_write}", *["--spread"] * spread]
    words = [compiled("reference"), *pace, str(port)]
    with on_core(*cores):
        process = subprocess.Popen(words)
    try:
        if ahead:
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(1))
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                stats(port)
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait(ANSWER_S)


def _ask(port: int, what: str):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/reference/{what}", timeout=60) as answer:
        return json.load(answer)


def stats(port: int) -> dict:
    """How many requests and lines, and the true `ttft_ms` and `gap_ms`, since the last reset."""
    return _ask(port, "stats")


def arrivals_ns(port: int) -> list[int]:
    """When the server read each request, ascending."""
    return _ask(port, "arrivals")


def times_ns(port: int) -> dict:
    """The true `ttft_ms` and `gap_ms`: lists of the `low` ends and the `high` ends of each.

    A first token's time is from the kernel's receipt of the request; the last line is none.
    """
    return _ask(port, "times")


def reset(port: int) -> None:
    _ask(port, "reset")


@contextlib.contextmanager
def hog(core: int = CLIENT_CORE) -> Iterator[None]:
    """A program that takes all it can get of one core."""
    with on_core(core):
        process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def run(
    words: list[str],
    *,
    cores: tuple[int, ...] = (CLIENT_CORE,),
    timeout_s: float = 240,  # GuideLLM needs two minutes for 3,000 answers
    env: dict[str, str] | None = None,
    memory: bool = False,
) -> Run:
    """Run a client to its end. Raises CommandFailed, or TimedOut and ends its whole session.

    `cpu_s` is that of the process and all of its descendants that were waited for. `memory_mb`,
    with `memory`, is the peak of the process or of the sum of its session (PSS), if that is more;
    it is sampled: ru_maxrss would hold this process's own size from before the exec.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        began = time.monotonic_ns()
        with on_core(*cores):
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaints,
                # a learner's Python keeps what it compiles: nobody starts from source each time
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(env or {})},
                start_new_session=True,
            )
        try:
            samples = _watch(process.pid, timeout_s, memory)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        took = (time.monotonic_ns() - began) / 1e9
        output.seek(0)
        complaints.seek(0)
        text = output.read().decode(errors="replace")
        if process.returncode:
            said = complaints.read().decode(errors="replace") or text
            short = " ".join(map(str, words[:6]))
            raise CommandFailed(
                f"{short} ended with {process.returncode}", shell.last_line(said), "run it by hand"
            )
    cpu_s = usage.ru_utime + usage.ru_stime
    return Run(text, began, took, cpu_s, max(samples, default=0.0), samples)


def _watch(pid: int, timeout_s: float, memory: bool) -> list[float]:
    """Sleep until the process ends; its session's memory meanwhile, in MB."""
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        deadline, samples = time.monotonic() + timeout_s, []
        while not poll.poll((SAMPLE_S if memory else timeout_s) * 1000):
            if time.monotonic() > deadline:
                raise TimedOut(
                    f"a client was still running after {timeout_s:.0f} s and was ended",
                    f"process {pid}",
                    "fewer requests",
                )
            if memory:
                samples.append(_session_mb(pid))
        return samples
    finally:
        os.close(descriptor)


def _session_mb(session: int) -> float:
    """The memory of a session: the peak of its first process, or all of it now, if that is more.

    Pages that several processes share count once in the sum (PSS).
    """
    total_kb = peak_kb = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it has ended meanwhile
            # the name in parentheses can hold blanks; behind it: state, parent, group, session
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session:
                continue
            total_kb += _field_kb(folder / "smaps_rollup", "Pss")
            if folder.name == str(session):
                peak_kb = _field_kb(folder / "status", "VmHWM")
    return max(total_kb, peak_kb) / 1024


def _field_kb(file: Path, name: str) -> int:
    return int(file.read_text().partition(f"\n{name}:")[2].split()[0])
