"""What a result's counts are per second, and how many requests kept within the plan's limits."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from typing import Any, Protocol

    from labkit.load.plan import Plan

    class Counts(Protocol):
        """Those of a result that are needed here; result.py imports this file."""

        plan: Plan
        succeeded: int
        generated_tokens: int
        chunks: int
        good: int
        good_low: int
        good_high: int
        duration_s: float
        noticing_s: float

        @property
        def failed(self) -> int:
            """Requests that ended in a failure of any kind."""

        @property
        def bounded(self) -> bool:
            """Has it bounds?"""


def shortest_s(result: Counts) -> float:
    """The least that the run can have taken: its end was noticed late."""
    return max(result.duration_s - result.noticing_s, 0.0)


def rates(result: Counts, duration_s: float) -> dict[str, float]:
    """Successful requests, and their tokens and chunks, per second."""
    seconds = duration_s or float("inf")
    return {
        "requests_per_s": round(result.succeeded / seconds, 3),
        "tokens_per_s": round(result.generated_tokens / seconds, 3),
        "chunks_per_s": round(result.chunks / seconds, 3),
    }


def goodput(result: Counts) -> dict[str, Any] | None:
    """Requests within the plan's limits, their rate and their share of all that ended."""
    if not result.plan.goodput:
        return None
    found: dict[str, Any] = {"limits": {f"{name}_ms": ms for name, ms in result.plan.goodput}}
    found |= _good(result, result.good, result.duration_s)
    if result.bounded:
        found["low"] = _good(result, result.good_low, result.duration_s)
        found["high"] = _good(result, result.good_high, shortest_s(result))
    return found


def _good(result: Counts, requests: int, duration_s: float) -> dict[str, float]:
    ended = result.succeeded + result.failed
    return {
        "requests": requests,
        "requests_per_s": round(requests / (duration_s or float("inf")), 3),
        "share": round(requests / ended, 6) if ended else 0.0,
    }
