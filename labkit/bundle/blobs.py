"""The cache's store of blobs: what a save has packed already, and what came over HTTP."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.bundle import packing
from labkit.setup.host import paths, shell


@dataclass(frozen=True)
class Blob:
    """One blob: of what is stored, and of what it was before it was packed."""

    sha256: str
    size: int
    unpacked_sha256: str
    unpacked: int


class _Counted:
    """Counts and hashes what passes."""

    def __init__(self) -> None:
        self.total, self.size = hashlib.sha256(), 0

    def of(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for data in chunks:
            shell.go_on()  # Ctrl-C in another thread
            self.total.update(data)
            self.size += len(data)
            yield data


def folder() -> Path:
    return paths.cache("bundle", "blobs")


def path(sha256: str) -> Path:
    return folder() / sha256


def has(sha256: str, size: int) -> bool:
    """Is it there whole? Each was written aside, and renamed when it was."""
    file = path(sha256)
    return file.is_file() and file.stat().st_size == size


def add(chunks: Iterable[bytes], *, packed: bool) -> Blob:
    """Store what these chunks are, compressed if `packed`; a chunk at a time."""
    folder().mkdir(parents=True, exist_ok=True)
    before, after = _Counted(), _Counted()
    aside = folder() / f".{os.getpid()}-{id(before)}"
    given = before.of(chunks)
    try:
        with aside.open("wb") as out:
            for data in after.of(packing.packed(given) if packed else given):
                out.write(data)
        aside.replace(path(after.total.hexdigest()))
    finally:
        aside.unlink(missing_ok=True)
    return Blob(after.total.hexdigest(), after.size, before.total.hexdigest(), before.size)


def once(record: Path, make: Callable[[], Blob]) -> Blob:
    """The blob that a record names, while it is stored; else one that is made, and recorded."""
    known = paths.read_json(record)
    if known and has(known["sha256"], known["size"]):
        return Blob(**known)
    made = make()
    paths.write_json(record, asdict(made))
    return made


def add_bytes(data: bytes) -> Blob:
    """Store these bytes as they are."""
    return add([data], packed=False)


def chunks(file: Path) -> Iterator[bytes]:
    """A file's bytes, a piece at a time."""
    with file.open("rb") as open_file:
        while data := open_file.read(2**20):
            yield data
