"""The bill of materials: every tool and image, its version, its source in each route."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from labkit.setup.host import paths

INPUTS = "lab.inputs"  # label of a built image: a hash of all that it was made from
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def target() -> tuple[str, str]:
    """Operating system and architecture as release files name them: ("linux", "amd64")."""
    machine = platform.machine().lower()
    return platform.system().lower(), ARCHITECTURES.get(machine, machine)


@dataclass(frozen=True)
class Tool:
    name: str
    version: str
    check: tuple[str, ...]  # the command whose output names the version; empty: none can
    go: str  # a Go module, or the name of a Build that makes it
    url_template: str
    publisher_template: str  # the publisher's checksum file; empty: there is none
    sha256s: dict[str, str]
    answer: bool = False  # the first answer of `./lab up` needs it

    @property
    def url(self) -> str:
        system, arch = target()
        return self.url_template.format(version=self.version, os=system, arch=arch)

    @property
    def publisher_sha256(self) -> str:
        return self.publisher_template.format(url=self.url)

    @property
    def sha256(self) -> str:
        """The pinned checksum for this machine; empty: not pinned."""
        return self.sha256s.get("-".join(target()), "")


@dataclass(frozen=True)
class Image:
    name: str  # public name without tag, as a learner types it
    tags: tuple[str, ...]
    folder: str  # below k8s/images, for the package route
    base: str = ""  # Debian release it is built on; empty: FROM scratch
    binaries: tuple[str, ...] = ()
    digest: str = ""
    published: str = ""  # the registry route's tag, where it is another one
    answer: bool = False  # the first answer of `./lab up` needs it

    @property
    def reference(self) -> str:
        return f"{self.name}:{self.tags[0]}"

    @property
    def path(self) -> str:
        """Repository on a registry, without the host: what containerd asks a mirror for."""
        first, _, rest = self.name.partition("/")
        if not rest:
            return f"library/{self.name}"
        return rest if "." in first else self.name


@dataclass(frozen=True)
class Sdist:
    """A source package of the Python index."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Build:
    """One build of the package route: a Go module by version, or packages of k8s/cluster/go."""

    name: str
    binaries: tuple[str, ...]
    packages: tuple[str, ...] = ()
    module: str = ""
    version: str = ""
    toolchain: str = ""  # the oldest Go that compiles it, where Go does not fetch one by itself
    build_tags: str = ""  # for Go: what is left out of it, or put in
    sdist: Sdist | None = None  # C++ beside the module's own


@dataclass(frozen=True)
class Materials:
    kubernetes: str
    ollama: str
    tools: tuple[Tool, ...]
    images: tuple[Image, ...]
    node: Image
    node_images: tuple[Image, ...]
    builds: tuple[Build, ...] = field(default=())

    def image(self, name: str) -> Image:
        return next(i for i in (*self.images, *self.node_images, self.node) if i.name == name)


def versions_file() -> Path:
    return paths.k8s("cluster", "versions.toml")


def ollama_asked() -> str:
    """Another version of Ollama, given as LAB_OLLAMA_VERSION; empty: the tried one."""
    return os.environ.get("LAB_OLLAMA_VERSION", "")


@functools.cache
def load() -> Materials:
    """The bill of materials of this clone."""
    table = tomllib.loads(versions_file().read_text())
    if ollama_asked():
        table["ollama"] = ollama_asked()
        table["image"]["ollama/ollama"] |= {"tags": [ollama_asked(), "latest"], "digest": ""}
    tools = tuple(
        Tool(
            name,
            row["version"],
            tuple(row["check"]),
            row["go"],
            row["url"],
            row["publisher_sha256"],
            row["sha256"],
            row.get("answer", False),
        )
        for name, row in table["tool"].items()
    )

    def image(name: str, row: dict) -> Image:
        return Image(
            name,
            tuple(row["tags"]) if "tags" in row else (row["tag"],),
            row.get("folder", "node"),
            row.get("base", ""),
            tuple(row.get("binaries", ())),
            row.get("digest", ""),
            row.get("published", ""),
            row.get("answer", False),
        )

    builds = [
        Build(
            name,
            # as Go names the program of a package
            tuple(path.rpartition("/")[2] for path in row.get("packages", (name,))),
            tuple(row.get("packages", ())),
            row.get("module", ""),
            row.get("version", ""),
            row.get("toolchain", ""),
            row.get("build_tags", ""),
            Sdist(**row["sdist"]) if "sdist" in row else None,
        )
        for name, row in table["go"].items()
    ]
    builds += [
        Build(tool.name, (tool.name,), module=tool.go, version=tool.version)
        for tool in tools
        if "/" in tool.go
    ]
    return Materials(
        table["kubernetes"],
        table["ollama"],
        tools,
        tuple(image(name, row) for name, row in table["image"].items()),
        image(table["node"]["image"], table["node"]),
        tuple(image(name, row) for name, row in table["node_image"].items()),
        tuple(builds),
    )


def digest_of(*inputs: str | bytes | Path) -> str:
    """A short hash of texts, files and folders (names, modes and contents)."""
    total = hashlib.sha256()
    for item in inputs:
        if isinstance(item, Path):
            files = sorted(f for f in item.rglob("*") if f.is_file()) if item.is_dir() else [item]
            for file in files:
                executable = os.access(file, os.X_OK)
                total.update(f"{file.relative_to(item)}\0{executable}\0".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
        else:
            data = item.encode() if isinstance(item, str) else item
            total.update(hashlib.sha256(data).digest())
    return total.hexdigest()[:16]
