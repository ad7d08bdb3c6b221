"""The Helms that tests run: the lab's, and one of another major version where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from labkit.setup.build import tools
from labkit.setup.host import paths

NAMED = os.environ.get("LAB_HELM3")  # read here: unit tests see none of the lab's variables


def every() -> dict[int, Path]:
    """Major version → program.

    LAB_HELM3 names a Helm 3; else one that an older lab has built is taken, while that is cached.
    """
    programs = [tools.path("helm"), *sorted(paths.cache("builds").glob("addons-*/helm"))]
    named = [NAMED, shutil.which("helm"), shutil.which("helm3")]
    found: dict[int, Path] = {}
    for program in [*(Path(name) for name in named if name), *programs]:
        if program.is_file():
            words = [program, "version", "--short"]
            said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
            if major := re.match(r"v(\d+)\.", said):
                found.setdefault(int(major[1]), program.resolve())
    return found


def first_on_path(major: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That Helm is `helm`, through a link in this folder; the test is skipped without one."""
    program = every().get(major)
    if program is None:
        pytest.skip(
            f"no Helm {major}: LAB_HELM3 may name one" if major == 3 else f"no Helm {major}"
        )
    (folder / "helm").unlink(missing_ok=True)
    (folder / "helm").symlink_to(program)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
