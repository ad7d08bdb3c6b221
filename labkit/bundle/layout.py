"""How a bundle is laid out: a tar file of an OCI image layout, whose first member lists the rest.

::

    labkit.json           every part: what it is, version, licence, size, SHA-256
    labkit.json.sha256    of that list, as sha256sum writes it
    made                  when it was saved: all that differs between two saves of the same
    labkit.tar.gz         the project itself, for a machine without a clone
    oci-layout            what makes the rest an OCI image layout: images, and blobs of other kinds
    index.json
    blobs/sha256/…

All headers follow from the list, so a reader needs no other index: it knows where each part is, in
a file, behind an HTTP server, or in the folder that `tar -xf` makes of it. Standard library only,
like `source` and `wheels`: they are read before `.venv` is there.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from labkit.errors import BundleDamaged, Unsupported

FORMAT = 1
LIST, DIGEST, MADE = "labkit.json", "labkit.json.sha256", "made"
PROJECT, OCI, INDEX = "labkit.tar.gz", "oci-layout", "index.json"
BLOCK = 512  # of tar
MADE_BYTES = len("2026-01-31T12:00:00Z\n")
LIST_LIMIT = 16 * 2**20
SIZE_LIMIT = 8**11 - 1  # bytes of a member: eleven octal digits
TRAILER = bytes(2 * BLOCK)
_FILE_NAME = re.compile(r"(?!\.\.?$)[\w.+-]+")
_TIME = re.compile(rb"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ\n")


@dataclass(frozen=True, order=True)
class Part:
    """One part of a bundle, as it is stored."""

    kind: str  # project, oci, wheel, tool, manifest, config or layer
    name: str  # what a person calls it: "httpx-0.28.1-py3-none-any.whl", "ollama/ollama:0.34.2"
    version: str
    licence: str  # an SPDX expression, or where it is written
    sha256: str
    size: int  # bytes in the bundle
    unpacked: int = 0  # bytes without compression; 0: stored as it is
    at: str = ""  # its path, where it is not that of a blob

    @property
    def path(self) -> str:
        return self.at or f"blobs/sha256/{self.sha256}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Contents:
    """What the list of a bundle says."""

    labkit: str  # version
    inputs: str  # a hash of the versions and images that this labkit asks for
    requirements: str  # the SHA-256 of its requirements.txt
    target: str  # "linux-amd64"
    kubernetes: str
    ollama: str
    pythons: tuple[str, ...]  # "3.11": those that it has wheels for
    parts: tuple[Part, ...]

    def of(self, *kinds: str) -> list[Part]:
        return [part for part in self.parts if part.kind in kinds]

    @property
    def size(self) -> int:
        """Bytes of the parts, without the little that tar adds."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True)
class Place:
    """Where a member's bytes are in the file."""

    path: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """Where its padding ends and the next header begins."""
        return self.start + -(-self.size // BLOCK) * BLOCK


def listed(contents: Contents) -> bytes:
    """The list's own bytes: the same for the same contents."""
    return (json.dumps({"format": FORMAT, **asdict(contents)}, indent=1) + "\n").encode()


def digest_line(text: bytes) -> bytes:
    """What stands beside the list: `sha256sum --check` reads it."""
    return f"{hashlib.sha256(text).hexdigest()}  {LIST}\n".encode()


def read(text: bytes, line: bytes, made: bytes, where: str) -> Contents:
    """The contents of a list that is whole. Raises BundleDamaged, Unsupported."""
    if digest_line(text) != line:
        raise _damaged(where, LIST, "its SHA-256 is another one")
    if not _TIME.fullmatch(made):
        raise _damaged(where, MADE, "it is not a time")
    try:
        told = json.loads(text)
        if told["format"] != FORMAT:
            raise Unsupported(
                f"{where} is a bundle of another format",
                f"format {told['format']}; this labkit reads format {FORMAT}",
                "use the labkit that saved it, or save it again with this one",
            )
        parts = tuple(Part(**row) for row in told["parts"])
        names = {field.name for field in fields(Contents)} - {"parts", "pythons"}
        contents = Contents(
            **{name: str(told[name]) for name in names},
            pythons=tuple(told["pythons"]),
            parts=parts,
        )
        _require_sound(parts)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(where, LIST, f"it is not a list of parts: {error}") from None
    return contents


def _require_sound(parts: tuple[Part, ...]) -> None:
    """Raises ValueError for a part that could be written to another place than its own."""
    paths = [part.path for part in parts]
    if len(set(paths)) < len(paths):
        raise ValueError("a path is there twice")
    for part in parts:
        if not re.fullmatch(r"[0-9a-f]{64}", part.sha256) or part.size < 0:
            raise ValueError(f"{part} has no SHA-256 or no size")
        if part.size > SIZE_LIMIT:
            raise ValueError(f"{part} has {part.size} B, and tar's header has place for 8 GiB")
        if part.at not in ("", PROJECT, OCI, INDEX):
            raise ValueError(f"{part.at} is not a place of a bundle")
        if part.kind in ("wheel", "tool") and not _FILE_NAME.fullmatch(part.name):
            raise ValueError(f"{part.name!r} is not a file name")


def _damaged(where: str, name: str, why: str) -> BundleDamaged:
    return BundleDamaged(f"{where} is damaged", f"{name}: {why}", "copy or save the bundle again")


def header(path: str, size: int) -> bytes:
    """The tar header of a member; nothing in it depends on who made it, or when."""
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.USTAR_FORMAT)


def places(list_size: int, parts: tuple[Part, ...]) -> Iterator[Place]:
    """Each member in the order of the file."""
    members = [(LIST, list_size), (DIGEST, len(digest_line(b""))), (MADE, MADE_BYTES)]
    members += [(part.path, part.size) for part in parts]
    at = 0
    for path, size in members:
        place = Place(path, at + BLOCK, size)
        yield place
        at = place.end


def list_size(first: bytes) -> int:
    """How long the list is, by the file's first block; 0 where that is not a bundle's."""
    try:
        size = tarfile.TarInfo.frombuf(first, "utf-8", "strict").size
    except tarfile.HeaderError:
        return 0
    return size if 0 <= size <= LIST_LIMIT and first == header(LIST, size) else 0
