"""Runs one plan: opens connections, sends, reads, and counts what comes."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable

from labkit.load.plan import Plan
from labkit.load.result import Result

# What a watcher sees while the run goes on; the quantiles are None before the first value.
Progress = namedtuple(
    "Progress",
    "elapsed_s in_flight succeeded failed chunks tokens ttft_p50_ms ttft_p95_ms",
)


def run(
    plan: Plan, on_progress: Callable[[Progress], None] | None = None, every_s: float = 0.25
) -> Result:
    """Run the plan; Ctrl-C gives the partial result, `interrupted`."""
    raise NotImplementedError
