"""One probe: its requests and its programs, within a deadline, with nothing left behind."""

from __future__ import annotations

import json
import shlex
import socket
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any

from labkit.errors import LabError, TimedOut
from labkit.facts import background, http_step
from labkit.facts.entries import Step
from labkit.setup.host import shell

METHODS = ("GET", "HEAD", "POST", "DELETE")
CLEAN_UP_S = 10.0


class CannotAsk(Exception):
    """Why a part could not be asked; no verdict on what it does."""


class Probe:
    """Asks the steps of one fact, one after the other, in an empty folder.

    `values` are what `$NAME` stands for in a step, `programs` the words that a program's name
    stands for. Raises CannotAsk.
    """

    def __init__(
        self,
        values: Mapping[str, str],
        programs: Mapping[str, Sequence[str]],
        env: Mapping[str, str],
        deadline_s: float,
    ) -> None:
        self._values, self._programs, self._env = dict(values), programs, env
        self._limit_s = deadline_s
        self._deadline = time.monotonic() + deadline_s
        self._folder = tempfile.TemporaryDirectory(prefix="lab-facts-")
        self._started: list[background.Started] = []

    def __enter__(self) -> Probe:
        ports = (f"PORT{number}" for number in ("", 2, 3))
        self._values |= {
            "FOLDER": self._folder.name,
            **dict(zip(ports, _free_ports(), strict=True)),
        }
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._started:
            one.end()
        self._folder.cleanup()

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - time.monotonic()

    def write(self, files: Sequence[tuple[str, Any]]) -> None:
        """Puts files into the folder: a text, or its parts, such as `{text: x, times: 1000}`."""
        for name, content in files:
            if isinstance(content, list):
                parts = [one if isinstance(one, dict) else {"text": one} for one in content]
                content = "".join(one["text"] * one.get("times", 1) for one in parts)
            file = Path(self._folder.name, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.filled(content), encoding="utf-8")

    def clean_up(self, steps: Sequence[Step]) -> None:
        """Asks all of these steps, with time of their own, whatever each answers."""
        for step in steps:
            self._deadline = time.monotonic() + CLEAN_UP_S
            try:
                self.ask(step)
            except (CannotAsk, LabError):
                continue

    def ask(self, step: Step) -> dict[str, Any]:
        """What is answered to one step."""
        if self.left_s <= 0:
            raise CannotAsk(f"no answer within {self._limit_s:g} s")
        step = self.filled(step)
        for method in METHODS:
            if method in step:
                return self._requested(method, step)
        for name in ("run", "start"):
            if name in step:
                return getattr(self, f"_{name}")(step)
        return self._ended(step)

    def _requested(self, method: str, step: Step) -> dict[str, Any]:
        path = step[method]
        url = path if "://" in path else self._values.get("URL", "") + path
        request = http_step.Request(
            method, url, step.get("headers", {}), http_step.body(step), self._deadline
        )
        count = step.get("together", 1)
        if count == 1:
            return self._told(request.answered())
        replies: list[dict[str, Any] | str] = []
        threads = [
            threading.Thread(target=lambda: replies.append(request.answered()), daemon=True)
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = [self._told(reply) for reply in replies]
        return {"status": 200, "statuses": sorted(reply["status"] for reply in told)}

    def _told(self, reply: dict[str, Any] | str) -> dict[str, Any]:
        if isinstance(reply, str):
            late = f"no answer within {self._limit_s:g} s"
            raise CannotAsk(late if reply == http_step.LATE else reply)
        return reply

    def _run(self, step: Step) -> dict[str, Any]:
        try:
            done = shell.run(
                *self._words(step["run"]),
                timeout_s=max(self.left_s, 0.1),
                stdin=step.get("stdin"),
                env={**self._env, **step.get("env", {})},
                cwd=Path(self._folder.name),
                check=False,
            )
        except TimedOut:
            raise CannotAsk(f"no answer within {self._limit_s:g} s") from None
        except LabError as error:
            raise CannotAsk(f"{error.happened}: {error.saw}") from None
        reply = {"exit": done.returncode, "stdout": done.stdout.strip()}
        reply |= {"stderr": done.stderr.strip()}
        if done.stdout.lstrip()[:1] in ("{", "["):
            with suppress(ValueError):
                reply["json"] = json.loads(done.stdout)
        return reply

    def _start(self, step: Step) -> dict[str, Any]:
        words = self._words(step["start"])
        env = {**self._env, **step.get("env", {})}
        started = background.Started(words, env, Path(self._folder.name))
        self._started.append(started)
        if "port" in step and not started.listens(int(step["port"]), self._deadline):
            raise CannotAsk(f"{step['start'].split()[0]} did not start: {started.last_line()}")
        return {"exit": 0}

    def _ended(self, step: Step) -> dict[str, Any]:
        """`end: TERM` sends a signal to what the step before started, and waits for its end."""
        return self._started[-1].ended(step["end"], self._deadline)

    def _words(self, line: str) -> list[str]:
        first, *rest = shlex.split(line)
        return [*self.filled(list(self._programs.get(first, [first]))), *rest]

    def filled(self, value: Any) -> Any:
        """The value with what each `$NAME` in it stands for."""
        if isinstance(value, str):
            return Template(value).safe_substitute(self._values)
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        return [self.filled(one) for one in value] if isinstance(value, list) else value


def _free_ports() -> list[str]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [str(one.getsockname()[1]) for one in taken]
    for one in taken:
        one.close()
    return ports


def require(step: Step, reply: dict[str, Any]) -> None:
    """A step that only prepares must succeed. Raises CannotAsk."""
    what = next((f"{name} {step[name]}" for name in METHODS if name in step), step.get("run", ""))
    if reply.get("exit", 0):
        saw = shell.last_line(reply["stderr"] or reply["stdout"])
        raise CannotAsk(f"`{what}` ended with exit code {reply['exit']}: {saw}")
    if reply.get("status", 200) >= 400:
        raise CannotAsk(f"{what} has status {reply['status']}: {shell.last_line(reply['text'])}")
