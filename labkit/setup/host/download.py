"""Downloads one file and checks it before anything can use it."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from labkit.errors import ChecksumWrong, DownloadFailed
from labkit.setup.host import shell, web
from labkit.ui import units

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
    total = hashlib.sha256()
    deadline = time.monotonic() + WHOLE_S
    with _open(url) as parts, target.open("wb") as file:
        for part in parts:
            shell.go_on()
            if time.monotonic() > deadline:
                raise _failed(url, f"not whole after {WHOLE_S} s")
            file.write(part)
            total.update(part)
    return total.hexdigest()


def _published(url: str) -> str:
    with _open(url, 10_000) as parts:
        text = next(parts, b"").decode(errors="replace")
    found = re.search(r"\b[0-9a-f]{64}\b", text)
    if not found:
        raise DownloadFailed(
            f"{url} holds no checksum", text.strip()[:80] or "an empty file", "try again later"
        )
    return found[0]


@contextmanager
def _open(url: str, size: int | None = None) -> Iterator[Iterator[bytes]]:
    """The answer in pieces of that size; whatever is wrong with it is DownloadFailed.

    A file:// URL names what is on this machine already.
    """
    import httpx

    if url.startswith("file://"):
        try:
            data = Path(unquote(urlsplit(url).path)).read_bytes()
        except OSError as error:
            raise _failed(url, str(error)) from None
        yield iter([data])
        return
    answer = None
    try:
        with web.client(SILENCE_S) as client, client.stream("GET", url) as answer:
            if not answer.is_success:
                raise _failed(url, f"HTTP {answer.status_code}")
            yield answer.iter_raw(size)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        saw = str(error) or type(error).__name__
        expected = answer.headers.get("Content-Length") if answer else None
        if expected and isinstance(error, httpx.RemoteProtocolError):
            saw = f"cut after {answer.num_bytes_downloaded} of {units.count(expected, 'byte')}"
        raise _failed(url, saw) from None


def _failed(url: str, saw: str) -> DownloadFailed:
    return DownloadFailed(
        f"{url} could not be downloaded",
        saw,
        "check the network, or build from packages: ./lab up --route packages",
    )
