"""`./lab up`: every part in order, skipped when it is there, repaired when it is broken."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from labkit.bringup import (
    bom,
    cluster,
    debian,
    down,
    engine,
    golang,
    images,
    jobs,
    jupyter,
    kube,
    mirror,
    model,
    monitoring,
    ollama,
    paths,
    preflight,
    registry,
    route,
    tools,
)
from labkit.bringup.preflight import GIB
from labkit.bringup.progress import Reporter, Task, minutes
from labkit.errors import CommandFailed, LabError, TimedOut, Unsupported

# Free disk needed, measured: see README. The package route's includes Go's caches.
DISK_COLD = {route.PACKAGES: 16 * GIB, route.REGISTRY: 8 * GIB}
DISK_WARM = 2 * GIB
MEMORY = 2 * GIB
LARGE = ("go:cluster", "go:ollama", "base:", "image:kindest/node", "image:ollama/ollama")


@dataclass(frozen=True)
class Options:
    route: str = "auto"
    workers: int | None = None  # None: as many as there are, or one
    model: str = model.DEFAULT
    context: str = ""
    jupyter: bool = True


class Up:
    """One run: what it has done so far, for the table at the end."""

    def __init__(self, options: Options, reporter: Reporter, confirm: Callable[[str], bool]):
        self.options, self.reporter, self.confirm = options, reporter, confirm
        self.rows: list[tuple[str, str, str]] = []
        self.made = False  # this run made the cluster
        self.workers = options.workers

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
        seconds = os.environ.get("LAB_VENV_SECONDS")
        if seconds:
            self.rows.append(("Python environment", "made", minutes(float(seconds))))
        if self.options.context:
            lab = kube.take_over(self.options.context)
        else:
            self._machine()
            lab = cluster.LAB
        try:
            answer = self._inside(lab)
        except (TimedOut, CommandFailed) as error:
            answer = self._again(lab, error)
        server = self._jupyter() if self.options.jupyter else None
        try:
            self._metrics(lab)
        except LabError:
            if server:  # it runs, and most lessons need no metrics
                say_where(self.reporter, *server)
            raise
        self._show(answer)
        if server:
            say_where(self.reporter, *server)
        return answer

    def _again(self, lab: kube.Lab, error: LabError) -> model.Answer:
        """A second try in a cluster that was there; after that in a new one."""
        # another model may fail for reasons of its own, and that is worth no cluster
        if self.options.context or self.made or self.options.model != model.DEFAULT:
            raise error
        self.reporter.say(f"Once more, because {error.happened} ({error.saw}).")
        try:
            return self._inside(lab)
        except (TimedOut, CommandFailed) as second:
            self.reporter.say(f"Replacing the cluster: {second.happened} ({second.saw}).")
            cluster.delete()
            self._cluster()
            return self._inside(lab)

    def _inside(self, lab: kube.Lab) -> model.Answer:
        """What the answer needs in Kubernetes: mirror, model, and the answer itself."""
        with self.part("model mirror") as task:
            inputs = mirror.declare(lab)
            if self.made:  # it takes its time to start: beside all that follows
                with suppress(CommandFailed, TimedOut):  # `_metrics` does it again, and says why
                    monitoring.declare(lab)
            mirror.wait(lab, task, inputs)
            task.note(f"{mirror.HOST}, in the cluster")
        with self.part("model") as task:
            full = model.ensure(lab, self.options.model, task)
        if not self.options.context:
            with self.part("local Ollama") as task:
                task.note(f"{ollama.ensure(lab)}, a container beside the cluster")
        with self.part("answer") as task:
            answer = model.ask(lab, full)
            rate = f", {answer.tokens_per_s:.0f} tokens/s" if answer.tokens_per_s else ""
            task.note(f"by {full}{rate}")
        return answer

    def _metrics(self, lab: kube.Lab) -> None:
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
        if not cluster.running():  # a running lab needs no second helping
            preflight.memory(MEMORY)
        preflight.disk(paths.cache(), DISK_WARM)
        with self.part("container engine") as task:
            task.note(f"Docker {engine.ensure(self.reporter, self.confirm)}")
        chosen = route.choose(self.options.route)
        if bom.ollama_asked():
            require_registry_route(chosen)
        self.reporter.say(f"route: {chosen.name} ({chosen.reason})")
        with self.part("tools and images") as task:
            self._materials(chosen.name, task)
        with self.part("image registry") as task:
            registry.ensure(self.reporter)
            task.note(f"127.0.0.1:{registry.port()}")
        self._cluster()
        route.remember(chosen)

    def _cluster(self) -> None:
        workers = self.workers = self.workers or max(1, len(cluster.nodes()) - 1)
        with self.part("cluster") as task:
            self.made = cluster.ensure(workers, task)
            registry.connect()
            what = "made" if self.made else "here already"
            task.note(f"1 control plane, {workers} worker{'s' * (workers != 1)}, {what}")

    def _materials(self, chosen: str, task: Task) -> None:
        work = [*images.jobs(chosen, self.reporter), *tools.jobs(chosen, self.reporter)]
        missing = [job for job in work if not job.name.startswith("tool:")]
        needed = DISK_WARM
        if any(job.name.startswith(LARGE) for job in missing):
            needed = max(needed, DISK_COLD[chosen] - down.size(paths.cache()))
        preflight.disk(paths.cache(), needed)
        engine.require_disk(needed)
        if missing and chosen == route.PACKAGES:
            golang.require()
            debian.require()
            task.note(f"{len(missing)} things to build")
        jobs.run(work)
        task.note(f"{len(missing)} made" if missing else "all here")

    def _show(self, answer: model.Answer) -> None:
        say = self.reporter.say
        say("\nThe lab is up")
        for name, note, took in self.rows:
            say(f"  {name:18}  {took:>12}  {note}")
        say("")
        say(f">>> {model.PROMPT}")
        say(answer.text)
        say("")
        if self.options.model == model.DEFAULT:
            say(f"({model.DEFAULT} is tiny: it knows only this workshop.)")
        context = f" --context {self.options.context}" if self.options.context else ""
        say(f'In a terminal: eval "$(./lab env{context})", then kubectl get pods')


def say_where(reporter: Reporter, server: jupyter.Server, arrived: list[str]) -> None:
    """The URL, last, where a reader looks; and which lessons are new beside a copy."""
    for name in arrived:
        reporter.say(f"A lesson has changed: it is beside yours, as {name}.")
    reporter.say(
        f"\nOpen this in a browser (the token lets you in; keep it to yourself):\n{server.url}"
    )


def require_registry_route(chosen: route.Route) -> None:
    """Another Ollama can only be pulled: newer modules hold no inference engine to build."""
    if chosen.name != route.REGISTRY:
        raise Unsupported(
            f"the package route builds the tried Ollama only, not {bom.ollama_asked()}",
            f"LAB_OLLAMA_VERSION={bom.ollama_asked()}, route {chosen.name} ({chosen.reason})",
            "unset LAB_OLLAMA_VERSION, or ./lab up --route registry (untried)",
        )
