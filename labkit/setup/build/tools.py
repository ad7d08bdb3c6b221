"""kind, kubectl, helm, hey: built or downloaded, linked into the folder for PATH."""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError
from labkit.setup.build import builds, catalog, checked
from labkit.setup.build.route import BUNDLE, PACKAGES
from labkit.setup.host import download, paths, shell
from labkit.setup.host.jobs import Job
from labkit.setup.host.progress import Reporter


@dataclass(frozen=True)
class State:
    """What `./lab images` and `status` say of one tool."""

    name: str
    version: str
    path: str  # empty: not there
    source: str
    pinned: bool


def path(name: str) -> Path:
    return paths.tools() / name


def states(route: str) -> list[State]:
    return [_state(tool, route) for tool in catalog.load().tools]


def _state(tool: catalog.Tool, route: str) -> State:
    there = str(path(tool.name).resolve()) if path(tool.name).exists() else ""
    if route == PACKAGES:
        pinned = checked.by_go(builds.build_of(tool.name))
        return State(tool.name, tool.version, there, _go_source(tool), pinned)
    if route == BUNDLE:  # unpacked beside the downloads, and compared with the bundle's list
        is_ours = Path(there).is_relative_to(paths.cache("tools").resolve())
        return State(tool.name, tool.version, there, BUNDLE, bool(there) and is_ours)
    # the learner's own, which nobody compared with a checksum
    own = there and there != str(_place(tool))
    source = there if own else tool.url
    return State(tool.name, tool.version, there, source, bool(tool.sha256) and not own)


def jobs(route: str, reporter: Reporter, *, answer: bool) -> list[Job]:
    """What the first answer needs, or all the rest: links only, where everything is there."""
    found = []
    for tool in catalog.load().tools:
        if tool.answer != answer:
            continue
        if route == PACKAGES:
            needs = (f"build:{builds.build_of(tool.name).name}",)
            found.append(Job(f"tool:{tool.name}", _linker(tool, builds.binary(tool.name)), needs))
        else:
            found.append(Job(f"tool:{tool.name}", _getter(tool, reporter)))
    return found


def _linker(tool: catalog.Tool, target: Path):
    return lambda: link(tool.name, target)


def _getter(tool: catalog.Tool, reporter: Reporter):
    return lambda: link(tool.name, _from_release(tool, reporter))


def link(name: str, target: Path) -> None:
    """Make PATH's `name` mean `target`, in one step."""
    place = path(name)
    if place.is_symlink() and place.readlink() == target:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(place)


def fits(tool: catalog.Tool, program: Path) -> bool:
    """Does this program say it is the version we want? One that cannot tell is taken."""
    if not tool.check:
        return True
    try:
        said = shell.output(program, *tool.check[1:], timeout_s=10)
    except LabError:
        return False
    return f"v{tool.version}" in said.replace("+", " ").replace(",", " ").split()


def on_path(tool: catalog.Tool) -> Path | None:
    """The learner's own installation of this very version, if there is one."""
    own = paths.tools().resolve()
    folders = os.environ.get("PATH", "").split(os.pathsep)
    others = os.pathsep.join(folder for folder in folders if Path(folder).resolve() != own)
    found = shutil.which(tool.name, path=others)
    return Path(found) if found and fits(tool, Path(found)) else None


def _place(tool: catalog.Tool) -> Path:
    """Where a download is kept: elsewhere once its checksum is known, so that it is compared."""
    pinned = f"-{tool.sha256[:12]}" if tool.sha256 else ""
    return paths.cache("tools", f"{tool.name}-{tool.version}{pinned}", tool.name)


def _from_release(tool: catalog.Tool, reporter: Reporter) -> Path:
    program = _place(tool)
    if program.exists():
        return program
    installed = on_path(tool)
    if installed:
        return installed
    with reporter.task(f"download {tool.name} {tool.version}"):
        packed = tool.url.endswith(".tar.gz")
        file = program.with_suffix(".tar.gz") if packed else program.with_suffix(".part")
        download.fetch(tool.url, file, sha256=tool.sha256, publisher=tool.publisher_sha256)
        if packed:
            _unpack(file, tool.name, program.with_suffix(".part"))
            file.unlink()
        aside = program.with_suffix(".part")
        aside.chmod(0o755)
        aside.replace(program)
    return program


def _unpack(archive: Path, name: str, target: Path) -> None:
    with tarfile.open(archive) as tar:
        member = next(m for m in tar.getmembers() if m.isfile() and Path(m.name).name == name)
        with tar.extractfile(member) as inside, target.open("wb") as out:
            shutil.copyfileobj(inside, out)


def _go_source(tool: catalog.Tool) -> str:
    build = builds.build_of(tool.name)
    return f"Go module {build.module}" if build.module else f"k8s/cluster/go ({tool.name})"
