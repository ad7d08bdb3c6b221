"""Names a process so that one can tell later, on the same machine, whether it still runs."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from pathlib import Path


def name(pid: int | None = None) -> str:
    """Machine, process, and when that began; this process without a number."""
    pid = pid or os.getpid()
    return f"{_host()}.{pid}.{_began(pid)}"


def is_dead(named: str) -> bool:
    """Is it a process of this machine that has ended? Of another machine this is unknown.

    >>> is_dead(name()), is_dead("elsewhere.1.7")
    (False, False)
    """
    host, _, rest = named.partition(".")
    pid, _, began = rest.partition(".")
    return host == _host() and pid.isdecimal() and _began(int(pid)) != began


def _host() -> str:
    # a label takes 63 characters of these
    return re.sub(r"[^a-z0-9-]", "-", socket.gethostname().lower())[:30].strip("-") or "here"


def _began(pid: int) -> str:
    """When a process began, in the kernel's ticks; "gone" when it has ended."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return "gone"
