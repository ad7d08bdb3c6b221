"""Runs other programs: bounded in time, output to a log file, ended together with us."""

from __future__ import annotations

import codecs
import contextlib
import functools
import os
import select
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from labkit.errors import BuildFailed, CommandFailed, LabError, TimedOut, ToolMissing

CLEAN_UP_S = 60

_running: set[subprocess.Popen] = set()
_lock = threading.Lock()


_stopping = threading.Event()


@functools.cache
def tied() -> tuple[str, ...]:
    """The words before a command that end it together with us; none where that cannot be had."""
    # A killed `up` must not leave a `kind create` behind that cleans up into the next one, and a
    # killed `test` no tests on the cluster of the next one.
    words = ("setpriv", "--pdeathsig", "TERM", "--")
    try:  # not every setpriv knows the option
        subprocess.run([*words, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ()
    return words


def attached(command: list[str], **options) -> int:
    """Run a command on this terminal; return its exit code.

    After Ctrl-C, which the command gets too, it has a minute to clean up.
    """
    with subprocess.Popen([*tied(), *command], **options) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CLEAN_UP_S)
            process.kill()
            raise


def echoed(command: list[str], *, keep: int, **options) -> tuple[int, list[str]]:
    """The same through a pipe: its exit code, and the last `keep` lines that it printed."""
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    said: list[str] = []
    with subprocess.Popen([*tied(), *command], **options) as process:
        try:
            _echo(process, said)
            code = process.wait()
        except KeyboardInterrupt:
            _echo(process, said, CLEAN_UP_S)
            process.kill()
            raise
    return code, "".join(said).splitlines()[-keep:]


def _echo(process: subprocess.Popen, said: list[str], timeout_s: float = float("inf")) -> None:
    """Print what a process says, until it has ended: a server that it started may hold its pipe."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None  # before the look: then nothing more will come
        if select.select([process.stdout], [], [], 0 if has_ended else 0.1)[0]:
            data = os.read(process.stdout.fileno(), 65536)
            said.append(decoder.decode(data, final=not data))
            print(said[-1], end="", flush=True)
            if not data:
                return
        elif has_ended:
            return


def run(
    *command: str | Path,
    timeout_s: float = 120,
    log: Path | None = None,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
    cleanup: bool = False,
) -> subprocess.CompletedProcess[str]:
    """The finished command; its output as text, or in `log` when one is given.

    `env` is added to the environment. Raises CommandFailed (BuildFailed, which names
    its log, when there is one), TimedOut after `timeout_s` seconds, ToolMissing. After
    `end_all()` only a `cleanup` still runs.
    """
    if not cleanup:
        go_on()
    words = [str(word) for word in command]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    output = _open_log(log, words) if log else subprocess.PIPE
    try:
        process = subprocess.Popen(
            [*tied(), *words] if shutil.which(words[0]) else words,
            stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if log else subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    except FileNotFoundError as missing:
        raise ToolMissing(
            f"{words[0]} is not installed", str(missing), f"install {words[0]}, or add it to PATH"
        ) from None
    finally:
        if log:
            output.close()
    with _lock:
        _running.add(process)
    try:
        out, err = process.communicate(data, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        raise TimedOut(
            f"{_short(words)} was still running after {timeout_s:.0f} s and was stopped",
            last_line(log.read_text(errors="replace")) if log else "no answer",
            f"look into {log}" if log else "run it by hand: " + shlex.join(words),
        ) from None
    except BaseException:
        _end(process)
        raise
    finally:
        with _lock:
            _running.discard(process)
    text = (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace")
    done = subprocess.CompletedProcess(words, process.returncode, *text)
    if check and process.returncode:
        raise _failure(done, log)
    return done


def output(*command: str | Path, **options) -> str:
    """What a command printed, without the blanks around it."""
    return run(*command, **options).stdout.strip()


def last_line(text: str) -> str:
    """The last line that says something, as a person would quote it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # docker ends every error by pointing to its help
    lines = [line for line in lines if not line.startswith(("Run 'docker", "See 'docker"))]
    return lines[-1][:300] if lines else "no output"


def go_on() -> None:
    """Raise CommandFailed when everything is being ended."""
    if _stopping.is_set():
        saw = "all commands are being stopped"
        raise CommandFailed("not started", saw, "./lab up continues from here")


def begin() -> None:
    """Commands may run again, after `end_all()`."""
    _stopping.clear()


def end_all() -> None:
    """End every command that is still running and let no other begin (after Ctrl-C)."""
    _stopping.set()
    with _lock:
        processes = list(_running)
    for process in processes:
        _end(process)


def _open_log(log: Path, words: Sequence[str]):
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = log.open("ab", buffering=0)
    handle.write(f"$ {shlex.join(words)}\n".encode())
    return handle


def _failure(done: subprocess.CompletedProcess[str], log: Path | None) -> LabError:
    happened = f"{_short(done.args)} ended with exit code {done.returncode}"
    if log:
        return BuildFailed(
            happened,
            last_line(log.read_text(errors="replace")),
            "fix it, then ./lab up again: it continues from here",
            log=log,
        )
    seen = last_line(done.stderr if done.stderr.strip() else done.stdout)
    return CommandFailed(happened, seen, "run it by hand: " + shlex.join(done.args))


def _short(words: Sequence[str]) -> str:
    return shlex.join([Path(words[0]).name, *words[1:3]])


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:  # not read to its end: a grandchild may hold the other side
            stream.close()


def fish_quoted(text: str) -> str:
    """Quote a text for fish, whose rules are not those of `shlex`.

    >>> print(fish_quoted("it's"))
    'it\\'s'
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
