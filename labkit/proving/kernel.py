"""What nbval's kernel lacks: it notices its own death, loses no message, folds displays.

nbval reads a cell's messages when the cell has ended. By then a socket that holds a
thousand of them may have dropped the one that says so; and a kernel that died in the
middle is waited for until the cell's limit.
"""

from __future__ import annotations

import time
from collections import deque
from queue import Empty

import zmq
from nbval.kernel import RunningKernel

ALIVE_EVERY_S = 1.0
TICK_S = 0.05
IDLE_S = 30.0  # from the reply to the last message; nbval's own limit is 5 s
_OUTPUTS = {"stream", "display_data", "execute_result", "error"}


class KernelDied(RuntimeError):
    """The kernel's process ended while it ran a cell."""


class Kernel(RunningKernel):
    """nbval's kernel, with every message of a cell read while the cell runs."""

    def __init__(self, *args: object, **options: object) -> None:
        self._cell: str | None = None
        self._read: deque[dict] = deque()
        super().__init__(*args, **options)
        # by itself it holds a thousand, then the kernel drops what a busy reader has not fetched
        self.kc.iopub_channel.socket.setsockopt(zmq.RCVHWM, 0)

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        self._read.clear()
        self._cell = super().execute_cell_input(cell_input, allow_stdin)
        return self._cell

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Until the cell has ended and all of it is read; Empty after `timeout` seconds."""
        if msg_id != self._cell:
            super().await_reply(msg_id, timeout)
            return
        folded = Folded()
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        alive_at = time.monotonic()
        replied = idle = False
        while not (replied and idle):
            idle = self._drain(folded) or idle
            if not replied:
                replied = self._replied(msg_id)
                deadline = time.monotonic() + IDLE_S if replied else deadline
            now = time.monotonic()
            if now - alive_at > ALIVE_EVERY_S and not replied:
                alive_at = now
                if not self.is_alive():
                    raise KernelDied(
                        "the kernel died in this cell: it was killed, perhaps for its memory, "
                        "or it ended itself"
                    )
            if now > deadline:
                self._read.extend(folded.messages)
                self._cell = None  # nbval interrupts, and reads the rest itself
                raise Empty
        self._read.extend(folded.messages)

    def get_message(self, stream: str, timeout: float | None = None) -> dict:
        if stream == "iopub" and self._read:
            return self._read.popleft()
        return super().get_message(stream, timeout)

    def failure(self, source: str, timeout_s: float) -> tuple[str, str] | None:
        """Run code that belongs to no cell; the error's name and text, None without one.

        Raises Empty when it takes longer.
        """
        msg_id = self.execute_cell_input(source, allow_stdin=False)
        self.await_reply(msg_id, timeout_s)
        found = None
        while True:
            message = self.get_message("iopub", timeout=IDLE_S)
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            content = message["content"]
            if message["msg_type"] == "error":
                found = content["ename"], content["evalue"]
            if _is_idle(message):
                return found

    def _drain(self, folded: Folded) -> bool:
        """All messages that are there now; True when the cell's last is among them."""
        wait_s = TICK_S
        while True:
            try:
                message = self.kc.get_iopub_msg(timeout=wait_s)
            except Empty:
                return False
            if message["parent_header"].get("msg_id") == self._cell:
                folded.add(message)
                if _is_idle(message):
                    return True
            wait_s = 0

    def _replied(self, msg_id: str) -> bool:
        try:
            message = self.kc.get_shell_msg(timeout=0)
        except Empty:
            return False
        return message["parent_header"].get("msg_id") == msg_id


class Folded:
    """Messages as a front end leaves them: outputs cleared, displays updated, streams joined."""

    def __init__(self) -> None:
        self.messages: list[dict] = []
        self._clears_next = False

    def add(self, message: dict) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self._clears_next = bool(content.get("wait"))
            if not self._clears_next:
                self._clear()
        elif kind == "update_display_data":
            self._update(content)
        else:
            if kind in _OUTPUTS and self._clears_next:
                self._clear()
                self._clears_next = False
            if not self._joined(message):
                self.messages.append(message)

    def _clear(self) -> None:
        self.messages = [m for m in self.messages if m["msg_type"] not in _OUTPUTS]

    def _update(self, content: dict) -> None:
        wanted = content.get("transient", {}).get("display_id")
        for message in self.messages:
            transient = message["content"].get("transient") or {}
            if wanted and transient.get("display_id") == wanted:
                message["content"].update(data=content["data"], metadata=content["metadata"])

    def _joined(self, message: dict) -> bool:
        last = self.messages[-1] if self.messages else {}
        same = message["msg_type"] == last.get("msg_type") == "stream"
        if not same or message["content"]["name"] != last["content"]["name"]:
            return False
        last["content"]["text"] += message["content"]["text"]
        return True


def _is_idle(message: dict) -> bool:
    return message["msg_type"] == "status" and message["content"].get("execution_state") == "idle"
