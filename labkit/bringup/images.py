"""The lab's images in the engine: which are there, and the jobs that bring the others.

Package route: built from k8s/images, and labelled with a hash of their inputs, so that
a changed Dockerfile or program is noticed and an unchanged one costs nothing.
Registry route: pulled; a state file remembers which image came from where.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labkit.bringup import bom, debian, engine, golang, node, paths, shell
from labkit.bringup.jobs import Job
from labkit.bringup.progress import Reporter
from labkit.bringup.route import PACKAGES, image_source
from labkit.errors import BuildFailed, DownloadFailed

STAND_IN = "lab.stand-in"
BUILD_S = 1200
PULL_S = 3600
SHARED = paths.k8s("images", "shared")
BUILDER = bom.Image("lab/ollama-build", ("latest",), "ollama-build", "trixie")


@dataclass(frozen=True)
class State:
    """What `./lab images` says of one image."""

    name: str
    source: str
    present: bool
    stand_in: str  # what it is made of instead of the public image; empty: it is the public one
    pinned: bool
    size: int  # bytes in the engine


def wanted() -> tuple[bom.Image, ...]:
    """The images that the cluster runs or is made of, in both routes."""
    materials = bom.load()
    return (*materials.images, materials.node)


def inputs(image: bom.Image) -> str:
    """A hash of all that decides what the package route builds for this image."""
    what: list[str | bytes | Path] = [
        paths.k8s("cluster", "node") if image.folder == "node" else _dockerfile_folder(image)
    ]
    if _shares(image):
        what.append(SHARED)
    if image.base:
        what.append(debian.inputs(image.base))
    what += [golang.inputs(golang.build_of(name)) for name in image.binaries]
    if image.folder == "node":
        what += [debian.inputs(node.BASE), *(inputs(i) for i in bom.load().node_images)]
        what += [golang.inputs(golang.build_of(name)) for name in node.BINARIES]
    return bom.digest_of(*what)


def states(route: str) -> list[State]:
    """Every image of the lab, there or not."""
    known = engine.inspect("image", *(image.reference for image in wanted()))
    return [state(image, route, known.get(image.reference)) for image in wanted()]


def state(image: bom.Image, route: str, found: dict | None) -> State:
    """One image's state, from what the engine says of it (None: nothing)."""
    labels = (found or {}).get("Config", {}).get("Labels") or {}
    return State(
        image.reference,
        _recipe(image) if route == PACKAGES else _source(image),
        found is not None and _current(image, route, found),
        labels.get(STAND_IN, ""),
        # in the package route Debian's packages are those of the day
        bool(route != PACKAGES and image.digest and not image_source()),
        (found or {}).get("Size", 0),
    )


def _current(image: bom.Image, route: str, found: dict) -> bool:
    if route == PACKAGES:
        return ((found["Config"].get("Labels") or {}).get(bom.INPUTS)) == inputs(image)
    return paths.read_json(pulled_record(image)).get("id") == found["Id"]


def jobs(route: str, reporter: Reporter) -> list[Job]:
    """What is missing, as jobs; empty when everything is there."""
    missing = [i for i, s in zip(wanted(), states(route), strict=True) if not s.present]
    if route != PACKAGES:
        return [Job(f"image:{i.reference}", _puller(i, reporter)) for i in missing]
    return _build_jobs(missing, reporter)


# ---- registry route ------------------------------------------------------------


def _source(image: bom.Image) -> str:
    if image_source():
        return f"{image_source()}/{image.path}:{image.tags[0]}"
    return f"{image.name}@{image.digest}" if image.digest else image.reference


def pulled_record(image: bom.Image) -> Path:
    return paths.state("pulled", f"{image.path.replace('/', '-')}.json")


