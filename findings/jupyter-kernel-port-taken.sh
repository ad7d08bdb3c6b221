#!/usr/bin/env bash
# jupyter_client 8.10.0: a kernel whose port is taken between its choice and its start does not start,
# and nothing tries again.
#
# Guess: the ports of a new kernel are its own from the moment they are chosen, or another five are
# chosen when one is taken.
# Seen (jupyter_client 8.10.0, ipykernel 7.4.0): the client binds five free ports, lets go of them, writes
# them down and starts the kernel, which binds them a second later. A connection or a server that gets one
# meanwhile ends the kernel: "Kernel died before replying to kernel_info", with no word of a port. With
# transport="ipc" there is nothing that could be taken.
# Matters to: whoever runs notebooks beside something that opens many connections (a load test), several
# kernels at a time (pytest-xdist), or both: one run in many fails in a notebook's first cell.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jupyter_client==8.10.0 ipykernel==7.4.0

venv/bin/python - <<'PY'
import logging
import socket
import subprocess
import sys

from jupyter_client.manager import KernelManager

logging.disable(logging.CRITICAL)


def starts(**options: str) -> str:
    """How a kernel starts when another program takes one of its ports in time."""
    manager = KernelManager(**options)
    manager.write_connection_file()
    taken = socket.create_server((manager.ip, manager.iopub_port)) if not options else None
    manager.start_kernel(stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        return "ready"
    except RuntimeError as error:
        return str(error)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        if taken:
            taken.close()


over_tcp, over_files = starts(), starts(transport="ipc", ip="./kernel")
print("over TCP:", over_tcp)
print("over files:", over_files)
if (over_tcp, over_files) != ("Kernel died before replying to kernel_info", "ready"):
    sys.exit("it has changed")
print("as found: the kernel did not start, and nobody tried again")
PY
