"""Compares a bundle with its list, byte by byte: which part is damaged, and no other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.bundle import layout
from labkit.bundle.layout import Part, Place
from labkit.bundle.source import Bundle, unreadable
from labkit.errors import BundleDamaged, BundleUnreadable


@dataclass(frozen=True)
class Damage:
    """What is wrong with one part, or with what stands between two."""

    name: str
    why: str
    part: Part | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


def fault(bundle: Bundle, part: Part) -> str:
    """What is wrong with a part; empty when it is what the list says.

    Raises BundleUnreadable where the whole bundle went away.
    """
    found = Compared(part)
    for data in bundle.chunks(part):
        found.add(data)
    return found.fault()


def require(bundle: Bundle, part: Part) -> None:
    """Raises BundleDamaged, with the part's name."""
    for _ in compared(bundle, part):
        pass


def compared(bundle: Bundle, part: Part) -> Iterator[bytes]:
    """A part's bytes as they come. Raises BundleDamaged after the last where they differ, and
    BundleUnreadable where a server's answer was cut.
    """
    found = Compared(part)
    for data in bundle.chunks(part):
        found.add(data)
        yield data
    if found.size < part.size and bundle.source.is_remote:
        raise unreadable(bundle.where, f"{part}: {found.fault()}")
    if why := found.fault():
        raise damaged(bundle, [Damage(str(part), why, part)])


class Compared:
    """Hashes and counts what comes of a part."""

    def __init__(self, part: Part) -> None:
        self.part, self.total, self.size = part, hashlib.sha256(), 0

    def add(self, data: bytes) -> None:
        self.total.update(data)
        self.size += len(data)

    def fault(self) -> str:
        if self.size < self.part.size:
            return f"cut after {self.size} B of {self.part.size} B"
        right = self.total.hexdigest() == self.part.sha256
        return "" if right else "its SHA-256 is another one"


def damaged(bundle: Bundle, found: list[Damage]) -> BundleDamaged:
    """The error for these."""
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return BundleDamaged(
        f"the bundle {bundle.where} is damaged",
        "; ".join(map(str, found[:3])) + more,
        f"./lab bundle verify {bundle.where} --repair FROM # another copy: a file or http://…",
    )


def every_damage(bundle: Bundle) -> Iterator[Damage]:
    """All that differs from the list: parts, and in a file also the bytes between them."""
    for part in bundle.contents.parts:
        try:
            why = fault(bundle, part)
        except BundleUnreadable as error:
            if not _is_there(bundle):
                raise
            why = error.saw
        if why:
            yield Damage(str(part), why, part)
    if bundle.source.is_file and not bundle.source.is_remote:
        yield from _between(bundle)


def _is_there(bundle: Bundle) -> bool:
    source = bundle.source
    return source.is_remote is False and Path(bundle.where).expanduser().exists()


def _between(bundle: Bundle) -> Iterator[Damage]:
    """Headers, padding and the end: tar needs them, the lab does not."""
    end = 0
    for place in bundle.places.values():
        head = Place(place.path, place.start - layout.BLOCK, layout.BLOCK)
        padding = Place(place.path, place.start + place.size, place.end - place.start - place.size)
        wanted = layout.header(place.path, place.size), bytes(padding.size)
        for which, right in zip((head, padding), wanted, strict=True):
            if b"".join(bundle.source.chunks(which)) != right:
                yield Damage(f"the tar header of {place.path}", "it is another one")
        end = place.end
    last = Place("", end, len(layout.TRAILER) + 1)
    if b"".join(bundle.source.chunks(last)) != layout.TRAILER:
        yield Damage("the end of the file", "it is cut, or something follows it")
