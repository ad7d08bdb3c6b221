"""Saves a bundle: the parts are packed into the cache one by one, then written as one file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import labkit
from labkit.bundle import blobs, images_in, layout, licences, packing, project, python_wheels
from labkit.bundle.identity import inputs
from labkit.bundle.layout import Contents, Part
from labkit.errors import NotUp
from labkit.setup.build import catalog, images, tools
from labkit.setup.host import docker, machine, paths, shell, speed
from labkit.setup.host.progress import Reporter

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SAVE_S = 900
LAYOUT = b'{"imageLayoutVersion": "1.0.0"}\n'


def save(target: Path, reporter: Reporter, pythons: tuple[str, ...] = PYTHONS) -> Contents:
    """Write the bundle of the lab that is on this machine; what it holds.

    Interrupted, the next call continues. Raises NotUp when the lab's images or tools are not all
    here, Unsupported outside of a clone, DownloadFailed, NotEnoughDisk.
    """
    folder = project.root()
    found = _require_all()
    sizes = [row["Size"] for row in found.values()]
    machine.disk(paths.cache(), max(sizes) + sum(sizes) // 2)
    parts = [_plain("project", "labkit", "Apache-2.0", project.packed(folder), layout.PROJECT)]
    parts += _wheels(folder / "requirements.txt", pythons, reporter)
    parts += _tools(reporter)
    parts += _images(found, reporter)
    manifests = [part for part in parts if part.kind == "manifest"]
    parts.append(_plain("oci", layout.OCI, "", LAYOUT, layout.OCI))
    parts.append(_plain("oci", layout.INDEX, "", images_in.index(manifests), layout.INDEX))
    contents = Contents(
        labkit=labkit.__version__,
        inputs=inputs(),
        requirements=hashlib.sha256((folder / "requirements.txt").read_bytes()).hexdigest(),
        target="-".join(catalog.target()),
        kubernetes=catalog.load().kubernetes,
        ollama=catalog.load().ollama,
        pythons=pythons,
        parts=tuple(_each_once(parts)),
    )
    machine.disk(target, contents.size + 2**20)
    with reporter.task(f"write {target.name}"):
        write(contents, target, time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))
    return contents


def _require_all() -> dict[str, dict]:
    """What the engine says of each image of the lab, by reference."""
    docker.version()
    names = [image.reference for image in images.wanted()]
    found = docker.inspect("image", *names)
    missing = [name for name in names if name not in found]
    missing += [tool.name for tool in catalog.load().tools if not tools.path(tool.name).exists()]
    if missing:
        raise NotUp(
            "a bundle is saved of the images and tools on this machine, and not all are here",
            f"missing: {', '.join(missing)}",
            "./lab up, then ./lab bundle save FILE",
        )
    return found


def _plain(kind: str, name: str, licence: str, data: bytes, at: str) -> Part:
    blob = blobs.add_bytes(data)
    version = labkit.__version__ if kind == "project" else ""
    return Part(kind, name, version, licence, blob.sha256, blob.size, at=at)


def _wheels(requirements: Path, pythons: Iterable[str], reporter: Reporter) -> Iterator[Part]:
    for python in pythons:
        with reporter.task(f"packages for Python {python}") as task:
            files = python_wheels.downloaded(requirements, python)
            task.note(f"{len(files)} wheels")
        for file in files:
            blob = blobs.add(blobs.chunks(file), packed=False)
            version = file.name.split("-")[1]
            licence = licences.of_wheel(file)
            yield Part("wheel", file.name, version, licence, blob.sha256, blob.size)


def _tools(reporter: Reporter) -> Iterator[Part]:
    for tool in catalog.load().tools:
        program = tools.path(tool.name).resolve()
        with reporter.task(f"pack {tool.name} {tool.version}", quiet=True):
            blob = _packed_once(program)
        about = (tool.name, tool.version, licences.OF_TOOLS[tool.name])
        yield Part("tool", *about, blob.sha256, blob.size, blob.unpacked)


def _packed_once(program: Path) -> blobs.Blob:
    with program.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    record = paths.cache("bundle", "tools", f"{digest}.{packing.NAME}.json")
    return blobs.once(record, lambda: blobs.add(blobs.chunks(program), packed=True))


def _images(found: dict[str, dict], reporter: Reporter) -> Iterator[Part]:
    # what the first answer needs comes first, for a reader of a slow line
    for image in sorted(images.wanted(), key=lambda image: not image.answer):
        with reporter.task(f"pack {image.reference}"):
            yield from _image(image, found[image.reference]["Id"])


def _image(image: catalog.Image, known_id: str) -> list[Part]:
    record = paths.cache("bundle", "images", f"{known_id.replace(':', '-')}.{packing.NAME}.json")
    rows = paths.read_json(record).get("parts", ())
    parts = [Part(**row) for row in rows]
    if parts and all(blobs.has(part.sha256, part.size) for part in parts):
        return parts
    with paths.temporary("bundle") as folder:
        archive = folder / "image.tar"
        log = paths.log_file(f"save-{image.path}")
        words = ("docker", "save", "--output", archive, image.reference)
        shell.run(*words, log=log, timeout_s=speed.deadline(SAVE_S))
        licence = licences.of_image(image.name, image.base)
        parts = images_in.parts(archive, image.reference, image.tags[0], licence)
    paths.write_json(record, {"parts": [asdict(part) for part in parts]})
    return parts


def _each_once(parts: list[Part]) -> list[Part]:
    """Without what another image, or another Python, has as well: the first keeps its name."""
    found: dict[str, Part] = {}
    for part in parts:
        found.setdefault(part.path, part)
    return list(found.values())


def write(contents: Contents, target: Path, made: str) -> None:
    """Write the file aside, then rename; every part comes from the cache."""
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with aside.open("wb") as out:
            for data in _members(contents, made.encode()):
                shell.go_on()
                out.write(data)
            out.flush()
            os.fsync(out.fileno())  # a stick is pulled out as soon as the command ends
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _members(contents: Contents, made: bytes) -> Iterator[bytes]:
    text = layout.listed(contents)
    own = {layout.LIST: text, layout.DIGEST: layout.digest_line(text), layout.MADE: made}
    of_path = {part.path: part for part in contents.parts}
    for place in layout.places(len(text), contents.parts):
        yield layout.header(place.path, place.size)
        if place.path in own:
            yield own[place.path]
        else:
            yield from blobs.chunks(blobs.path(of_path[place.path].sha256))
        yield bytes(place.end - place.start - place.size)
    yield layout.TRAILER
