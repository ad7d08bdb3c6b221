"""Brings single parts of a bundle over HTTP into the cache: each continued, and each compared."""

from __future__ import annotations

import threading
from pathlib import Path

from labkit.bundle import blobs, check
from labkit.bundle.layout import Part
from labkit.bundle.source import Bundle, unreadable
from labkit.errors import BundleUnreadable
from labkit.setup.host import shell
from labkit.setup.host.poll import pause

TRIES = 4  # in a row that brought nothing
PAUSE_S = 1.0
_locks: dict[str, threading.Lock] = {}  # by SHA-256: two images can have the same layer


def part(bundle: Bundle, wanted: Part) -> Path:
    """The part's file in the cache, whole; only what is missing of it comes over the line.

    A part that came damaged is fetched once more. Raises BundleDamaged when it is damaged there
    too, and BundleUnreadable.
    """
    file = blobs.path(wanted.sha256)
    with _locks.setdefault(wanted.sha256, threading.Lock()):
        if not blobs.has(wanted.sha256, wanted.size):
            file.parent.mkdir(parents=True, exist_ok=True)
            _fetch(bundle, wanted, file)
    return file


def _fetch(bundle: Bundle, wanted: Part, file: Path) -> None:
    aside = file.with_suffix(".part")
    tries = damages = 0
    if not bundle.source.is_remote:
        check.require(bundle, wanted)  # a file that is cut is as short the next time
    while True:
        shell.go_on()
        before = _size(aside)
        try:
            whole = _receive(bundle, wanted, aside)
            missing = unreadable(bundle.where, f"{wanted}: its answer was cut each time")
        except BundleUnreadable as error:
            whole, missing = False, error
        if whole:
            aside.replace(file)
            return
        if _size(aside) >= wanted.size:
            aside.unlink()  # all of it came, and it is not what it should be
            damages += 1
            if damages == 2:
                why = "its SHA-256 is another one, twice"
                raise check.damaged(bundle, [check.Damage(str(wanted), why, wanted)])
            continue
        tries = 1 if _size(aside) > before else tries + 1
        if tries == TRIES:
            raise missing
        pause(PAUSE_S * tries)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _receive(bundle: Bundle, wanted: Part, aside: Path) -> bool:
    """Continue the file aside; is it now what the list says?"""
    found = check.Compared(wanted)
    if aside.exists():
        for data in blobs.chunks(aside):
            found.add(data)
    if found.size < wanted.size:
        with aside.open("ab") as out:
            for data in bundle.chunks(wanted, found.size):
                shell.go_on()
                out.write(data)
                found.add(data)
    return not found.fault()
