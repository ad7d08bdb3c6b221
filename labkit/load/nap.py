"""How long to sleep before each poll: the kernel stamps what comes meanwhile."""

from __future__ import annotations

from labkit.load.result import Result

LONGEST_NS = 5_000_000
LOOK_NS = 150_000  # without stamps a figure is known as well as it is looked for often
SHORTEST_NS = 200_000  # below it the sleep costs more than it saves
# A nap delays the next request of a client: by no more than this part of a typical answer.
PART = 200


class Nap:
    """One poll for many reads costs less than one for each; a nap must not join reads, though."""

    def __init__(self) -> None:
        self.ns = 0
        self.looks = False  # each time, and wait for nothing: there is no stamp
        self.reads = self.coalesced = 0

    def choose(self, result: Result, elapsed_ns: int) -> None:
        """Longer while reads hold one chunk each, shorter when more than 1 % hold several."""
        if result.timestamps == "user":
            self.ns, self.looks = LOOK_NS, True
            return
        self.looks = False
        latency = result.metrics["latency_ms"]
        typical = int(latency.mean() * 1e6) or elapsed_ns
        coalesced, reads = result.coalesced_reads - self.coalesced, result.reads - self.reads
        self.coalesced, self.reads = result.coalesced_reads, result.reads
        wanted = self.ns // 2 if coalesced * 100 > reads else max(self.ns * 2, SHORTEST_NS)
        wanted = min(wanted, LONGEST_NS, typical // PART)
        self.ns = wanted if wanted >= SHORTEST_NS else 0
