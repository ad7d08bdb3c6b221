"""What a watcher sees of a run that is under way."""

from __future__ import annotations

from collections import namedtuple

from labkit.load.result import Result

# The quantiles are None before the first value.
Progress = namedtuple(
    "Progress",
    "elapsed_s in_flight succeeded failed chunks tokens ttft_p50_ms ttft_p95_ms",
)


def seen(result: Result, in_flight: int, elapsed_ns: int) -> Progress:
    """What a run has counted so far."""
    ttft = result.metrics["ttft_ms"]
    return Progress(
        round(elapsed_ns / 1e9, 3),
        in_flight,
        result.succeeded,
        result.failed,
        result.chunks,
        result.generated_tokens,
        ttft.quantile(0.5) if ttft.count else None,
        ttft.quantile(0.95) if ttft.count else None,
    )
