"""An image out of a bundle, into the container engine: what `docker load` reads, as a stream."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from labkit.bundle.layout import BLOCK, Part
from labkit.errors import BuildFailed, BundleDamaged, NotEnoughDisk
from labkit.setup.host import shell, speed
from labkit.setup.host.poll import Poll

LOAD_S = 900
LOOK_S = 0.5
Read = Callable[[Part], Iterator[bytes]]  # a part's bytes, compared with the list before


def config_of(manifest: bytes) -> str:
    """The SHA-256 of an image's config: its id in the engine."""
    return str(json.loads(manifest)["config"]["digest"])


def needed(manifest: bytes, every: dict[str, Part]) -> list[Part]:
    """The parts of an image besides its manifest, config first.

    `every` is by SHA-256. Raises BundleDamaged for one that the bundle does not have.
    """
    told = json.loads(manifest)
    wanted = [row["digest"].removeprefix("sha256:") for row in (told["config"], *told["layers"])]
    missing = [digest for digest in wanted if digest not in every]
    if missing:
        raise BundleDamaged(
            "an image of the bundle is not whole", f"no blob {missing[0]}", "save the bundle again"
        )
    return [every[digest] for digest in wanted]


def archive(parts: list[Part], tags: list[str], read: Read) -> Iterator[bytes]:
    """The archive of one image: `parts` as `needed` gives them.

    The layers stay compressed: `docker load` looks what they are.
    """
    config, *layers = parts
    names = [f"{part.sha256}.tar" for part in layers]
    told = [{"Config": f"{config.sha256}.json", "RepoTags": tags, "Layers": names}]
    data = b"".join(read(config))
    yield from _member(f"{config.sha256}.json", len(data), iter([data]))
    for name, part in dict(zip(names, layers, strict=True)).items():
        yield from _member(name, part.size, read(part))
    data = json.dumps(told).encode()
    yield from _member("manifest.json", len(data), iter([data]))
    yield bytes(2 * BLOCK)


def _member(name: str, size: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size = size
    yield info.tobuf(tarfile.GNU_FORMAT)  # a layer may have more than 8 GiB
    left = size
    for data in chunks:
        left -= len(data)
        yield data
    if left:
        raise BundleDamaged(
            f"{name} is not as long as the bundle's list says",
            f"{size - left} B of {size} B",
            "save the bundle again",
        )
    yield bytes(-size % BLOCK)


def load(chunks: Iterator[bytes], log: Path) -> None:
    """Hand an archive to `docker load`. Raises BuildFailed, NotEnoughDisk; the engine keeps none
    of an image that did not come whole.
    """
    with log.open("ab", buffering=0) as out:
        out.write(b"$ docker load\n")
        words = ["docker", "load", "--quiet"]
        process = subprocess.Popen(words, bufsize=0, stdin=subprocess.PIPE, stdout=out, stderr=out)
    assert process.stdin
    os.set_blocking(process.stdin.fileno(), False)  # an engine may stop reading
    try:
        with contextlib.suppress(BrokenPipeError):  # it ended: its log says why
            for data in chunks:
                _hand_over(process.stdin, data, log)
    except BaseException:
        _end(process)  # before its input ends, which it would take for the archive's end
        raise
    finally:
        process.stdin.close()
    code = _wait(process, log)
    said = shell.last_line(log.read_text(errors="replace"))
    if code and "no space left" in said:
        hint = "free some space there, then the same command again"
        raise NotEnoughDisk("the engine has no space left for an image", said, hint)
    if code:
        hint = "fix it, then the same command again: it continues from here"
        raise BuildFailed(f"docker load ended with exit code {code}", said, hint, log=log)


def _hand_over(pipe: IO[bytes], data: bytes, log: Path) -> None:
    """Write all of it. Raises TimedOut when the engine reads none of it, and CommandFailed when
    everything is being ended.
    """
    poll, rest = Poll(speed.deadline(LOAD_S), every_s=0), memoryview(data)
    while rest:
        shell.go_on()
        if select.select([], [pipe], [], LOOK_S)[1]:
            rest = rest[pipe.write(rest) or 0 :]
        else:
            poll.not_yet(
                f"docker load read nothing for {poll.limit_s:.0f} s",
                "it has a part of the image",
                f"read {log}, then the same command again",
            )


def _wait(process: subprocess.Popen, log: Path) -> int:
    """Its exit code. Raises TimedOut, and CommandFailed when everything is being ended."""
    poll = Poll(speed.deadline(LOAD_S), every_s=0.1)
    try:
        while process.poll() is None:
            shell.go_on()
            poll.not_yet(
                f"docker load did not end within {poll.limit_s:.0f} s",
                "it had the whole image",
                f"read {log}, then the same command again",
            )
    except BaseException:
        _end(process)
        raise
    return process.returncode


def _end(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
