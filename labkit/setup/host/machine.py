"""Looks before the work starts: is there enough disk and memory, can the processor do it?"""

from __future__ import annotations

import os
import platform
from pathlib import Path

from labkit.errors import NotEnoughDisk, NotEnoughMemory, Unsupported
from labkit.ui import units

GIB = 2**30
INOTIFY = {"max_user_instances": 512, "max_user_watches": 524288}  # kind's guide
# of each node: two work with 128 instances (tried); the watches are a guess on the safe side
INOTIFY_OF_A_NODE = {"max_user_instances": 64, "max_user_watches": 16384}


def existing(path: Path) -> Path:
    """The nearest folder that is there already: that is where the space will be taken."""
    while not path.exists():
        path = path.parent
    return path


def disk(path: Path, needed: int) -> int:
    """Free bytes where `path` is or will be. Raises NotEnoughDisk below `needed` bytes."""
    at = existing(path)
    counts = os.statvfs(at)
    free = counts.f_bavail * counts.f_frsize
    if free < needed:
        raise NotEnoughDisk(
            f"{needed / GIB:.1f} GiB of disk are needed under {path}",
            f"{free / GIB:.1f} GiB are free there",
            "free some space (./lab down --purge frees the lab's caches), then ./lab up again",
        )
    return free


def memory(needed: int, meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Available bytes of memory, None where the system does not say.

    Raises NotEnoughMemory below `needed` bytes.
    """
    try:
        rows = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        available = int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    if available < needed:
        raise NotEnoughMemory(
            f"{needed / GIB:.1f} GiB of memory are needed",
            f"{available / GIB:.1f} GiB are available",
            "close other programs, then ./lab up again",
        )
    return available


def inotify(nodes: int, folder: Path = Path("/proc/sys/fs/inotify")) -> str:
    """A warning where the host's inotify limits may be too small for so many nodes; else empty.

    All nodes are containers of one user, and share them. Where they are used up, a node's programs
    end with "too many open files". kind's own guide names the limits that are enough.
    """
    for name, of_a_node in INOTIFY_OF_A_NODE.items():
        try:
            found = int((folder / name).read_text())
        except (OSError, ValueError):
            return ""
        if found < min(nodes * of_a_node, INOTIFY[name]):
            wanted = " ".join(f"fs.inotify.{key}={value}" for key, value in INOTIFY.items())
            return (
                f"This machine's fs.inotify.{name} is {found}:"
                f" {units.count(nodes, 'node')} may need more. sudo sysctl {wanted}"
            )
    return ""


def vector_flags(arch: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Compiler flags for a fast Ollama on this processor, of an architecture as Go names it.

    >>> vector_flags("arm64")
    '-O3'

    Raises Unsupported without AVX2.
    """
    if arch != "amd64":
        return "-O3"
    try:
        flags = cpuinfo.read_text().partition("flags")[2].partition("\n")[0].split()
    except OSError:
        flags = []
    missing = {"avx2", "fma", "f16c"} - set(flags)
    if missing:
        raise Unsupported(
            "this processor cannot run the Ollama that the package route builds",
            f"{platform.processor() or platform.machine()} lacks {', '.join(sorted(missing))}",
            "use the registry route (./lab up --route registry), whose image chooses automatically",
        )
    return "-O3 -mavx2 -mfma -mf16c"
