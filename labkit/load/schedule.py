"""When the requests of an open loop are due: constant or Poisson arrivals, from a seed."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.load.plan import Plan


def arrivals(plan: Plan) -> Iterator[int]:
    """Nanoseconds after the start of each arrival, as many as the plan has.

    Workers of a constant rate take turns; Poisson arrivals of workers add up to Poisson arrivals.

    >>> from itertools import islice
    >>> list(islice(arrivals(Plan(rate=4.0, requests=3)), 9))
    [0, 250000000, 500000000]
    >>> list(islice(arrivals(Plan(rate=4.0, requests=2, seconds=None).share(1, 2)), 9))
    [250000000]
    """
    if not plan.rate:
        return  # a closed loop: nothing arrives by itself
    last = float("inf") if plan.seconds is None else plan.seconds * 1e9
    if plan.arrivals == "poisson":
        from random import Random  # 3 ms that only this needs

        gap = Random(plan.seed).expovariate
        due, count = gap(plan.rate) * 1e9, 0
        while (plan.requests is None or count < plan.requests) and due < last:
            yield int(due)
            due += gap(plan.rate) * 1e9
            count += 1
        return
    count = 0
    while plan.requests is None or count < plan.requests:
        due = (count + plan.worker / plan.workers) * 1e9 / plan.rate
        if due >= last:
            return
        yield int(due)
        count += 1
