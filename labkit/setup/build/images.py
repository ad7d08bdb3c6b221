"""The lab's images in the engine: which are there, and the jobs that bring the others.

Package route: built from k8s/images, and labelled with a hash of their inputs, so that
a changed Dockerfile or program is noticed and an unchanged one costs nothing.
Registry route: pulled; a state file remembers which image came from where.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labkit.errors import BuildFailed, DownloadFailed
from labkit.setup.build import builds, catalog, debian, dockerfile, node_image
from labkit.setup.build.route import BUNDLE, PACKAGES, REGISTRY, image_source
from labkit.setup.host import docker, paths, shell, speed
from labkit.setup.host.jobs import Job
from labkit.setup.host.progress import Reporter

STAND_IN = "lab.stand-in"
PULL_S = 3600
BUILDER = catalog.Image("lab/ollama-build", ("latest",), "ollama-build", "trixie")


@dataclass(frozen=True)
class State:
    """What `./lab images` says of one image."""

    name: str
    source: str
    present: bool
    stand_in: str  # what it is made of instead of the public image; empty: it is the public one
    pinned: bool
    size: int  # bytes in the engine


def wanted() -> tuple[catalog.Image, ...]:
    """The images that the cluster runs or is made of, in both routes."""
    materials = catalog.load()
    return (*materials.images, materials.node)


def inputs(image: catalog.Image) -> str:
    """A hash of all that decides what the package route builds for this image."""
    what: list[str | bytes | Path] = [
        paths.k8s("cluster", "node") if image.folder == "node" else dockerfile.folder(image)
    ]
    if dockerfile.shares(image):
        what.append(dockerfile.SHARED)
    if image.base:
        what.append(debian.inputs(image.base))
    what += [builds.inputs(builds.build_of(name)) for name in image.binaries]
    if image.folder == "node":
        what += [debian.inputs(node_image.BASE), *(inputs(i) for i in catalog.load().node_images)]
        what += [builds.inputs(builds.build_of(name)) for name in node_image.BINARIES]
    return catalog.digest_of(*what)


def states(route: str) -> list[State]:
    """Every image of the lab, there or not."""
    known = docker.inspect("image", *(image.reference for image in wanted()))
    return [state(image, route, known.get(image.reference)) for image in wanted()]


def state(image: catalog.Image, route: str, found: dict | None) -> State:
    """One image's state, from what the engine says of it (None: nothing)."""
    labels = (found or {}).get("Config", {}).get("Labels") or {}
    return State(
        image.reference,
        _source(image, route),
        found is not None and _current(image, route, found),
        labels.get(STAND_IN, ""),
        _pinned(image, route, found),
        (found or {}).get("Size", 0),
    )


def _current(image: catalog.Image, route: str, found: dict) -> bool:
    if route == PACKAGES:
        return ((found["Config"].get("Labels") or {}).get(catalog.INPUTS)) == inputs(image)
    record = paths.read_json(pulled_record(image))
    _, _, digest = record.get("source", "").partition("@")
    moved = (
        digest and image.digest and digest != image.digest
    )  # the tag is the same, the pin is not
    return record.get("id") == found["Id"] and not moved


def _pinned(image: catalog.Image, route: str, found: dict | None) -> bool:
    """Is the image that is there, or the one that a pull would bring, known by its digest?"""
    if route == PACKAGES:  # Debian's packages are those of the day
        return False
    if route == BUNDLE:  # its list has the SHA-256 of each part
        return found is not None and _current(image, route, found)
    if found is None or not _current(image, REGISTRY, found):
        return bool(image.digest and not image_source())
    # it may have been pulled by its tag: before the digest was known, or from a classroom's cache
    source = paths.read_json(pulled_record(image)).get("source", "")
    return bool(image.digest) and source.endswith(f"@{image.digest}")