def _puller(image: bom.Image, reporter: Reporter) -> Callable[[], None]:
    def pull() -> None:
        source, log = _source(image), paths.log_file(f"pull-{image.path}")
        had = image.reference in engine.inspect("image", image.reference)
        with reporter.task(f"pull {image.reference}"):
            try:
                shell.run("docker", "pull", source, log=log, timeout_s=PULL_S)
            except BuildFailed as error:
                raise DownloadFailed(
                    f"image {source} could not be pulled",
                    error.saw,
                    "check the network, or build from packages: ./lab up --route packages",
                ) from None
            engine.docker("tag", source, image.reference)
            found = engine.inspect("image", image.reference)[image.reference]
            paths.write_json(
                pulled_record(image), {"id": found["Id"], "source": source, "had": had}
            )

    return pull


# ---- package route -------------------------------------------------------------


def _build_jobs(missing: list[bom.Image], reporter: Reporter) -> list[Job]:
    """The whole tree behind the missing images: bases, Go builds, images."""
    materials = bom.load()
    every: dict[str, Job] = {}

    def add(name: str, needs: tuple[str, ...], title: str, make: Callable[[], None]) -> str:
        def work() -> None:
            with reporter.task(title):
                make()

        every.setdefault(name, Job(name, work, needs))
        return name

    def base(suite: str) -> list[str]:
        if not suite or debian.made(suite):
            return []
        return [add(f"base:{suite}", (), f"base image {suite}", partial(debian.make, suite))]

    def built(binary: str) -> list[str]:
        build = golang.build_of(binary)
        if golang.made(build):
            return []
        needs = image(BUILDER) if build.name == "ollama" else []
        title = f"build {build.name}"
        return [add(f"go:{build.name}", tuple(needs), title, partial(golang.make, build))]

    def image(which: bom.Image) -> list[str]:
        found = engine.inspect("image", which.reference).get(which.reference)
        if found and _current(which, PACKAGES, found):
            return []
        needs = [*base(which.base), *(n for b in which.binaries for n in built(b))]
        make = partial(build, which)
        if which.folder == "node":
            needs += [*base(node.BASE), *(n for b in node.BINARIES for n in built(b))]
            needs += [n for i in materials.node_images for n in image(i)]
            make = partial(node.build, which, inputs(which))
        return [add(f"image:{which.reference}", tuple(needs), f"image {which.reference}", make)]

    for tool in materials.tools:  # the longest builds first
        built(tool.name)
    for which in sorted(missing, key=lambda i: i.folder != "ollama"):
        image(which)
    return list(every.values())


def _recipe(image: bom.Image) -> str:
    folder = "k8s/cluster/node" if image.folder == "node" else f"k8s/images/{image.folder}"
    return f"{folder} on Debian {image.base or node.BASE}"


def _dockerfile_folder(image: bom.Image) -> Path:
    return paths.k8s("images", image.folder)


def _shares(image: bom.Image) -> bool:
    """Does its Dockerfile copy from `shared/`?"""
    dockerfile = _dockerfile_folder(image) / "Dockerfile"
    return dockerfile.exists() and "COPY shared/" in dockerfile.read_text()


def build(image: bom.Image) -> None:
    """Build one image of k8s/images; its tags appear only when it is whole."""
    with paths.temporary("image") as folder:
        context = Path(folder, "context")
        shutil.copytree(_dockerfile_folder(image), context)
        if _shares(image):
            shutil.copytree(SHARED, context / "shared")
        (context / "bin").mkdir(exist_ok=True)
        for name in image.binaries:
            link_or_copy(golang.binary(name), context / "bin" / name)
        words = [*engine.BUILD, *engine.proxies("--build-arg")]
        words += ["--label", f"{bom.INPUTS}={inputs(image)}"]
        if image.base:
            words += ["--build-arg", f"BASE={debian.reference(image.base)}"]
        if len(image.binaries) == 1:
            words += ["--build-arg", f"BINARY={image.binaries[0]}"]
        words += [w for tag in image.tags for w in ("--tag", f"{image.name}:{tag}")]
        log = paths.log_file(f"image-{image.path}")
        shell.run(*words, context, log=log, timeout_s=BUILD_S, env={"DOCKER_BUILDKIT": "0"})


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system allows one: the binaries are large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
