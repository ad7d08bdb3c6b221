"""What nbval's kernel lacks: it ends a cell past its limit, notices its own death, loses no
message, and starts whatever ports are taken.

nbval (0.11) has no place for another kernel, so plugin.py puts this class where nbval looks its own
up. What nbval does as well is nbval's here: the channels to the kernel, its requests, its restart.
What stays, each with a test that fails on nbval's own class:

- the start: nbval chooses free TCP ports, which another program can take before the kernel does;
- a cell's messages are read while it runs: nbval reads them afterwards, when a socket that holds a
  thousand may have dropped the one that says so, and waits for a dead kernel until the limit;
- the limit: nbval interrupts a cell past it, and passes the cell when that takes the interrupt and
  returns; the cells after it are then expected to fail. Here it raises PastLimit, whatever it does.

nbclient (0.11) also reads while the cell runs, notices a dead kernel and carries out clear_output.
It passes a cell past its limit too, one that takes the interrupt and one that ignores it, and it
hands over outputs, where nbval wants the messages. So it would take the place of `Folded` alone.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections import deque
from queue import Empty

import zmq
from jupyter_client.manager import KernelManager
from nbval.kernel import NbvalKernelspecManager, RunningKernel

from labkit.jupyter.folded import OUTPUTS, Folded
from labkit.setup.host import speed

ALIVE_EVERY_S = 1.0
TICK_S = 0.05
READ_S = 0.5  # a cell that shows more than can be read is looked at this often
GRACE_S = 5.0  # from the interrupt to the cell's end; then its kernel is killed
IDLE_S = 30.0  # from the reply to the last message; nbval's own limit is 5 s


class CellCutOff(RuntimeError):
    """A cell did not run to its end; `outputs` are the messages with what it showed until then."""

    def __init__(self, text: str, folded: Folded) -> None:
        super().__init__(text)
        self.outputs = [m for m in folded.messages if m["msg_type"] in OUTPUTS]


class KernelDied(CellCutOff):
    """The kernel's process ended while it ran a cell."""


class PastLimit(CellCutOff):
    """A cell took longer than it may, whatever it did when it was asked to stop."""


class Kernel(RunningKernel):
    """nbval's kernel, with every message of a cell read while the cell runs."""

    def __init__(
        self, kernel_name: str, cwd: str | None = None, startup_timeout: float = 60
    ) -> None:
        self._cell: str | None = None
        self._read: deque[dict] = deque()
        self._idle = False
        self.shown: list[dict] = []  # what the last cell left to be seen, in its order
        self.status = ""  # of the last cell's reply: "ok", "error", "aborted"; "" until then
        # Over files. Over TCP, nbval's way, free ports are chosen, and the kernel takes them a
        # second later: one that a connection of a load test has taken meanwhile ends the kernel.
        self._folder = tempfile.mkdtemp(prefix="kernel-")
        self.km = KernelManager(
            kernel_name=kernel_name,
            kernel_spec_manager=NbvalKernelspecManager(),
            transport="ipc",
            ip=f"{self._folder}/socket",
        )
        self.km.start_kernel(stderr=subprocess.DEVNULL, cwd=cwd)
        self.kc = self.km.client()
        self.kc.start_channels()
        try:
            self.kc.wait_for_ready(timeout=speed.deadline(startup_timeout))  # on both channels
        except RuntimeError:
            self.stop()
            raise
        # by itself it holds a thousand, then the kernel drops what a busy reader has not fetched
        self.kc.iopub_channel.socket.setsockopt(zmq.RCVHWM, 0)

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        self._read.clear()
        self._idle, self.status, self.shown = False, "", []
        self._cell = super().execute_cell_input(cell_input, allow_stdin)
        return self._cell

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Until the cell has ended and all of it is read.

        Raises PastLimit when that takes more than `timeout` seconds, KernelDied.
        """
        folded = Folded()
        begun = time.monotonic()
        limit_s = float("inf") if timeout is None else timeout
        if not self._replied(folded, begun + limit_s):
            raise PastLimit(
                f"past its limit: {limit_s:g} s ({self._stopped(folded, begun)})", folded
            )
        if not self._read_up(folded, time.monotonic() + IDLE_S):
            raise CellCutOff(f"the last message did not come in {IDLE_S:g} s", folded)
        self._read.extend(folded.messages)
        self.shown = [m for m in folded.messages if m["msg_type"] in OUTPUTS]

    def get_message(self, stream: str, timeout: float | None = None) -> dict:
        if stream == "iopub" and self._read:
            return self._read.popleft()
        return super().get_message(stream, timeout)

    def failure(self, source: str, timeout_s: float) -> tuple[str, str] | None:
        """Run code that belongs to no cell; the error's name and text, None without one.

        Raises PastLimit when it takes longer, KernelDied.
        """
        self.await_reply(self.execute_cell_input(source, allow_stdin=False), timeout_s)
        errors = [m["content"] for m in self.shown if m["msg_type"] == "error"]
        return (errors[-1]["ename"], errors[-1]["evalue"]) if errors else None

    def _replied(self, folded: Folded, deadline: float) -> bool:
        """Read until the cell has ended; False when it had not at the deadline."""
        alive_at = time.monotonic()
        while True:
            self._drain(folded)
            ended = self._has_ended()
            now = time.monotonic()
            if now > deadline:
                return False
            if ended:
                return True
            if now - alive_at > ALIVE_EVERY_S:
                alive_at = now
                if not self.is_alive():
                    self.stop()  # nbval stops the living only, and this one has left its files
                    raise KernelDied(
                        "the kernel died in this cell: it was killed, perhaps for its memory, "
                        "or it ended itself",
                        folded,
                    )

    def _read_up(self, folded: Folded, deadline: float) -> bool:
        """Read what an ended cell still has to say; False when it was not all at the deadline."""
        while not self._idle:
            if time.monotonic() > deadline:
                return False
            self._drain(folded)
        return True

    def _stopped(self, folded: Folded, begun: float) -> str:
        """Ask the cell to stop, and kill its kernel when it does not; what was done and seen."""
        said = ""
        deadline = time.monotonic() + GRACE_S
        if not self.status:
            said = f"asked to stop at {time.monotonic() - begun:.1f} s, "
            self.interrupt()
        try:
            if self.status or self._replied(folded, deadline):
                said += f"ended at {time.monotonic() - begun:.1f} s"
                self._read_up(folded, deadline)
                return said
        except KernelDied:
            return f"{said}then its kernel died"
        self.stop()
        return f"{said}did not in {GRACE_S:g} s, and its kernel was killed"

    def _drain(self, folded: Folded) -> None:
        """Take the messages that are there now, for half a second at most."""
        wait_s = TICK_S
        until = time.monotonic() + READ_S
        while not self._idle and time.monotonic() < until:
            try:
                message = self.kc.get_iopub_msg(timeout=wait_s)
            except Empty:
                return
            if message["parent_header"].get("msg_id") == self._cell:
                folded.add(message)
                self._idle = _is_idle(message)
            wait_s = 0

    def _has_ended(self) -> bool:
        try:
            message = self.kc.get_shell_msg(timeout=TICK_S if self._idle else 0)
        except Empty:
            return bool(self.status)
        if message["parent_header"].get("msg_id") == self._cell:
            self.status = message["content"]["status"]
        return bool(self.status)


def _is_idle(message: dict) -> bool:
    return message["msg_type"] == "status" and message["content"].get("execution_state") == "idle"
