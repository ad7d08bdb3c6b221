"""Can a result be trusted? Its reasons for doubt beside the bounds of its figures, in words."""

from __future__ import annotations

from labkit.load.bounds import Bounded
from labkit.load.notes import buffered
from labkit.load.nouns import count
from labkit.load.result import Result

CPU_SHARE = 0.9
BURST_SHARE = 0.05
DEVIATION_MS = 5.0


def judge(result: Result, *, late_arrivals: int = 0) -> None:
    """Fill in `result.reasons`, and drop what the client cannot have seen."""
    reasons = result.reasons = []
    if result.bursts > BURST_SHARE * result.succeeded:
        result.metrics["gap_ms"] = Bounded()  # those between the pieces of a burst
    if result.failed and not result.succeeded:
        reasons.append("no answer succeeded: there are no figures of any")
    if result.duration_s and result.cpu_s / result.duration_s > CPU_SHARE:
        share = result.cpu_s / result.duration_s
        reasons.append(f"the client used {share:.0%} of a CPU: it may be what limits the rate")
    if result.clock_steps:
        reasons.append(f"the clock was set {count(result.clock_steps, 'time')}")
    if said := buffered(result):
        reasons.append(said)
    _, deviation = result.metrics["schedule_deviation_ms"].bounds(0.99)
    if deviation > DEVIATION_MS:
        reasons.append(f"requests went out {deviation:.1f} ms after their time (p99)")
    if late_arrivals:
        unsent = count(late_arrivals, "arrival")
        reasons.append(f"{unsent} found no free connection: never sent")
