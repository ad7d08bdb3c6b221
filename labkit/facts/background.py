"""A program that a probe starts, talks to and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.setup.host import shell

END_S = 5.0
LOOK_S = 0.05


class Started:
    """A program in the background; its output is kept, and `end` leaves nothing of it."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self._log = folder / "started.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*shell.tied(), *words],
                env={**os.environ, **env},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def listens(self, port: int, deadline: float) -> bool:
        """Waits until it takes connections; False when it ended or the time is up."""
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                time.sleep(LOOK_S)
        return False

    def ended(self, name: str, deadline: float) -> dict[str, Any]:
        """Sends a signal; how the program ended, and after how many seconds."""
        began = time.monotonic()
        if self._process.poll() is None:
            self._process.send_signal(signal.Signals[f"SIG{name}"])
        try:
            code = self._process.wait(max(deadline - began, 0.1))
        except subprocess.TimeoutExpired:
            code = None
        text = self._log.read_text(errors="replace").strip()
        return {"exit": code, "whole_s": round(time.monotonic() - began, 3), "stdout": text}

    def last_line(self) -> str:
        """What it printed last."""
        return shell.last_line(self._log.read_text(errors="replace"))

    def end(self) -> None:
        """Ends it, however it was asked before."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
