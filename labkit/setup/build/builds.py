"""What the package route compiles: each build kept in a folder named by a hash of its inputs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from labkit.setup.build import catalog, go, ollama_build
from labkit.setup.host import machine, paths

# compiled in a container, not by `go build` on this machine
IN_CONTAINER: dict[str, Callable[[catalog.Build, Path, Path], None]] = {
    "ollama": ollama_build.program,
    "llama-server": ollama_build.engine,
}


def inputs(build: catalog.Build) -> str:
    """A hash of everything of ours that decides what the build makes."""
    what: list[str | Path] = [go.source(), *build.packages]
    if build.module:
        what = [f"{build.module}@{build.version}"]
    if build.name in IN_CONTAINER:
        what += [paths.k8s("images", "ollama-build")]
    if build.sdist:
        what += [f"{build.sdist.name}=={build.sdist.version}", *ollama_build.SETTINGS]
        what += [machine.vector_flags(catalog.target()[1])]
    else:
        what += [" ".join(go.flags(build))]
    return catalog.digest_of(*what, "-".join(catalog.target()))


def folder(build: catalog.Build) -> Path:
    """Where its programs are, once it is made."""
    return paths.cache("builds", f"{build.name}-{inputs(build)}")


def made(build: catalog.Build) -> bool:
    """Are all its programs there?"""
    return all((folder(build) / name).is_file() for name in build.binaries)


def binary(name: str) -> Path:
    """Where the build that makes `name` puts it."""
    return folder(build_of(name)) / name


def build_of(name: str) -> catalog.Build:
    """The build that makes this program."""
    return next(build for build in catalog.load().builds if name in build.binaries)


def make(build: catalog.Build) -> None:
    """Build into a folder aside, then rename: a killed build is never taken for a whole one."""
    compile_ = IN_CONTAINER.get(build.name, go.compile_on_host)
    target = folder(build)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{build.name}-", dir=target.parent))
    try:
        compile_(build, aside, paths.log_file(f"build-{build.name}"))
        shutil.rmtree(target, ignore_errors=True)
        aside.chmod(0o755)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
