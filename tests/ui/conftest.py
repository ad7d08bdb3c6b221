"""A real kernel, in which cells run."""

import subprocess
from collections.abc import Callable, Iterator

import pytest


class Kernel:
    """A real kernel; `run` gives the cell's status and its outputs, in order."""

    def __init__(self) -> None:
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3", transport="ipc")
        self.manager.start_kernel(stderr=subprocess.DEVNULL)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, *, interrupt_at_output: bool = False) -> tuple[str, list[dict]]:
        outputs: list[dict] = []

        def on_output(message: dict) -> None:
            if message["msg_type"] not in ("status", "execute_input"):
                outputs.append({"type": message["msg_type"], **message["content"]})
                if len(outputs) == 1 and interrupt_at_output:
                    self.manager.interrupt_kernel()

        reply = self.client.execute_interactive(code, timeout=60, output_hook=on_output)
        return reply["content"]["status"], outputs

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="package")
def kernel() -> Iterator[Callable]:
    started = Kernel()
    status, _ = started.run(
        "import sys, threading, time\n"
        "from labkit.ui import live as display, notebook, widgets as controls\n"
        "from labkit.errors import LabError\n"
        "notebook.on_failed_command()"
    )
    assert status == "ok"
    yield started.run
    started.stop()
