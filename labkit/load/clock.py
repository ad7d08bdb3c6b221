"""Notices when the system's clock is set: kernel stamps are of that clock, all else is not."""

from __future__ import annotations

import time
from time import monotonic_ns

STEP_NS = 1_000_000  # so far in one look is a step, not NTP's slewing
AT_ONCE_NS = 20_000  # two readings further apart: this process was out of the CPU between them
AROUND_NS = 1_000_000_000  # so long after a step, stamps of before it can be read


class Clock:
    """CLOCK_REALTIME as it stands to CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self.offset = self.ahead()
        self.steps = 0
        self.stepped_at = monotonic_ns() - AROUND_NS

    def ahead(self) -> int:
        """CLOCK_REALTIME minus CLOCK_MONOTONIC, in nanoseconds."""
        for _ in range(5):
            before = monotonic_ns()
            realtime = time.time_ns()
            if monotonic_ns() - before < AT_ONCE_NS:
                break
        return realtime - before

    def trusts(self, stamp: int) -> bool:
        """Is a stamp from afar one of a read that came late, or was the clock set around it?"""
        self.step()
        return stamp <= time.time_ns() and monotonic_ns() - self.stepped_at >= AROUND_NS

    def step(self) -> int:
        """How far the clock was set since the last look, in nanoseconds."""
        before = monotonic_ns()
        realtime, after = time.time_ns(), monotonic_ns()
        step = realtime - before - self.offset
        # between the readings this process may have been out of the CPU
        if after - before > STEP_NS // 2 or abs(step) < STEP_NS:
            return 0
        self.steps += 1
        self.stepped_at = after
        self.offset += step
        return step
