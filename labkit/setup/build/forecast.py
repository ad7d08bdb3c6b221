"""How long a build of the package route takes here: told before it begins, corrected while it runs.

Each part has its work on the reference machine. The parts run as `jobs.run` runs them, a few at a
time, and share the cores. What parts that have ended took, and what late ones have taken so far,
corrects the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial

from labkit.setup.host import speed
from labkit.setup.host.jobs import AT_A_TIME, Job

# Seconds of one core of the reference machine. Measured on a machine of 0.95 (Kubernetes 1.37.2,
# Ollama 0.34.2, nothing cached), from the times at which each part began and ended.
WORK_S = {
    "base:bookworm": 52,
    "base:*": 37,
    "build:cluster": 538,
    "build:ollama": 342,
    "build:llama-server": 720,
    "build:addons": 36,
    "build:prometheus": 150,
    "build:*": 7,
    "image:lab/ollama-build:*": 46,
    "image:kindest/node:*": 58,
    "image:alpine/httpie:*": 26,
    "image:python:*": 12,
    "image:rancher/*": 10,
    "image:registry:*": 10,
    "image:haproxy:*": 10,
    "image:registry.k8s.io/kube-proxy:*": 10,
    "image:*": 4,
}
# registry, cluster, mirror, model, answer and JupyterLab; the images for other lessons apart
AFTER_S = 75.0
METRICS_S = 17.0
_TRUST_S = 60.0  # seconds of work whose time is believed as much as the measure
_NEARLY = 0.97  # of a part that is late, at most so much is done
_SHORT_S = 20.0  # that is said of no build


def work_s(name: str) -> float:
    """Seconds of one core that a part needs on the reference machine.

    >>> work_s("build:cluster"), work_s("tool:kubectl")
    (538.0, 0.0)
    """
    return float(next((s for known, s in WORK_S.items() if fnmatch(name, known)), 0))


def planned(jobs: Iterable[Job], left: dict[str, float] | None = None) -> dict[str, float]:
    """When each part ends, in seconds from now on the reference machine.

    `left`: the seconds of a core that are left of parts that run already.

    >>> one, two = Job("base:a", list), Job("image:b", list, ("base:a",))
    >>> planned([one, two])
    {'base:a': 37.0, 'image:b': 41.0}
    """
    todo = {job.name: job for job in jobs}
    left = {name: (left or {}).get(name, work_s(name)) for name in todo}
    started = [name for name in todo if left[name] < work_s(name)]
    waiting = [name for name in todo if name not in started]
    now, running, ends = 0.0, started, dict[str, float]()
    while running or waiting:
        for name in list(waiting):
            is_free = all(need in ends or need not in todo for need in todo[name].needs)
            if len(running) < AT_A_TIME and is_free:
                running.append(name)
                waiting.remove(name)
        rates = _rates(running)
        step = min(left[name] / rates[name] for name in running)
        now += step
        for name in list(running):
            left[name] -= step * rates[name]
            if left[name] < 1e-9:
                running.remove(name)
                ends[name] = now
    return ends


def _rates(running: list[str]) -> dict[str, float]:
    """How much of a core each gets: a compiler takes all that are free, anything else one.

    >>> _rates(["build:a"]), _rates(["build:a", "base:b"])
    ({'build:a': 2.0}, {'base:b': 1.0, 'build:a': 1.0})
    """
    rates, cores = {}, speed.REFERENCE_CPUS
    narrow_first = sorted(running, key=lambda name: name.startswith("build:"))
    for index, name in enumerate(narrow_first):
        fair = cores / (len(running) - index)
        rates[name] = fair if name.startswith("build:") else min(fair, 1.0)
        cores -= rates[name]
    return rates


class Forecast:
    """How long these parts still take; `timed` jobs tell it when they begin and end."""

    def __init__(
        self,
        jobs: Iterable[Job],
        machine: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = list(jobs)
        self._machine = machine  # against the reference machine
        self._clock = clock
        # written by the threads that make the parts, and copied where another one reads them
        self._begun: dict[str, float] = {}
        self._took: dict[str, float] = {}
        ends = planned(self._jobs)
        self.whole_s = max(ends.values(), default=0.0) / machine
        begins = {j.name: max((ends.get(n, 0.0) for n in j.needs), default=0.0) for j in self._jobs}
        # of a part: as the others run beside it, and without its wait for a place
        self._usual = {
            name: max(min(end - begins[name], work_s(name) * AT_A_TIME / speed.REFERENCE_CPUS), 1.0)
            / machine
            for name, end in ends.items()
            if work_s(name)
        }

    def timed(self) -> list[Job]:
        """The same jobs, which tell when they begin and end."""
        return [replace(job, make=partial(self._make, job)) for job in self._jobs]

    def left_s(self) -> float:
        """Seconds until all are made, by what is known now."""
        pace = self._pace()
        left = {}
        for name, begun in self._begun.copy().items():
            if name in self._usual:
                done = (self._clock() - begun) / (self._usual[name] * pace)
                left[name] = work_s(name) * (1 - min(done, _NEARLY))
        todo = [job for job in self._jobs if job.name not in self._took]
        return max(planned(todo, left).values(), default=0.0) / self._machine * pace

    def _pace(self) -> float:
        """How many times as long as forecast the parts take that have ended, or are late."""
        usual = took = _TRUST_S / self._machine
        for name, seconds in self._took.copy().items():
            if name in self._usual:
                usual += self._usual[name]
                took += seconds
        so_far = {name: self._clock() - begun for name, begun in self._begun.copy().items()}
        late = {n for n, s in so_far.items() if s > self._usual.get(n, s) * took / usual}
        usual += sum(self._usual[name] for name in late)
        took += sum(so_far[name] for name in late)
        return took / usual

    def _make(self, job: Job) -> None:
        self.begin(job.name)
        job.make()
        self.end(job.name)

    def begin(self, name: str) -> None:
        self._begun[name] = self._clock()

    def end(self, name: str) -> None:
        self._took[name] = self._clock() - self._begun.pop(name)


def until_up(answer: list[Job], others: list[Job], machine: float) -> str:
    """What `up` says at its start; empty where nothing that takes long is to be built."""
    first_s = Forecast(answer, machine).whole_s
    if first_s < _SHORT_S:
        return ""
    made = {job.name for job in answer}
    later = Forecast([job for job in others if job.name not in made], machine).whole_s
    answer_s = first_s + AFTER_S / machine
    whole_s = answer_s + later + METRICS_S / machine
    return (
        f"This machine will take about {about(whole_s)}; the first answer comes after about"
        f" {about(answer_s)}. Each part that ends corrects that."
    )


def about(seconds: float) -> str:
    """
    >>> about(1000), about(61), about(34), about(2)
    ('17 min', '60 s', '30 s', '10 s')
    """
    if seconds >= 100:
        return f"{seconds / 60:.0f} min"
    return f"{max(round(seconds, -1), 10):.0f} s"


def machine_now() -> float:
    """This machine's speed against the reference machine's, beside what else it does now."""
    found = speed.known()
    if speed.is_told() or found is None or not (present := speed.present()):
        return speed.relative()
    # what others take is in it
    return max(replace(found, gb_per_s=present, why="", share=1.0).relative, speed.SLOWEST)
