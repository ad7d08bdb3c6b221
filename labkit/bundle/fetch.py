"""Brings single parts of a bundle over HTTP into the cache: each continued, and each compared."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from labkit.bundle import blobs, check
from labkit.bundle.layout import Part
from labkit.bundle.source import Bundle
from labkit.errors import BundleUnreadable
from labkit.setup.host import shell

TRIES = 4
PAUSE_S = 1.0


def part(bundle: Bundle, wanted: Part) -> Path:
    """The part's file in the cache, whole; only what is missing of it comes over the line.

    A part that came damaged is fetched once more. Raises BundleDamaged when it is damaged there
    too, and BundleUnreadable.
    """
    file = blobs.path(wanted.sha256)
    if blobs.has(wanted.sha256, wanted.size):
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(".part")
    damages = 0
    for attempt in range(1, TRIES + 1):
        try:
            whole = _receive(bundle, wanted, aside)
        except BundleUnreadable:
            if attempt == TRIES:
                raise
            time.sleep(PAUSE_S * attempt)
            continue
        if whole:
            aside.replace(file)
            return file
        if aside.stat().st_size >= wanted.size:
            aside.unlink()  # all of it came, and it is not what it should be
            damages += 1
            if damages == 2:
                break
    why = "its SHA-256 is another one, twice" if damages else "it was cut each time"
    raise check.damaged(bundle, [check.Damage(str(wanted), why, wanted)])


def _receive(bundle: Bundle, wanted: Part, aside: Path) -> bool:
    """Continue the file aside; is it now what the list says?"""
    total, size = hashlib.sha256(), 0
    if aside.exists():
        for data in blobs.chunks(aside):
            total.update(data)
            size += len(data)
    if size < wanted.size:
        with aside.open("ab") as out:
            for data in bundle.chunks(wanted, size):
                shell.go_on()
                out.write(data)
                total.update(data)
                size += len(data)
    return size == wanted.size and total.hexdigest() == wanted.sha256
