"""`./lab up`: every part in order, skipped when it is there, repaired when it is broken."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from labkit.bundle import supply
from labkit.commands import down
from labkit.errors import CommandFailed, LabError, TimedOut, Unsupported
from labkit.jupyter import server as jupyter
from labkit.setup.build import catalog, debian, forecast, go, images, registry, route, tools
from labkit.setup.cluster import kind, labs, local_ollama, model, monitoring, services
from labkit.setup.host import docker, jobs, paths, speed
from labkit.setup.host import machine as preflight
from labkit.setup.host.machine import GIB
from labkit.setup.host.progress import Reporter, Task, minutes
from labkit.ui import units

# Free disk needed, measured: see README. The package route's includes Go's caches.
DISK_COLD = {route.PACKAGES: 16 * GIB, route.REGISTRY: 8 * GIB}
DISK_WARM = 2 * GIB
MEMORY = 2 * GIB
LARGE = (
    *("build:cluster", "build:ollama", "build:llama-server", "base:"),
    *("image:kindest/node", "image:ollama/ollama"),
)


@dataclass(frozen=True)
class Options:
    route: str = "auto"
    workers: int | None = None  # None: as many as there are, or one
    model: str = model.DEFAULT
    context: str = ""
    jupyter: bool = True
    bundle: str = ""  # a path or a URL: everything comes from it alone
    code: str = ""  # of ./lab bundle serve


class Up:
    """One run: what it has done so far, for the table at the end."""

    def __init__(self, options: Options, reporter: Reporter, confirm: Callable[[str], bool]):
        self.options, self.reporter, self.confirm = options, reporter, confirm
        self.rows: list[tuple[str, str, str]] = []
        self.made = False  # this run made the cluster
        self.workers = options.workers
        self.route = ""  # empty: a cluster of the user's own, whose images come from where it says
        self.supply: supply.Supply | None = None

    @contextmanager
    def part(self, name: str) -> Iterator[Task]:
        with self.reporter.task(name) as task:
            yield task
        took = minutes(self.reporter.seconds[name])
        self.rows = [row for row in self.rows if row[0] != name]  # a second try replaces the first
        self.rows.append((name, task.note_text or "done", took))

    def run(self) -> model.Answer:
        """Bring the lab up; the answer that proves it."""
        model.parts(self.options.model)  # a bad name is said before any work
        if self.options.bundle:
            self._require_alone()
            with self.part("bundle") as task:
                self.supply = supply.Supply(self.options.bundle, self.options.code)
                task.note(f"saved {self.supply.bundle.made}, from {self.options.bundle}")
        seconds = os.environ.get("LAB_VENV_SECONDS")
        if seconds:
            self.rows.append(("Python environment", "made", minutes(float(seconds))))
        with self.part("machine") as task:
            task.note(_said(speed.ensure()))
        if self.options.context:
            lab = labs.take_over(self.options.context)
        else:
            self._machine()
            lab = kind.LAB
        try:
            answer = self._inside(lab)
        except (TimedOut, CommandFailed) as error:
            answer = self._again(lab, error)
        jupyter.wanted(self.options.context, self.options.jupyter)
        server = self._jupyter() if self.options.jupyter else None
        try:
            if self.route:
                self._other_images(answer, server)
            self._metrics(lab)
        except LabError:
            if server:  # it runs, and most lessons need no metrics
                say_where(self.reporter, *server)
            raise
        if self.supply:
            self.supply.end()
        self._show(answer)
        if server:
            say_where(self.reporter, *server)
        return answer

    def _again(self, lab: labs.Lab, error: LabError) -> model.Answer:
        """A second try in a cluster that was there; after that in a new one."""
        # another model may fail for reasons of its own, and that is worth no cluster
        if self.options.context or self.made or self.options.model != model.DEFAULT:
            raise error
        self.reporter.say(f"Once more, because {error.happened} ({error.saw}).")
        try:
            return self._inside(lab)
        except (TimedOut, CommandFailed) as second:
            self.reporter.say(f"Replacing the cluster: {second.happened} ({second.saw}).")
            kind.delete()
            self._cluster()
            return self._inside(lab)

    def _inside(self, lab: labs.Lab) -> model.Answer:
        """What the answer needs in Kubernetes: mirror, model, and the answer itself."""
        with self.part("model mirror") as task:
            inputs = services.declare(lab)
            # it takes its time to start: beside all that follows
            if self.made and not (self.route and _missing(self._work(self.route, answer=False))):
                with suppress(CommandFailed, TimedOut):  # `_metrics` does it again, and says why
                    monitoring.declare(lab)
            services.wait(lab, task, inputs)
            task.note(f"{services.HOST}, in the cluster")
        with self.part("model") as task:
            full = model.ensure(lab, self.options.model, task)
        if not self.options.context:
            with self.part("local Ollama") as task:
                task.note(f"{local_ollama.ensure(lab)}, a container beside the cluster")
        with self.part("answer") as task:
            answer = model.ask(lab, full)
            rate = f", {answer.tokens_per_s:.0f} tokens/s" if answer.tokens_per_s else ""
            task.note(f"by {full}{rate}")
        return answer

    def _other_images(
        self, answer: model.Answer, server: tuple[jupyter.Server, list[str]] | None
    ) -> None:
        """The tools and images that the answer did not need."""
        work = self._work(self.route, answer=False)
        is_missing = bool(_missing(work))
        if server and is_missing:
            self._say_answer(answer)
            say_where(self.reporter, *server)
            self.reporter.say("\nBegin if you like. What later notebooks need is made now.\n")
        with self.part("other images") as task:
            self._materials(self.route, task, work)
            if is_missing:
                registry.ensure(self.reporter)

    def _metrics(self, lab: labs.Lab) -> None:
        """Apart from the answer's parts: no cluster that answers is replaced for want of these."""
        with self.part("metrics") as task:
            monitoring.declare(lab)
            monitoring.wait(lab, task)
            task.note(f"{monitoring.HOST}, in the cluster")

    def _jupyter(self) -> tuple[jupyter.Server, list[str]]:
        with self.part("JupyterLab") as task:
            server, arrived = jupyter.ensure(self.options.context)
            task.note(f"127.0.0.1:{server.port}, notebooks in {server.work}")
        return server, arrived

    def _machine(self) -> None:
        """Everything below Kubernetes: engine, tools, images, registry, cluster."""
        if not kind.running():  # a running lab needs no second helping
            preflight.memory(MEMORY)
            if warning := preflight.inotify((self.workers or 1) + 1):
                self.reporter.say(warning)
        preflight.disk(paths.cache(), DISK_WARM)
        with self.part("container engine") as task:
            ensure = supply.engine if self.supply else docker.ensure
            task.note(f"Docker {ensure(self.reporter, self.confirm)}")
        chosen = self._chosen()
        if catalog.ollama_asked():
            require_registry_route(chosen)
        self.reporter.say(f"route: {chosen.name} ({chosen.reason})")
        work = self._work(chosen.name, answer=True)
        self._say_forecast(chosen.name, work)
        with self.part("tools and images") as task:
            self._materials(chosen.name, task, work)
        with self.part("image registry") as task:
            registry.ensure(self.reporter)
            task.note(f"127.0.0.1:{registry.port()}")
        self._cluster()
        route.remember(chosen)
        if self.supply:
            self.supply.remember()
        self.route = chosen.name

    def _require_alone(self) -> None:
        """Raises Unsupported for an option that a bundle cannot go with."""
        options = self.options
        if options.context or options.route != "auto" or options.model != model.DEFAULT:
            raise Unsupported(
                "--bundle brings up the lab's own cluster with what is in the bundle",
                "--context, --route or --model was given too",
                f"./lab up --bundle {options.bundle}",
            )

    def _chosen(self) -> route.Route:
        if self.supply:
            return route.Route(route.BUNDLE, "network is not used")
        chosen = route.choose(self.options.route)
        if chosen.name == route.BUNDLE:
            self.supply = supply.Supply(supply.last(), named=False)
        return chosen

    def _cluster(self) -> None:
        workers = self.workers = self.workers or max(1, len(kind.nodes()) - 1)
        with self.part("cluster") as task:
            self.made = kind.ensure(workers, task)
            registry.connect()
            what = "made" if self.made else "here already"
            task.note(f"1 control plane, {workers} worker{'s' * (workers != 1)}, {what}")

    def _work(self, chosen: str, *, answer: bool) -> list[jobs.Job]:
        """What is to be done for the first answer's tools and images, or for all the others."""
        if self.supply:
            return self.supply.jobs(self.reporter, answer=answer)
        return [
            *images.jobs(chosen, self.reporter, answer=answer),
            *tools.jobs(chosen, self.reporter, answer=answer),
        ]

    def _say_forecast(self, chosen: str, work: list[jobs.Job]) -> None:
        """How long this run takes, where that is decided by what has to be built for the answer."""
        if chosen == route.PACKAGES and _missing(work):
            others = self._work(chosen, answer=False)
            if said := forecast.until_up(work, others, forecast.machine_now()):
                self.reporter.say(said)

    def _materials(self, chosen: str, task: Task, work: list[jobs.Job]) -> None:
        """Make what is missing."""
        missing = _missing(work)
        needed = DISK_WARM
        if any(job.name.startswith(LARGE) for job in missing):
            if self.supply:
                cold = self.supply.disk()
            else:
                cold = DISK_COLD[chosen] - down.size(paths.cache())
            needed = max(needed, cold)
        preflight.disk(paths.cache(), needed)
        docker.require_disk(needed)
        if missing and chosen == route.PACKAGES:
            go.require()
            debian.require()
            task.estimate_s = None  # the last run's: it built other things, or none
            task.note(f"{units.count(len(missing), 'thing')} to build")
            told = forecast.Forecast(work, forecast.machine_now())
            task.left = lambda: forecast.about(told.left_s())
            work = told.timed()
        jobs.run(work)
        task.left = None
        task.note(f"{len(missing)} made" if missing else "all here")

    def _show(self, answer: model.Answer) -> None:
        say = self.reporter.say
        say("\nThe lab is up")
        for name, note, took in self.rows:
            say(f"  {name:18}  {took:>12}  {note}")
        self._say_answer(answer)
        say("")
        if self.options.model == model.DEFAULT:
            say(f"({model.DEFAULT} is tiny: it knows only this workshop.)")
        context = f" --context {self.options.context}" if self.options.context else ""
        say(f'In a terminal: eval "$(./lab env{context})", then kubectl get pods')

    def _say_answer(self, answer: model.Answer) -> None:
        self.reporter.say(f"\n>>> {model.PROMPT}\n{answer.text}")


