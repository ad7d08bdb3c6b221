"""Downloads one file and checks it before anything can use it."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from labkit.errors import ChecksumWrong, DownloadFailed

SILENCE_S = 30


def fetch(url: str, target: Path, *, sha256: str = "", publisher: str = "") -> str:
    """Download `url` to `target`; returns its SHA-256.

    Compared with `sha256`, else with the checksum file that the `publisher` offers (a URL;
    empty: there is none). Written aside and renamed, so `target` is whole or not there.
    Raises DownloadFailed, ChecksumWrong.
    """
    wanted = sha256 or (_published(publisher) if publisher else "")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".download-") as aside:
        with _open(url) as answer:
            try:
                shutil.copyfileobj(answer, aside, 1 << 20)
            except OSError as error:
                raise _failed(url, error) from None
        aside.flush()
        found = hashlib.sha256(Path(aside.name).read_bytes()).hexdigest()
        if wanted and found != wanted:
            raise ChecksumWrong(
                f"{url} is not the file it should be",
                f"sha256 {found}, wanted {wanted}",
                "something between here and the publisher changed it: try another network",
            )
        shutil.copyfile(aside.name, f"{aside.name}.whole")
        Path(f"{aside.name}.whole").replace(target)
    return found


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
    except (OSError, ValueError) as error:
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
