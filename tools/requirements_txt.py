"""Writes the lock files: every Python package at one version, with the hashes of its files.

| file | holds |
|---|---|
| `requirements.txt` | what `./lab` installs for a learner, and what builds labkit |
| `requirements-test.txt` | what `./lab test` adds to it |

    python tools/requirements_txt.py            # a pin in pyproject.toml has changed
    python tools/requirements_txt.py --upgrade  # newer versions of what pins do not name

Both hold for every Python and system of pyproject.toml. It needs uv, from PyPI.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import tomllib
from pathlib import Path
from shutil import which

from labkit.errors import ToolMissing
from labkit.setup.host import shell

ROOT = Path(__file__).resolve().parents[1]
LEARNER, TEST = "requirements.txt", "requirements-test.txt"
_UV = "uv==0.13.9"
_COMPILE = ["pip", "compile", "--quiet", "--universal", "--python-version=3.11"]
_COMPILE += ["--generate-hashes", "--no-header", "--no-annotate"]
_COMPILE += ["--no-emit-index-url", "--no-emit-find-links"]


def head(root: Path = ROOT) -> str:
    """The first lines of both files; with another digest they are behind pyproject.toml."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    tables = [project["build-system"]["requires"], project["project"]["requires-python"]]
    tables += [project["project"]["dependencies"], project["project"]["optional-dependencies"]]
    digest = hashlib.sha256(json.dumps(tables).encode()).hexdigest()
    return (
        "# Made from pyproject.toml by `python tools/requirements_txt.py`:"
        " edit that one.\n"
        f"# dependencies sha256:{digest}\n"
    )


def entries(text: str) -> list[str]:
    """The entries of a requirements file: a package, its marker and its hashes each.

    >>> entries("# made\\na==1 \\\\\\n    --hash=sha256:0\\nb==2\\n")
    ['a==1 \\\\\\n    --hash=sha256:0\\n', 'b==2\\n']
    """
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(" "):
            found[-1] += line
        elif not line.startswith("#"):
            found.append(line)
    return found


def write(root: Path, *options: str) -> None:
    """Write both files; versions that are in them already stay, unless `--upgrade` says else."""
    requires = tomllib.loads((root / "pyproject.toml").read_text())["build-system"]["requires"]
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder, "build.in")
        build.write_text("\n".join(requires))
        learner = _compiled(root, LEARNER, [build, "--extra=model", *options])
        (root / LEARNER).write_text(head(root) + "".join(learner))
        both = _compiled(root, TEST, [build, "--extra=test", f"--constraint={LEARNER}", *options])
    added = [entry for entry in both if entry not in learner]
    (root / TEST).write_text(head(root) + "".join(added))


def _compiled(root: Path, name: str, words: list) -> list[str]:
    """The entries that uv finds; it begins with the versions of the file as it is."""
    uv = which("uv")
    if not uv:
        hint = f"pip install {_UV}, and put it on PATH"
        raise ToolMissing("the lock files were not written", "no program uv on PATH", hint)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, name)
        out.write_text((root / name).read_text() if (root / name).exists() else "")
        words = [*_COMPILE, "--output-file", out, "pyproject.toml", *words]
        shell.run(uv, *words, cwd=root, timeout_s=600)
        return entries(out.read_text())


if __name__ == "__main__":
    write(ROOT, *sys.argv[1:])
