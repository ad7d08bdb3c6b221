"""The project itself, packed for a machine that has no clone of it."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from labkit.errors import Unsupported
from labkit.setup.host import paths

NAMES = (
    *("lab", "labkit", "k8s", "notebooks", "docs", "pyproject.toml", "requirements.txt"),
    *("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md"),
)
LEFT_OUT = ("__pycache__", "results-")


def root() -> Path:
    """The clone's folder. Raises Unsupported where labkit was installed as a package."""
    folder = paths.PACKAGE.parent
    if not (folder / "lab").is_file():
        raise Unsupported(
            "a bundle is saved from a clone of the project", f"no {folder / 'lab'}", "git clone"
        )
    return folder


def packed(folder: Path) -> bytes:
    """A .tar.gz of what a lab needs of the project: the same bytes for the same files."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for file in _files(folder):
            info = tarfile.TarInfo(f"labkit/{file.relative_to(folder)}")
            if file.is_symlink():
                info.type, info.linkname = tarfile.SYMTYPE, str(file.readlink())
                tar.addfile(info)
                continue
            info.size = file.stat().st_size
            info.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            with file.open("rb") as data:
                tar.addfile(info, data)
    return out.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for name in NAMES:
        place = folder / name
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            inner = file.relative_to(folder).parts
            is_left_out = any(part.startswith((*LEFT_OUT, ".")) for part in inner)
            if not is_left_out and (file.is_symlink() or file.is_file()):
                yield file
