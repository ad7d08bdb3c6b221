"""Builds an image from a folder of k8s/images: its Dockerfile, our binaries, what folders share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from labkit.setup.build import builds, catalog, debian
from labkit.setup.host import docker, paths, shell, speed

BUILD_S = 1200
SHARED = paths.k8s("images", "shared")


def folder(image: catalog.Image) -> Path:
    """The folder with its Dockerfile."""
    return paths.k8s("images", image.folder)


def shares(image: catalog.Image) -> bool:
    """Does its Dockerfile copy from `shared/`?"""
    file = folder(image) / "Dockerfile"
    return file.exists() and "COPY shared/" in file.read_text()


def build(image: catalog.Image, inputs: str) -> None:
    """Build one image of k8s/images; its tags appear only when it is whole."""
    with paths.temporary("image") as place:
        context = Path(place, "context")
        shutil.copytree(folder(image), context)
        if shares(image):
            shutil.copytree(SHARED, context / "shared")
        (context / "bin").mkdir(exist_ok=True)
        for name in image.binaries:
            link_or_copy(builds.binary(name), context / "bin" / name)
        words = [*docker.BUILD, *docker.proxies("--build-arg")]
        words += ["--label", f"{catalog.INPUTS}={inputs}"]
        if image.base:
            words += ["--build-arg", f"BASE={debian.reference(image.base)}"]
        if len(image.binaries) == 1:
            words += ["--build-arg", f"BINARY={image.binaries[0]}"]
        words += [w for tag in image.tags for w in ("--tag", f"{image.name}:{tag}")]
        log = paths.log_file(f"image-{image.path}")
        shell.run(
            *words,
            context,
            log=log,
            timeout_s=speed.deadline(BUILD_S),
            env={"DOCKER_BUILDKIT": "0"},
        )


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system allows one: the binaries are large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
