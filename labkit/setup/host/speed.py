"""How fast this machine computes, measured once a boot; limits on computing follow it.

The reference machine is where README's minutes come from: two cores, each of which reads and
multiplies REFERENCE_GB_PER_S of weights. A limit in this code is what that machine needs, with
room to spare; `deadline` makes of it what this machine needs. Limits that wait for an API server
or for a connection are not about computing and stay as they are.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from labkit.errors import LabError
from labkit.setup.host import machine, paths, shell

# where 13.4 GB/s are measured, a model of 309 million parameters answers 22 tokens/s; at this,
# the 40 that let lab-llama:slow have its 24 layers
REFERENCE_GB_PER_S = 25.0
REFERENCE_CPUS = 2.0
SHARE = "LAB_CPU_SHARE"  # of each core, that `./lab test --cpu` leaves to all but itself
# how many times the reference machine's seconds a limit may get; a class, not a figure, so
# that a limit that is printed is the same tomorrow
FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
SLOWEST = 1 / FACTORS[-1]
MEASURE_S = 1.0
TIMEOUT_S = 20.0
# more seconds on the clock than on the processor, after a quota: somebody else computes
BUSY = 1.5
# The engine's own kind of work: a row of weights times a vector, one thread, out of memory.
# Numbers on the processor's clock: a quota stops that clock, and is counted apart.
_MEASURE = """
import json, sys, time
import numpy as np
weights = np.ones((4096, 4096), np.float32)
vector, out = np.ones(4096, np.float32), np.empty(4096, np.float32)
np.dot(weights, vector, out=out)
rates, begun, used = [], time.perf_counter(), time.process_time()
while time.perf_counter() - begun < float(sys.argv[1]):
    before = time.process_time()
    np.dot(weights, vector, out=out)
    rates.append(weights.nbytes / 1e9 / (time.process_time() - before))
