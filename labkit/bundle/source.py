"""Reads the parts of a bundle: from a file, from its folder, or from an HTTP server of either."""

from __future__ import annotations

import http.client
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from labkit.bundle import layout
from labkit.bundle.layout import Contents, Part, Place
from labkit.errors import BundleDamaged, BundleUnreadable
from labkit.setup.host.poll import pause

CHUNK = 2**20
SILENCE_S = 30.0
BUSY_S = 900.0  # as long as a server may have no place for this laptop
LOOK_S = 5.0  # between two looks at whether everything is being ended
LOCAL = ("127.0.0.1", "localhost")


class Source(Protocol):
    """Somewhere with a bundle's bytes."""

    @property
    def is_file(self) -> bool:
        """One file, so that its headers can be compared too."""

    @property
    def is_remote(self) -> bool:
        """Behind a server."""

    def chunks(self, place: Place, start: int = 0) -> Iterator[bytes]:
        """The bytes of a member from `start` on. Raises OSError; an early end is only an end."""


@dataclass(frozen=True)
class File:
    """A bundle's file on this machine."""

    path: Path
    is_file = True
    is_remote = False

    def chunks(self, place: Place, start: int = 0) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(place.start + start)
            yield from _pieces(file, place.size - start)


@dataclass(frozen=True)
class Folder:
    """What `tar -xf` made of it."""

    path: Path
    is_file = False
    is_remote = False

    def chunks(self, place: Place, start: int = 0) -> Iterator[bytes]:
        with (self.path / place.path).open("rb") as file:
            file.seek(start)
            yield from _pieces(file, place.size - start)


@dataclass(frozen=True)
class Web:
    """A bundle's file behind an HTTP server that answers ranges, or its folder behind any."""

    url: str
    code: str = ""  # the one-time code of `./lab bundle serve`
    is_remote = True

    @property
    def is_file(self) -> bool:
        return not self.url.endswith("/")

    def chunks(self, place: Place, start: int = 0) -> Iterator[bytes]:
        url, first = (self.url, place.start) if self.is_file else (self.url + place.path, 0)
        if place.size == start:
            return
        first += start
        last = first + place.size - start - 1
        request = urllib.request.Request(url, headers={"Range": f"bytes={first}-{last}"})
        if self.code:
            request.add_header("Authorization", f"Bearer {self.code}")
        try:
            with _when_free(_opener(url), request) as answer:
                if answer.status != 206 and not self.is_file:
                    for _ in _pieces(answer, start):  # all of it comes again
                        pass
                elif answer.status != 206 and first:
                    raise OSError(
                        "the server does not answer ranges: serve the folder that `tar -xf` makes"
                        " of the bundle, or use ./lab bundle serve"
                    )
                yield from _pieces(answer, place.size - start)
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"{type(error).__name__}: {error}") from None


def _when_free(opener: urllib.request.OpenerDirector, request: urllib.request.Request):
    """The answer, after a wait where the server has no free place: `Retry-After`."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            return opener.open(request, timeout=SILENCE_S)
        except urllib.error.HTTPError as error:
            with error:
                asked = error.headers.get("Retry-After", "")
                if error.code != 503 or not asked.isdecimal() or time.monotonic() > deadline:
                    raise
            _pause(min(max(int(asked), 1), BUSY_S))


def _pause(seconds: float) -> None:
    """Wait, and end with the other jobs."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        pause(min(left, LOOK_S))


def _opener(url: str) -> urllib.request.OpenerDirector:
    is_local = urlsplit(url).hostname in LOCAL
    handlers = [urllib.request.ProxyHandler({})] if is_local else []
    return urllib.request.build_opener(*handlers)


def _pieces(file, size: int) -> Iterator[bytes]:
    while size and (data := file.read(min(size, CHUNK))):
        size -= len(data)
        yield data


@dataclass(frozen=True)
class Bundle:
    """An open bundle: what it holds, and where each part is."""

    where: str
    source: Source
    contents: Contents
    made: str
    places: dict[str, Place]

    def chunks(self, part: Part, start: int = 0) -> Iterator[bytes]:
        """A part's bytes as they come, not compared with anything.

        Raises BundleUnreadable where they do not come at all.
        """
        try:
            yield from self.source.chunks(self.places[part.path], start)
        except OSError as error:
            raise unreadable(self.where, f"{part}: {error}") from None


def find(where: str, code: str = "") -> Source:
    """Who has the bundle at this path or URL."""
    if where.startswith(("http://", "https://")):
        return Web(where, code)
    path = Path(where).expanduser()
    return Folder(path) if path.is_dir() else File(path)


def opened(where: str, code: str = "") -> Bundle:
    """The bundle at a path or URL; its list is read and compared, its parts are not.

    Raises BundleUnreadable, BundleDamaged, Unsupported.
    """
    source = find(where, code)
    try:
        size = _list_size(source, where)
        first, second, third = (b"".join(source.chunks(place)) for place in layout.places(size, ()))
    except OSError as error:
        raise unreadable(where, str(error)) from None
    if not source.is_file:
        size = len(first)
    contents = layout.read(first, second, third, where)
    places = {place.path: place for place in layout.places(size, contents.parts)}
    return Bundle(where, source, contents, third.decode().strip(), places)


def _list_size(source: Source, where: str) -> int:
    if not source.is_file:
        return layout.LIST_LIMIT
    block = b"".join(source.chunks(Place("", 0, layout.BLOCK)))
    size = layout.list_size(block)
    if not size:
        raise BundleDamaged(
            f"{where} is not a bundle, or its beginning is damaged",
            f"it does not begin with {layout.LIST}",
            "./lab bundle save FILE makes one",
        )
    return size


def unreadable(where: str, saw: str) -> BundleUnreadable:
    """The error for a bundle that does not answer, or not whole."""
    return BundleUnreadable(
        f"the bundle {where} cannot be read",
        saw,
        "bring it back (the stick, the server, the right path), then the same command again:"
        " it continues from here",
    )


def absolute(where: str) -> str:
    """The same place, from whatever folder it is named."""
    return where if "://" in where else str(Path(where).expanduser().absolute())


def how_to_unpack(bundle: Bundle) -> str:
    """The line that gets the project out of a bundle, without the rest of it."""
    where, project = bundle.where, layout.PROJECT
    if isinstance(bundle.source, Folder):
        return f"tar -xzf {shlex.quote(f'{where}/{project}')}"
    if isinstance(bundle.source, File):
        return f"tar -xOf {shlex.quote(where)} {project} | tar -xz"
    words = ["curl", "-sSf", "--retry", "99"]
    if code := getattr(bundle.source, "code", ""):
        words += ["-H", f"Authorization: Bearer {code}"]
    if not bundle.source.is_file:
        return f"{shlex.join([*words, where + project])} | tar -xz"
    words += ["-r", f"0-{bundle.places[project].end - 1}", where]
    return f"{shlex.join(words)} | tar -xO {project} | tar -xz"
