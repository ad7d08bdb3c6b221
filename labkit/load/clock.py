"""Notices when the system's clock is set: kernel stamps are of that clock, all else is not."""

from __future__ import annotations

import time
from time import monotonic_ns

STEP_NS = 1_000_000  # so far in one look is a step, not NTP's slewing


class Clock:
    """CLOCK_REALTIME as it stands to CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self.offset = time.time_ns() - monotonic_ns()
        self.steps = 0

    def step(self) -> int:
        """How far the clock was set since the last look, in nanoseconds."""
        before = monotonic_ns()
        realtime, after = time.time_ns(), monotonic_ns()
        step = realtime - before - self.offset
        # between the readings this process may have been out of the CPU
        if after - before > STEP_NS // 2 or abs(step) < STEP_NS:
            return 0
        self.steps += 1
        self.offset += step
        return step
