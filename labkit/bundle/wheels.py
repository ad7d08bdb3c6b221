"""Makes `.venv` out of a bundle's wheels, then runs the same `./lab` again.

venv.py runs this as a script, with any Python and its standard library alone, when there is no
`.venv` and the command has `--bundle`. The wheels are compared with the bundle's list here, and
with requirements.txt by pip.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # a script's own folder is not what it imports from

from labkit.bundle import check, source  # noqa: E402
from labkit.bundle.layout import Part  # noqa: E402
from labkit.errors import LabError, NotEnoughDisk, Unsupported  # noqa: E402

FOLDER = ROOT / ".venv.wheels"
VENV = ROOT / "labkit/setup/host/venv.py"
HINT = "free some space there, then the same command again: it continues from here"
MARK = "LAB_BUNDLE_WHEELS"  # set for the run that makes .venv: it does not come back here


def option(words: list[str], name: str) -> str:
    """The value of an option; empty without it.

    >>> option(["up", "--bundle", "a.lab"], "--bundle"), option(["up", "--bundle=b"], "--bundle")
    ('a.lab', 'b')
    """
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word == name:
            return value
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return ""


def fits(name: str, python: str) -> bool:
    """Is a wheel for this Python, "3.11", as its name says?

    >>> [fits(f"x-1-{tags}.whl", "3.11") for tags in ("py3-none-any", "cp311-cp311-linux_x86_64")]
    [True, True]
    >>> fits("x-1-cp312-cp312-linux_x86_64.whl", "3.11")
    False
    """
    tags = name.removesuffix(".whl").split("-")[-3:]
    own = f"cp{python.replace('.', '')}"
    return own in tags[0].split(".") or "abi3" in tags[1] or tags[1] == "none"


def unpack(bundle: source.Bundle, folder: Path) -> int:
    """Write the wheels for this Python to `folder`, those that are not there; how many it has.

    Raises BundleDamaged, BundleUnreadable, NotEnoughDisk, Unsupported.
    """
    python = ".".join(platform.python_version_tuple()[:2])
    _require_fit(bundle, python)
    wanted = [part for part in bundle.contents.of("wheel") if fits(part.name, python)]
    folder.mkdir(parents=True, exist_ok=True)
    needed = sum(part.size for part in wanted)
    if shutil.disk_usage(folder).free < needed:
        raise NotEnoughDisk(
            "the bundle's Python packages were not unpacked",
            f"{shutil.disk_usage(folder).free / 1e6:.0f} MB free in {folder.parent},"
            f" {needed / 1e6:.0f} MB are needed",
            HINT,
        )
    for part in wanted:
        file = folder / part.name
        if not (file.is_file() and sha256(file.read_bytes()).hexdigest() == part.sha256):
            _write(bundle, part, file)
    return len(wanted)


def _write(bundle: source.Bundle, part: Part, file: Path) -> None:
    aside = file.with_name(f".{os.getpid()}-{file.name}")  # another `up` may write the same
    try:
        with aside.open("wb") as out:
            for data in check.compared(bundle, part):
                out.write(data)
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _require_fit(bundle: source.Bundle, python: str) -> None:
    contents = bundle.contents
    if python not in contents.pythons:
        raise Unsupported(
            f"the bundle {bundle.where} has no packages for Python {python}",
            f"it has those for Python {', '.join(contents.pythons)}",
            f"LAB_PYTHON=python{contents.pythons[0]} ./lab up --bundle {bundle.where}",
        )
    own = sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()
    if contents.requirements != own:
        raise Unsupported(
            f"the bundle {bundle.where} was saved by another version of labkit",
            f"labkit {contents.labkit}, with another requirements.txt than the one in {ROOT}",
            f"use the labkit in it: {source.how_to_unpack(bundle)}",
        )


def main(words: list[str]) -> int:
    where = option(words, "--bundle")
    try:
        bundle = source.opened(where, option(words, "--code"))
        print(f"unpacking the Python packages of {where} …", file=sys.stderr, flush=True)
        unpack(bundle, FOLDER)
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(NotEnoughDisk(f"{FOLDER} could not be written", str(error), HINT), file=sys.stderr)
        return 1
    command = [sys.executable, "-I", "-S", str(VENV)]
    env = {**os.environ, MARK: "1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": FOLDER.as_uri()}
    # a URL, because pip splits at a space; any word that changes nothing: .venv is made for it
    code = subprocess.run([*command, "--version"], env=env, stdout=subprocess.DEVNULL).returncode
    if code:
        return code
    shutil.rmtree(FOLDER, ignore_errors=True)  # another `up` may use it, or end it
    return os.execv(sys.executable, [*command, *words])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
