"""Base images without a registry: Debian, bootstrapped from the machine's own mirror."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from labkit.errors import Unsupported
from labkit.setup.build import catalog
from labkit.setup.host import docker, paths, shell, speed
from labkit.setup.host.docker import apt_install

SUITES = ("bookworm", "trixie")
BOOTSTRAP_S = 900
IMPORT_S = 300
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
OPTIONS = (
    "--variant=minbase",
    "--include=ca-certificates",
    *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
    "--aptopt=Acquire::Languages none",
)


def reference(suite: str) -> str:
    """The image's name in the engine."""
    return f"lab/debian:{suite}"


def inputs(suite: str) -> str:
    return catalog.digest_of(suite, *OPTIONS)


def made(suite: str) -> bool:
    found = docker.inspect("image", reference(suite)).get(reference(suite), {})
    return (found.get("Config", {}).get("Labels") or {}).get(catalog.INPUTS) == inputs(suite)


def require() -> None:
    """Have mmdebstrap. Raises Unsupported where it cannot be installed."""
    if shutil.which("mmdebstrap"):
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise Unsupported(
            "the package route bootstraps Debian with mmdebstrap, which is not installed",
            "it can be installed here only by root, on Debian or Ubuntu",
            "sudo apt-get install mmdebstrap, or ./lab up --route registry",
        )
    apt_install("mmdebstrap", "debian-archive-keyring")


def make(suite: str) -> None:
    """Bootstrap one Debian release and import it as an image."""
    log = paths.log_file(f"debian-{suite}")
    with paths.temporary("debian") as folder:
        tar = Path(folder, "base.tar")
        shell.run(
            "mmdebstrap", *OPTIONS, suite, tar, log=log, timeout_s=speed.deadline(BOOTSTRAP_S)
        )
        label = f"LABEL {catalog.INPUTS}={inputs(suite)}"
        words = ("docker", "import", "--change", label, "--change", 'CMD ["bash"]')
        shell.run(*words, tar, reference(suite), log=log, timeout_s=speed.deadline(IMPORT_S))
