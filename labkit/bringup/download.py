"""Downloads one file and checks it before anything can use it."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

from labkit.bringup import shell
from labkit.errors import ChecksumWrong, DownloadFailed

SILENCE_S = 30
WHOLE_S = 1800


def fetch(url: str, target: Path, *, sha256: str = "", publisher: str = "") -> str:
    """Download `url` to `target`; returns its SHA-256.

    Compared with `sha256`, else with the checksum file that the `publisher` offers (a URL;
    empty: there is none). Written aside and renamed, so `target` is whole or not there.
    Raises DownloadFailed, ChecksumWrong.
    """
    wanted = sha256 or (_published(publisher) if publisher else "")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        found = _receive(url, aside)
        if wanted and found != wanted:
            raise ChecksumWrong(
                f"{url} is not the file it should be",
                f"sha256 {found}, wanted {wanted}",
                "something between here and the publisher changed it: try another network",
            )
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return found


def _receive(url: str, target: Path) -> str:
    """Write what the URL answers; its SHA-256. A cut answer is an error, checksum or not."""
    total, received = hashlib.sha256(), 0
    deadline = time.monotonic() + WHOLE_S
    with _open(url) as answer, target.open("wb") as file:
        while True:
            try:
                part = answer.read(1 << 20)
            except (OSError, http.client.HTTPException) as error:
                raise _failed(url, error) from None
            if not part:
                break
            shell.go_on()
            if time.monotonic() > deadline:
                raise _failed(url, TimeoutError(f"not whole after {WHOLE_S} s"))
            file.write(part)
            total.update(part)
            received += len(part)
        expected = answer.headers.get("Content-Length")
    if expected is not None and received != int(expected):
        raise _failed(url, EOFError(f"cut after {received} of {expected} bytes"))
    return total.hexdigest()


def _published(url: str) -> str:
    with _open(url) as answer:
        text = answer.read(10_000).decode(errors="replace")
    found = re.search(r"\b[0-9a-f]{64}\b", text)
    if not found:
        raise DownloadFailed(
            f"{url} holds no checksum", text.strip()[:80] or "an empty file", "try again later"
        )
    return found[0]


def _open(url: str):
    try:
        return urllib.request.urlopen(url, timeout=SILENCE_S)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _failed(url, error) from None


def _failed(url: str, error: Exception) -> DownloadFailed:
    saw = str(error)
    if isinstance(error, urllib.error.HTTPError):
        saw = f"HTTP {error.code}"
        error.close()
    return DownloadFailed(
        f"{url} could not be downloaded",
        saw,
        "check the network, or build from packages: ./lab up --route packages",
    )
