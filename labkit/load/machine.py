"""The machine that a result was measured from: two results are compared only between like ones."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any


def here() -> dict[str, Any]:
    """System, processor, cores that this process may use, and how busy the machine was."""
    system = os.uname()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return {
        "system": f"{system.sysname} {system.release}",
        "architecture": system.machine,
        "processor": _processor(),
        "cores": len(cores) or os.cpu_count() or 0,
        "load_average": round(os.getloadavg()[0], 2),  # of the last minute, this run included
    }


def _processor() -> str:
    """Linux's name of it; an empty text where there is none."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return ""
