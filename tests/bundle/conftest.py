"""A small bundle of real parts: wheels that pip installs, a program, two images with one base."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.bundle import blobs, images_in, layout, save, source
from labkit.bundle.identity import inputs
from labkit.bundle.layout import Contents, Part
from labkit.setup.build import catalog
from tests.bundle.made import BASE, docker_archive, tarred, wheel

MADE = "2026-11-30T12:00:00Z\n"
REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    """The parts of a small bundle, all in the cache."""
    parts = [_stored("project", "labkit", b"the project", at=layout.PROJECT)]
    parts += [_stored("wheel", f"{name}-1-py3-none-any.whl", wheel(name)) for name in ("a", "b")]
    program = blobs.add([b"#!/bin/sh\necho v0.33.0\n"], packed=True)
    parts.append(
        Part("tool", "kind", "0.33.0", "MIT", program.sha256, program.size, program.unpacked)
    )
    for reference, own in (("haproxy:2.6.12", b"haproxy" * 999), ("registry:2.8.2", b"r" * 70_000)):
        archive, _ = docker_archive(tmp_path, reference, [BASE, tarred({"own": own})])
        parts += images_in.parts(archive, reference, "1", "MIT")
    parts = save._each_once(parts)
    manifests = [part for part in parts if part.kind == "manifest"]
    parts.append(_stored("oci", layout.OCI, save.LAYOUT, at=layout.OCI))
    index = images_in.index(manifests)
    parts.append(_stored("oci", layout.INDEX, index, at=layout.INDEX))
    requirements = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    about = ("0.1.0", inputs(), requirements, "-".join(catalog.target()), "1.37.2", "0.34.2")
    return Contents(*about, ("3.11", "3.12"), tuple(parts))


def _stored(kind: str, name: str, data: bytes, at: str = "") -> Part:
    blob = blobs.add([data], packed=False)
    return Part(kind, name, "1", "MIT", blob.sha256, blob.size, at=at)


@pytest.fixture
def file(contents: Contents, tmp_path: Path) -> Path:
    """The same as one file; the cache is empty again, as on another machine."""
    target = tmp_path / "small.lab"
    save.write(contents, target, MADE)
    for blob in blobs.folder().iterdir():
        blob.unlink()
    return target


@pytest.fixture
def ranges(answering) -> Callable[..., str]:
    """Serves a file with ranges; `change(data, first, asked)` may change what an answer carries."""

    def serve(file: Path, change=lambda data, first, asked: data) -> str:
        asked: list[int] = []

        def answer(handler) -> None:
            data = file.read_bytes()
            first, _, last = handler.headers["Range"].removeprefix("bytes=").partition("-")
            body = data[int(first) : int(last) + 1]
            asked.append(int(first))
            whole = len(body)
            body = change(body, int(first), asked)
            handler.send_response(206)
            handler.send_header("Content-Length", str(whole))
            handler.end_headers()
            handler.wfile.write(body)
            if len(body) < whole:
                handler.close_connection = True

        return f"{answering(answer)}/small.lab"

    return serve


@pytest.fixture
def opened(file: Path) -> source.Bundle:
    return source.opened(str(file))
