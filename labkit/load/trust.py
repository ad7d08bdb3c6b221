"""Can a result be trusted? Its reasons for doubt, in words."""

from __future__ import annotations

from labkit.load.histogram import Histogram
from labkit.load.notes import buffered
from labkit.load.nouns import count
from labkit.load.result import Result

CPU_SHARE = 0.9
DELAY_MS = 20.0
COALESCED_SHARE = 0.05
DEVIATION_MS = 5.0


def judge(result: Result, *, late_arrivals: int = 0) -> None:
    """Fill in `result.reasons`, and drop what the client cannot have seen."""
    reasons = result.reasons = []
    if result.bursts > COALESCED_SHARE * result.succeeded:
        result.metrics["gap_ms"] = Histogram()  # those between the pieces of a burst
    if result.failed and not result.succeeded:
        reasons.append("no answer succeeded: there are no figures of any")
    if result.duration_s and result.cpu_s / result.duration_s > CPU_SHARE:
        share = result.cpu_s / result.duration_s
        reasons.append(f"the client used {share:.0%} of a CPU: it may be what limits the rate")
    if result.timestamps == "user":
        reasons.append(
            f"{result.unstamped_reads} reads had no kernel timestamp:"
            " the client's own delay is part of their figures"
        )
    late = result.delay.quantile(0.99)
    if late > DELAY_MS:
        reasons.append(f"the client read what had come {late:.1f} ms late (p99)")
    if result.clock_steps:
        reasons.append(f"the clock was set {count(result.clock_steps, 'time')}")
    if said := buffered(result):
        reasons.append(said)
    unseen = result.buffered + result.not_streamed
    have_gaps = not unseen or unseen < result.succeeded
    if have_gaps and result.reads and result.coalesced_reads / result.reads > COALESCED_SHARE:
        share = result.coalesced_reads / result.reads
        reasons.append(f"{share:.0%} of reads held several chunks: their gaps are averages")
    deviation = result.metrics["schedule_deviation_ms"].quantile(0.99)
    if deviation > DEVIATION_MS:
        reasons.append(f"requests went out {deviation:.1f} ms after their time (p99)")
    if late_arrivals:
        unsent = count(late_arrivals, "arrival")
        reasons.append(f"{unsent} found no free connection: never sent")
