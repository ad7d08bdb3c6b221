"""Writes single damaged parts again, from another copy of the same bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

from labkit.bundle import blobs, fetch, layout
from labkit.bundle.check import Damage
from labkit.bundle.layout import Part
from labkit.bundle.source import Bundle
from labkit.errors import Unsupported


def repair(bundle: Bundle, found: list[Damage], other: Bundle) -> list[str]:
    """Replace these parts in a bundle's file or folder, and what stands between; their names.

    Raises Unsupported when the other is not a copy of it, BundleDamaged when the part is
    damaged there as well.
    """
    if bundle.source.is_remote or bundle.contents != other.contents:
        raise Unsupported(
            f"{bundle.where} cannot be repaired from {other.where}",
            "a server's bundle cannot be written"
            if bundle.source.is_remote
            else "the two lists differ: they were saved of different things",
            "copy the whole file again",
        )
    damaged = [one.part for one in found if one.part]
    for part in damaged:
        file = fetch.part(other, part)
        _write(bundle, part, file)
        file.unlink()
    if bundle.source.is_file:
        _write_between(bundle)
    return list(dict.fromkeys(one.name for one in found))


def _write(bundle: Bundle, part: Part, file: Path) -> None:
    where = Path(bundle.where).expanduser()
    if bundle.source.is_file:
        with where.open("r+b") as out:
            out.seek(bundle.places[part.path].start)
            for data in blobs.chunks(file):
                out.write(data)
    else:
        aside = where / f"{part.path}.part"
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, aside)
        aside.replace(where / part.path)


def _write_between(bundle: Bundle) -> None:
    """Headers, padding and the end, which all follow from the list."""
    with Path(bundle.where).expanduser().open("r+b") as out:
        for place in bundle.places.values():
            out.seek(place.start - layout.BLOCK)
            out.write(layout.header(place.path, place.size))
            out.seek(place.start + place.size)
            out.write(bytes(place.end - place.start - place.size))
        out.write(layout.TRAILER)
        out.truncate()