def _missing(work: list[jobs.Job]) -> list[jobs.Job]:
    """Those of the jobs that make something; tools that are there are only linked."""
    return [job for job in work if not job.name.startswith("tool:")]


def _said(machine: speed.Machine) -> str:
    memory = (
        f", {machine.memory_bytes / GIB:.0f} GiB of memory free" if machine.memory_bytes else ""
    )
    disk = f", {machine.disk_free_bytes / GIB:.0f} GiB of disk free"
    return f"{speed.words()}; {machine.cpus:g} cores{memory}{disk}"


def say_where(reporter: Reporter, server: jupyter.Server, arrived: list[str]) -> None:
    """The URL, last, where a reader looks; and which lessons are new beside a copy."""
    for name in arrived:
        reporter.say(f"A lesson has changed: it is beside yours, as {name}.")
    reporter.say(
        f"\nOpen this in a browser (the token lets you in; keep it to yourself):\n{server.url}"
    )


def require_registry_route(chosen: route.Route) -> None:
    """Another Ollama can only be pulled: each version is built in a way of its own."""
    if chosen.name != route.REGISTRY:
        raise Unsupported(
            f"the package route builds the tried Ollama only, not {catalog.ollama_asked()}",
            f"LAB_OLLAMA_VERSION={catalog.ollama_asked()}, route {chosen.name} ({chosen.reason})",
            "unset LAB_OLLAMA_VERSION, or ./lab up --route registry (untried)",
        )
