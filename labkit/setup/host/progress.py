"""What a person sees while the lab works: running tasks, elapsed time, estimates.

On a terminal one line per running task, redrawn; in a pipe or a log one line when a
task starts, one when it ends, and one at least every ten seconds in between.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from labkit.setup.host import paths

HEARTBEAT_S = 10


def minutes(seconds: float) -> str:
    """Seconds as a person says them: "0.4 s", "37 s", "3 min 20 s"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


@dataclass
class Task:
    """One piece of work on show; `note` says what it is doing now."""

    title: str
    started: float
    estimate_s: float | None
    note_text: str = ""
    row: int | None = None
    last_said: float = 0
    say: Callable[[str], None] = print
    left: Callable[[], str] | None = None  # how long it still takes, in words

    def note(self, text: str) -> None:
        self.note_text = text

    @property
    def line(self) -> str:
        about = f" of about {minutes(self.estimate_s)}" if self.estimate_s else ""
        note = f": {self.note_text}" if self.note_text else ""
        left = f", about {self.left()} to go" if self.left else ""
        return f"{self.title}{note}{about}{left}"


class Reporter:
    """Shows tasks, and keeps how long each took for the next run's estimates."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.seconds: dict[str, float] = {}
        self._tasks: list[Task] = []
        self._lock = threading.RLock()
        self._timings = paths.state("timings.json")
        self._known = paths.read_json(self._timings)
        self._live = sys.stdout.isatty()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._stop = threading.Event()

    def __enter__(self) -> Reporter:
        if self._live:
            self._progress.start()
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._live:
            self._progress.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        with self._lock:
            self.console.print(text, markup=False)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No redrawing while the block runs: the user is asked a question."""
        if self._live:
            self._progress.stop()
        try:
            yield
        finally:
            if self._live:
                self._progress.start()

    @contextmanager
    def task(self, title: str, *, quiet: bool = False) -> Iterator[Task]:
        """Show `title` while the block runs; `quiet`: no line when it took under a second."""
        estimate = self._known.get(title)
        now = time.monotonic()
        task = Task(title, now, estimate, last_said=now, say=self.say)
        with self._lock:
            if self._live:
                task.row = self._progress.add_task(task.line)
            elif not quiet:
                self.say(f"{task.line} ...")
            self._tasks.append(task)
        try:
            yield task
            self._finish(task, quiet)
        finally:
            with self._lock:
                self._tasks.remove(task)
                if task.row is not None:
                    self._progress.remove_task(task.row)

    def _finish(self, task: Task, quiet: bool) -> None:
        seconds = time.monotonic() - task.started
        with self._lock:
            self.seconds[task.title] = seconds
            if not quiet or seconds >= 1:
                self.say(f"{task.title}: {task.note_text or 'done'} ({minutes(seconds)})")
            if seconds >= 1:
                self._known[task.title] = round(seconds, 1)
                paths.write_json(self._timings, self._known)

    def _beat(self) -> None:
        while not self._stop.wait(0.5):
            with self._lock:
                now = time.monotonic()
                for task in self._tasks:
                    if task.row is not None:
                        self._progress.update(task.row, description=task.line)
                    elif now - task.last_said >= HEARTBEAT_S:
                        task.last_said = now
                        self.say(f"  ... {task.line}, {minutes(now - task.started)} so far")
