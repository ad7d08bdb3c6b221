"""Every pin of the lab as a fact: what, which version, where it stands, until when supported."""

from __future__ import annotations

import functools
import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from labkit.setup.build import catalog, node_image, numbers
from labkit.setup.host import paths

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([\w.]+)")  # of one Python package
_MAJOR = re.compile(r"v\d+")


@dataclass(frozen=True)
class Pin:
    """One thing at one version, however often that is written down."""

    what: str
    version: str  # "1.34.0"; of a Debian release its name
    places: tuple[str, ...]  # "versions.toml tool.kind"
    go: tuple[str, ...] = ()  # modules, one for each major version
    image: str = ""  # "prom/prometheus:v2.53.3"
    suite: str = ""  # the Debian release whose `package` is taken
    package: str = ""
    pypi: str = ""
    ends: date | None = None  # the last day of support; None: nobody has announced one
    source: str = ""  # where that is announced


@dataclass(frozen=True)
class Upstream:
    """One entry of upstream.toml."""

    name: str
    also: tuple[str, ...] = ()
    go: tuple[str, ...] = ()
    debian: str = ""
    ends: tuple[tuple[str, date], ...] = ()
    source: str = ""

    def end(self, version: str) -> date | None:
        """The last day of support of that version: its line's, or its major version's."""
        ends = dict(self.ends)
        parts = version.split(".")
        lines = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
        return next((ends[line] for line in lines if line in ends), None)


@functools.cache
def upstreams() -> dict[str, Upstream]:
    """upstream.toml, by each of the names that an entry has."""
    table = tomllib.loads(paths.k8s("cluster", "upstream.toml").read_text())
    found: dict[str, Upstream] = {}
    for name, row in table.items():
        told = table[row["ends_of"]] if "ends_of" in row else row
        one = Upstream(
            name,
            tuple(row.get("also", ())),
            tuple(row.get("go", ())),
            row.get("debian", ""),
            tuple(told.get("ends", {}).items()),
            told.get("source", ""),
        )
        found |= dict.fromkeys((name, *one.also, *one.go), one)
    return found


def every() -> list[Pin]:
    """All pins, each once: those of the lab's tools and images first, then Python's."""
    found: dict[tuple[str, str, bool], Pin] = {}
    for pin in (*_of_materials(), *_of_go_modules(), *_of_debian(), *_of_python()):
        key = (pin.what, pin.version, bool(pin.pypi))
        found[key] = _joined(found[key], pin) if key in found else pin
    return list(found.values())


def _joined(one: Pin, other: Pin) -> Pin:
    return replace(
        one,
        places=tuple(dict.fromkeys((*one.places, *other.places))),
        go=one.go or other.go,
        image=one.image or other.image,
        suite=one.suite or other.suite,
        package=one.package or other.package,
    )


def _pin(names: Iterable[str], version: str, place: str, go: str = "") -> Pin:
    """A pin with what upstream.toml knows of it: by its module, or the first name that is there."""
    first, *others = names
    known = next(
        (upstreams()[name] for name in (go, first, *others) if name in upstreams()),
        Upstream(first, go=(go,) if go else ()),
    )
    return Pin(
        known.name, version, (place,), known.go, ends=known.end(version), source=known.source
    )


def _of_materials() -> Iterator[Pin]:
    materials = catalog.load()
    yield _pin(["kubernetes"], materials.kubernetes, "versions.toml kubernetes")
    yield _pin(["ollama"], materials.ollama, "versions.toml ollama")
    tools = {tool.name for tool in materials.tools}
    for tool in materials.tools:
        module = tool.go if "/" in tool.go else ""
        yield _pin([tool.name], tool.version, f"versions.toml tool.{tool.name}", module)
    for build in materials.builds:
        if build.module and build.name not in tools:
            module = build.module.partition("/cmd/")[0]
            yield _pin([build.name], build.version, f"versions.toml go.{build.name}", module)
    yield from _of_images(materials)


