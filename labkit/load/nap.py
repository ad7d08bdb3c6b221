"""How long to sleep before each poll: the kernel stamps what comes meanwhile."""

from __future__ import annotations

from labkit.load.result import Result

LONGEST_NS = 5_000_000
SHORTEST_NS = 200_000  # below it the sleep costs more than it saves
# A nap delays the next request of a client: by no more than this part of a typical answer.
PART = 200


class Nap:
    """One poll for many reads costs less than one for each; a nap must not join reads, though."""

    def __init__(self) -> None:
        self.ns = 0
        self.reads = self.coalesced = 0

    def choose(self, result: Result, elapsed_ns: int) -> None:
        """Longer while reads hold one chunk each, shorter when more than 1 % hold several."""
        if result.timestamps == "user":
            self.ns = 0  # without the kernel's stamps whatever waits is measured late
            return
        latency = result.metrics["latency_ms"]
        latency.fold()
        typical = latency.total // latency.count if latency.count else elapsed_ns
        coalesced, reads = result.coalesced_reads - self.coalesced, result.reads - self.reads
        self.coalesced, self.reads = result.coalesced_reads, result.reads
        wanted = self.ns // 2 if coalesced * 100 > reads else max(self.ns * 2, SHORTEST_NS)
        wanted = min(wanted, LONGEST_NS, typical // PART)
        self.ns = wanted if wanted >= SHORTEST_NS else 0
