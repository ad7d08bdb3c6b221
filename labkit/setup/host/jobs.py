"""Runs jobs that need each other: each as soon as what it needs is there, a few at a time."""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from labkit.setup.host import shell

AT_A_TIME = 3


@dataclass(frozen=True)
class Job:
    """`make()` brings `name` about; it starts when every job in `needs` is done."""

    name: str
    make: Callable[[], object]
    needs: tuple[str, ...] = field(default=())


def run(jobs: Iterable[Job], *, at_a_time: int = AT_A_TIME) -> None:
    """Run all jobs. The first failure stops the rest and is raised; so does Ctrl-C."""
    by_name = {job.name: job for job in jobs}
    order = graphlib.TopologicalSorter(
        {job.name: [n for n in job.needs if n in by_name] for job in by_name.values()}
    )
    order.prepare()
    running: dict[Future, str] = {}
    try:
        with ThreadPoolExecutor(at_a_time) as pool:
            try:
                while order.is_active():
                    for name in order.get_ready():
                        running[pool.submit(by_name[name].make)] = name
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
                        order.done(running.pop(future))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                shell.end_all()
                raise
    finally:
        shell.begin()  # the threads have ended
