"""Downloads the wheels of requirements.txt for each Python that the lab supports."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import Marker

from labkit.errors import BuildFailed, DownloadFailed
from labkit.setup.build import catalog
from labkit.setup.host import paths, shell, speed

DOWNLOAD_S = 900
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
OLDEST, NEWEST = 17, 28  # of glibc 2: Debian 12 has 2.36, RHEL 8 has 2.28
LAST = "99"  # a patch version that is newer than all


def downloaded(requirements: Path, python: str) -> list[Path]:
    """Every wheel that some patch version of this Python needs, compared with its hashes.

    Raises DownloadFailed.
    """
    text = requirements.read_text()
    key = catalog.digest_of(text, python, *catalog.target(), str((OLDEST, NEWEST)))
    folder = paths.cache("bundle", "wheels", f"{python}-{key}")
    if not folder.exists():
        aside = folder.with_name(f"{folder.name}.part")  # what is there is not fetched again
        aside.mkdir(parents=True, exist_ok=True)
        # Debian 12 has Python 3.11.2, and some packages ask for 3.11.5
        first, last = (f"{python}.{patch}" for patch in ("0", LAST))
        _download(wanted(text, first), first, aside)
        others = set(_blocks(wanted(text, last))) - set(_blocks(wanted(text, first)))
        if others:
            _download("".join(sorted(others)), last, aside)
        aside.rename(folder)
    return sorted(folder.glob("*.whl"))


def wanted(text: str, full: str) -> str:
    """The lines of a requirements.txt that hold for this version of Python.

    >>> wanted("a==1 ; python_version < '3.12' \\\\\\n    --hash=x\\nb==2\\n", "3.12.0")
    'b==2\\n'
    """
    python = full.rpartition(".")[0]
    here = {"python_version": python, "python_full_version": full}
    return "".join(_chosen(text, here))


def _chosen(text: str, here: dict[str, str]) -> Iterator[str]:
    for block in _blocks(text):
        head, _, rest = block.partition("\n")
        pin, semicolon, marker = head.removesuffix("\\").partition(";")
        if not semicolon or Marker(marker).evaluate(here):
            # pip reads a marker with its own Python's version
            end = " \\\n" if head.endswith("\\") else "\n"
            yield f"{pin.strip()}{end}{rest}"


def _blocks(text: str) -> list[str]:
    """Each pin with its hashes."""
    return re.findall(r"^[^\s#].*\n(?:[ \t]+.*\n)*", text, re.MULTILINE)


def _download(text: str, full: str, folder: Path) -> None:
    """Raises DownloadFailed."""
    python = full.rpartition(".")[0]
    file = folder / "requirements.txt"
    file.write_text(text)
    tag = f"cp{python.replace('.', '')}"
    machine = ARCHITECTURES.get(catalog.target()[1], catalog.target()[1])
    platforms = [f"manylinux_2_{n}_{machine}" for n in range(NEWEST, OLDEST - 1, -1)]
    platforms += [f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]
    words = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "download"]
    words += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--progress-bar=off"]
    words += ["--implementation", "cp", "--python-version", full]
    words += [word for abi in (tag, "abi3", "none") for word in ("--abi", abi)]
    words += [word for name in platforms for word in ("--platform", name)]
    words += ["--requirement", str(file), "--dest", str(folder)]
    log = paths.log_file(f"bundle-wheels-{python}")
    try:
        shell.run(*words, log=log, timeout_s=speed.deadline(DOWNLOAD_S))
    except BuildFailed as error:
        raise DownloadFailed(
            f"the packages for Python {python} could not be downloaded",
            error.saw,
            f"./lab bundle save FILE again: it continues from here (the whole output is in {log})",
        ) from None
    finally:
        file.unlink()
