"""`./lab down`: stops the lab, keeps its caches; `--purge` frees those too."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from labkit.errors import EngineMissing, LabError
from labkit.jupyter import server as jupyter
from labkit.setup.build import catalog, debian, images, node_image, ollama_build, registry
from labkit.setup.cluster import kind, labs, local_ollama, model, monitoring
from labkit.setup.host import docker, paths
from labkit.setup.host.progress import Reporter
from labkit.ui import units


def down(reporter: Reporter, context: str = "") -> None:
    """Remove cluster and registry container; images, builds and models' makings stay."""
    if context:
        lab = labs.take_over(context)
        with reporter.task(f"namespaces in {context}") as task:
            names = labs.remove_namespaces(lab)
            monitoring.remove(lab)
            task.note(f"removed {', '.join(names)}" if names else "there were none of the lab's")
        lab.kubeconfig.unlink(missing_ok=True)
        model.forget(lab)
        _stop_jupyter(reporter, context)
        return
    try:
        docker.version()
    except EngineMissing:
        if kind.ours():
            raise  # what the lab has in it cannot be seen, let alone removed
        reporter.say("No container engine answers, so nothing of the lab runs in one.")
        _stop_jupyter(reporter, context)
        return
    # left by a killed build
    for name in (ollama_build.PROGRAM, ollama_build.ENGINE, node_image.FILLER):
        docker.docker("rm", "-f", name, check=False)
    # first: when the cluster is not ours, all the rest stays as it is too
    with reporter.task("remove the cluster") as task:
        task.note("done" if kind.nodes() else "there was none")
        kind.delete()
    with reporter.task("remove the local Ollama") as task:
        local_ollama.remove()
        task.note("done, its models stay")
    _stop_jupyter(reporter, context)
    with reporter.task("remove the image registry") as task:
        registry.remove()
        task.note("done, its images stay")


def _stop_jupyter(reporter: Reporter, context: str) -> None:
    server = jupyter.known()
    if server and server.context == context:  # else it is another lab's
        with reporter.task("stop JupyterLab") as task:
            task.note("done, the notebooks stay" if jupyter.stop() else "it had ended")


def say_what_stays(reporter: Reporter) -> None:
    pid = docker.started_by_lab()
    stays = f"The container engine (process {pid}) and all" if pid else "All"
    reporter.say(f"{stays} caches stay: ./lab up is quick. ./lab down --purge frees them.")


def purge(reporter: Reporter, confirm: Callable[[str], bool]) -> bool:
    """Say what would be freed, ask, free it; False when the user declined."""
    folders = {folder: size(folder) for folder in (paths.cache(), paths.state())}
    held = _images()
    for folder, count in folders.items():
        reporter.say(f"{count / 2**30:6.2f} GiB  {folder}")
    total = sum(row["Size"] for row in held.values())
    if held:
        images_held = units.count(len(held), "image")
        reporter.say(f"{total / 2**30:6.2f} GiB  {images_held} in the engine, layers shared")
        reporter.say(f"           and the volume {registry.VOLUME}")
    if not confirm("Remove all of this?"):
        return False
    down(reporter)
    if held or _engine_answers():
        registry.purge()
        with reporter.task("remove the images"):
            for name in held:
                docker.docker("rmi", "-f", name, check=False)
            # what newer builds of the lab took the names from
            label = f"label={catalog.INPUTS}"
            docker.docker("image", "prune", "--force", "--filter", label, timeout_s=600)
    if docker.started_by_lab():
        with reporter.task("container engine: stop"):
            docker.stop()
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
    return True


def size(folder: Path) -> int:
    """Bytes on disk below a folder; 0 where there is none."""
    return sum(f.lstat().st_size for f in folder.rglob("*") if not f.is_dir())


def _engine_answers() -> bool:
    try:
        return bool(docker.version())
    except LabError:
        return False


def _images() -> dict[str, dict]:
    """The lab's images in the engine, and only those: built here, or first pulled by the lab.

    By name, because what a learner builds on one of them inherits its labels.
    """
    if not _engine_answers():
        return {}
    every = (*images.wanted(), *catalog.load().node_images, images.BUILDER)
    names = [f"{image.name}:{tag}" for image in every for tag in image.tags]
    names += [*map(debian.reference, debian.SUITES), node_image.EMPTY]
    found = docker.inspect("image", *names)
    pulled = {i.reference: paths.read_json(images.pulled_record(i)) for i in images.wanted()}
    return {
        name: row
        for name, row in found.items()
        if name.startswith("lab/")
        or catalog.INPUTS in (row["Config"].get("Labels") or {})
        or pulled.get(name, {}).get("had") is False
    }