def jobs(route: str, reporter: Reporter, *, answer: bool) -> list[Job]:
    """What is missing, as jobs: of what the first answer needs, or of all the rest."""
    asked = [image for image in wanted() if image.answer == answer]
    known = docker.inspect("image", *(image.reference for image in asked))
    missing = [i for i in asked if not state(i, route, known.get(i.reference)).present]
    if route != PACKAGES:
        return [Job(f"image:{i.reference}", _puller(i, reporter)) for i in missing]
    tools = [tool.name for tool in catalog.load().tools if tool.answer == answer]
    return _build_jobs(missing, tools, reporter)


# ---- registry route ------------------------------------------------------------


def _source(image: catalog.Image, route: str) -> str:
    """Where an image comes from."""
    if route == PACKAGES:
        return _recipe(image)
    if route == BUNDLE:
        return str(paths.read_json(pulled_record(image)).get("source", BUNDLE))
    return _registry_source(image)


def _registry_source(image: catalog.Image) -> str:
    tag = image.published or image.tags[0]
    if image_source():
        return f"{image_source()}/{image.path}:{tag}"
    digest = f"@{image.digest}" if image.digest else ""
    return f"{image.name}:{tag}{digest}"


def pulled_record(image: catalog.Image) -> Path:
    return paths.state("pulled", f"{image.path.replace('/', '-')}.json")


def _puller(image: catalog.Image, reporter: Reporter) -> Callable[[], None]:
    def pull() -> None:
        source, log = _registry_source(image), paths.log_file(f"pull-{image.path}")
        had = image.reference in docker.inspect("image", image.reference)
        with reporter.task(f"pull {image.reference}"):
            try:
                shell.run("docker", "pull", source, log=log, timeout_s=speed.deadline(PULL_S))
            except BuildFailed as error:
                raise DownloadFailed(
                    f"image {source} could not be pulled",
                    error.saw,
                    "check the network, or build from packages: ./lab up --route packages",
                ) from None
            docker.docker("tag", source, image.reference)
            remember(image, source, had=had)

    return pull


def remember(image: catalog.Image, source: str, *, had: bool) -> None:
    """Keep where the image that the engine has now came from; `had`: one was there before."""
    found = docker.inspect("image", image.reference)[image.reference]
    paths.write_json(pulled_record(image), {"id": found["Id"], "source": source, "had": had})


# ---- package route -------------------------------------------------------------


def _build_jobs(missing: list[catalog.Image], tools: list[str], reporter: Reporter) -> list[Job]:
    """The whole tree behind the missing images and these tools: bases, programs, images."""
    materials = catalog.load()
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
        build = builds.build_of(binary)
        if builds.made(build):
            return []
        needs = image(BUILDER) if build.name in builds.IN_CONTAINER else before(build)
        title = f"build {build.name}"
        return [add(f"build:{build.name}", tuple(needs), title, partial(builds.make, build))]

    def before(build: catalog.Build) -> list[str]:
        """The builds of one go.mod come one after another: what two share is compiled once."""
        if not build.packages:
            return []
        these = [one for one in materials.builds if one.packages]
        earlier = these[: these.index(build)]
        return built(earlier[-1].binaries[0]) if earlier else []

    def image(which: catalog.Image) -> list[str]:
        found = docker.inspect("image", which.reference).get(which.reference)
        if found and _current(which, PACKAGES, found):
            return []
        needs = [*base(which.base), *(n for b in which.binaries for n in built(b))]
        make = partial(dockerfile.build, which, inputs(which))
        if which.folder == "node":
            needs += [*base(node_image.BASE), *(n for b in node_image.BINARIES for n in built(b))]
            needs += [n for i in materials.node_images for n in image(i)]
            make = partial(node_image.build, which, inputs(which))
        return [add(f"image:{which.reference}", tuple(needs), f"image {which.reference}", make)]

    # first the longest way: Ollama's engine, whose compiler is an image itself
    for which in sorted(missing, key=lambda i: i.folder != "ollama"):
        image(which)
    for tool in tools:
        built(tool)
    return list(every.values())


def _recipe(image: catalog.Image) -> str:
    folder = "k8s/cluster/node" if image.folder == "node" else f"k8s/images/{image.folder}"
    return f"{folder} on Debian {image.base or node_image.BASE}"