def _of_images(materials: catalog.Materials) -> Iterator[Pin]:
    """Of both routes' images; node images are built of what is pinned as Go modules too."""
    named = [(image, f"image.{image.name}") for image in materials.images]
    named += [(materials.node, "node")]
    named += [(image, f"node_image.{image.name}") for image in materials.node_images]
    for image, place in named:
        version = numbers.of_tag(image.tags[0])
        if not version:  # `latest` is no version, and pins nothing
            continue
        pin = _pin([image.name, image.name.rpartition("/")[2]], version, f"versions.toml {place}")
        if not pin.go or image not in materials.node_images:
            pin = replace(pin, image=image.reference)
        package = upstreams()[pin.what].debian if pin.what in upstreams() else ""
        if image.base and package:
            pin = replace(pin, suite=image.base, package=package)
        yield pin


def _of_go_modules() -> Iterator[Pin]:
    for file in sorted(paths.k8s("cluster").glob("*/go.mod")):
        for module, version in direct(file.read_text()).items():
            names = [part for part in module.split("/") if not _MAJOR.fullmatch(part)]
            place = f"{file.parent.name}/go.mod {module}"
            yield _pin(names[-1:], numbers.of_module(module, version), place, module)


def direct(text: str) -> dict[str, str]:
    """Module → version of what a go.mod asks for itself: required, or the home of one of its tools.

    >>> direct('''
    ... tool example.org/tools/cmd/one
    ... require (
    ...     example.org/direct v1.2.3
    ...     example.org/tools v0.4.0 // indirect
    ...     example.org/other v0.5.0 // indirect
    ... )
    ... ''')
    {'example.org/direct': 'v1.2.3', 'example.org/tools': 'v0.4.0'}
    """
    required = re.findall(
        r"^(?:require)?[ \t]+(\S+) (v\S+)([ \t]*// indirect)?", text, re.MULTILINE
    )
    block = re.search(r"^tool \(\n(.*?)^\)", text, re.MULTILINE | re.DOTALL)
    tools = re.findall(r"\S+", block[1]) if block else []
    tools += re.findall(r"^tool ([^(\s]+)", text, re.MULTILINE)
    modules = [module for module, _, _ in required]
    homes = {
        max((m for m in modules if f"{tool}/".startswith(f"{m}/")), key=len, default="")
        for tool in tools
    }
    return {module: v for module, v, indirect in required if not indirect or module in homes}


def _of_debian() -> Iterator[Pin]:
    materials = catalog.load()
    images = [*materials.images, *materials.node_images]
    bases = {image.base for image in images if image.base} | {node_image.BASE}
    for suite in sorted(bases):
        places = [f"versions.toml base of {image.name}" for image in images if image.base == suite]
        yield replace(_pin(["debian"], suite, ""), places=tuple(places))


def _of_python() -> Iterator[Pin]:
    table = tomllib.loads(catalog.versions_file().read_text())
    yield from _of_sdists(table)
    for place, text in _requirements():
        found = _PIN.fullmatch(text)
        if found:
            yield Pin(found[1], found[2], (f"{place} {found[1]}",), pypi=found[1])


def _of_sdists(table: dict[str, Any]) -> Iterator[Pin]:
    """Of source packages of the Python index that a build in versions.toml takes."""
    for name, row in table["go"].items():
        if "sdist" in row:
            package, version = row["sdist"]["name"], row["sdist"]["version"]
            yield Pin(package, version, (f"versions.toml go.{name}.sdist",), pypi=package)


def _requirements(folder: Path = paths.PACKAGE.parent) -> list[tuple[str, str]]:
    """What pyproject.toml asks for; where labkit was installed as a package, what that asks for."""
    file = folder / "pyproject.toml"
    if not file.exists():
        asked = importlib.metadata.requires("ollama-labkit") or []
        return [("ollama-labkit", text.partition(";")[0].strip()) for text in asked]
    table = tomllib.loads(file.read_text())
    project = table["project"]
    lists = [table["build-system"]["requires"], project["dependencies"]]
    lists += project.get("optional-dependencies", {}).values()
    return [("pyproject.toml", text) for texts in lists for text in texts]