clock, cpu = time.perf_counter() - begun, time.process_time() - used
print(json.dumps({"gb_per_s": sorted(rates)[len(rates) // 2], "clock_per_cpu": clock / cpu}))
"""


@dataclass(frozen=True)
class Machine:
    """What was measured: `gb_per_s` of one thread; `why` that is not the whole truth, or empty."""

    gb_per_s: float | None  # None: it could not be measured
    why: str  # and of a busy machine it says nothing of how long work takes
    cpus: float  # cores, or the part of them that a quota leaves
    share: float  # of each core
    memory_bytes: int | None
    disk_free_bytes: int
    boot: str  # which start of the machine, so that a reboot is noticed

    @property
    def thread(self) -> float:
        """One thread's speed against the reference machine's; SLOWEST when it is not known.

        >>> machine = Machine(12.5, "", 2.0, 1.0, 2**34, 2**34, "")
        >>> machine.thread, machine.relative
        (0.5, 0.5)
        """
        if not self.gb_per_s:
            return SLOWEST
        return self.gb_per_s / REFERENCE_GB_PER_S * self.share * min(1.0, self.cpus)

    @property
    def relative(self) -> float:
        """The machine's speed against the reference machine's: its threads, its cores, its quota.

        >>> Machine(25.0, "", 0.5, 1.0, None, 0, "").relative
        0.25
        """
        if self.why or not self.gb_per_s:
            return SLOWEST
        cores = min(1.0, self.cpus / REFERENCE_CPUS)
        return self.gb_per_s / REFERENCE_GB_PER_S * self.share * cores


def ensure() -> Machine:
    """Measure this machine, if that was not done since it started or since its quota changed."""
    found = known()
    now = (_boot(), cpus(), share())
    if found and not found.why and (found.boot, found.cpus, found.share) == now:
        return found
    return measure()


def measure() -> Machine:
    """Measure now, in about MEASURE_S seconds, and keep it."""
    rate, why = _rate()
    memory = machine.memory(0)
    disk = shutil.disk_usage(machine.existing(paths.cache())).free
    found = Machine(rate, why, cpus(), share(), memory, disk, _boot())
    paths.write_json(_file(), asdict(found))
    return found


def known() -> Machine | None:
    """The last measure, None before the first."""
    try:
        return Machine(**paths.read_json(_file()))
    except TypeError:  # none, or one of another version
        return None


def _now() -> Machine | None:
    """The last measure, with the cores and the share that there are now."""
    found = known()
    return replace(found, cpus=cpus(), share=share()) if found else None


def relative() -> float:
    """This machine's speed against the reference machine's; SLOWEST when it was not measured.

    $LAB_SPEED, a number such as 0.5, stands for a measure.
    """
    told = _told()
    if told is not None:
        return told
    found = _now()
    return found.relative if found else SLOWEST


def thread() -> float:
    """One thread's speed against the reference machine's, within its quota; like `relative`."""
    told = _told()
    if told is not None:
        return told
    found = _now()
    return found.thread if found else SLOWEST


def factor() -> float:
    """By how much a limit on computing is longer here than on the reference machine: 1 to 8."""
    return factor_of(relative())


def factor_of(speed: float) -> float:
    """
    >>> [factor_of(speed) for speed in (2.0, 1.0, 0.9, 0.5, 0.4, 0.01)]
    [1.0, 1.0, 1.5, 2.0, 3.0, 8.0]
    """
    needed = 1 / max(speed, SLOWEST)
    # a hair above a class is that class: 0.98 of the reference machine is the reference machine
    return next(one for one in FACTORS if needed <= one * 1.05)


def deadline(seconds: float, asked: float | None = None) -> float:
    """Seconds that work may take here which takes at most `seconds` on the reference machine.

    `asked`, where the caller named a limit, is that limit.
    """
    return seconds * factor() if asked is None else asked


def _told() -> float | None:
    """What $LAB_SPEED says in place of a measure."""
    try:
        return max(SLOWEST, float(os.environ.get("LAB_SPEED", "")))
    except ValueError:
        return None


def is_told() -> bool:
    """Does $LAB_SPEED stand for a measure?"""
    return _told() is not None


def words() -> str:
    """What the measure says, for people: "about 0.4 of the reference machine"."""
    if _told() is not None:
        return f"about {relative():.2g} of the reference machine, by LAB_SPEED"
    found = _now()
    if not found:
        return f"not measured, taken for {SLOWEST:.2g} of the reference machine"
    if found.why:
        return f"not measured ({found.why}), taken for {SLOWEST:.2g} of the reference machine"
    return f"about {found.relative:.2g} of the reference machine"


def cpus() -> float:
    """Cores that this process may use, as whole ones or as what a cgroup's quota leaves."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min([float(cores or 1), *_quotas()])


def share() -> float:
    """What is left of each core to this process and all that it starts."""
    return float(os.environ.get(SHARE, 1))


def wall_s(cpu_s: float) -> float:
    """Seconds on the clock that one thread needs for so many of its processor's."""
    return cpu_s / (min(1.0, cpus()) * share())


def present() -> float:
    """GB/s that one thread gets at this moment, beside what else is running; kept nowhere.

    0 where it cannot be measured.
    """
    try:
        found = _measured()
    except (LabError, ValueError):
        return 0.0
    return found["gb_per_s"] / found["clock_per_cpu"]


def _rate() -> tuple[float | None, str]:
    """GB/s of one thread, None where it cannot be had; and what is wrong with that."""
    try:
        found = _measured()
    except (LabError, ValueError) as error:
        return None, getattr(error, "saw", "no answer")
    is_busy = found["clock_per_cpu"] > BUSY * wall_s(1)
    return round(found["gb_per_s"], 2), "it was busy with other work" if is_busy else ""


def _measured() -> dict[str, float]:
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    command = (sys.executable, "-P", "-c", _MEASURE, str(MEASURE_S))
    return json.loads(shell.output(*command, env=one_thread, timeout_s=TIMEOUT_S))


def _quotas(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")):
    """Cores that this process's cgroup, and each one above it, may use: version 1 or 2."""
    try:
        rows = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:  # no Linux
        return
    for _, controllers, path in rows:
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder = root / controllers if controllers else root
        for part in (Path(path), *Path(path).parents):
            if quota := _quota(folder / str(part).strip("/")):
                yield quota


def _quota(folder: Path) -> float | None:
    """Cores that one cgroup's quota allows; None without one."""
    try:
        if (folder / "cpu.max").exists():
            used, period = (folder / "cpu.max").read_text().split()
        else:
            used = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return int(used) / int(period) if int(used) > 0 else None
    except (OSError, ValueError):  # no such file; "max"
        return None


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _file() -> Path:
    return paths.state("machine.json")
