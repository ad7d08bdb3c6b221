"""The load engine's peers: where each program is, and why one is missing.

Each has an environment of its own below the lab's cache (`./lab down --purge` removes it).

    python bench/load/peers.py                  install what is missing; a table of all
    python bench/load/peers.py locust guidellm  only these
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from labkit.errors import LabError, ToolMissing, Unsupported
from labkit.setup.build import tools
from labkit.setup.host import docker, paths, shell

INSTALL_S = 1500  # GuideLLM needs PyTorch with its CUDA libraries: 5 GB

# name → PyPI package, the oldest Python that its metadata allows, the program in the environment
PYTHON = {
    "vllm-style": ("aiohttp==3.14.5", (3, 10), "python"),
    "locust": ("locust==2.47.0", (3, 11), "locust"),
    "inference-perf": ("inference-perf==0.7.0", (3, 12), "inference-perf"),
    "aiperf": ("aiperf==0.13.0", (3, 11), "aiperf"),
    "guidellm": ("guidellm==0.8.1", (3, 10), "guidellm"),
}


class Peer(NamedTuple):
    name: str
    program: Path | None
    reason: str  # why there is no program


def find(name: str) -> Peer:
    """The peer, installed first when it is missing; its `reason` when it cannot be had."""
    try:
        return Peer(name, FINDERS[name](), "")
    except LabError as error:
        return Peer(name, None, f"{error.happened}: {error.saw}")


def _hey() -> Path:
    program = tools.path("hey")
    if not program.exists():
        raise ToolMissing("hey is not made yet", f"nothing at {program}", "./lab up")
    return program


def _wrk() -> Path:
    if not shutil.which("wrk"):
        docker.apt_install("wrk")
    return Path(shutil.which("wrk"))


def _k6() -> Path:
    raise Unsupported("the bench does not install it", "it is under the AGPL", "compare by hand")


def _python(name: str) -> Callable[[], Path]:
    package, oldest, program = PYTHON[name]

    def find_or_make() -> Path:
        folder = paths.cache("bench", package.replace("==", "-"))
        whole = folder / ".whole"  # written last: a killed pip leaves no half environment behind
        if not whole.exists():
            log = paths.log_file(f"bench-{name}")
            shutil.rmtree(folder, ignore_errors=True)
            shell.run(_interpreter(oldest), "-m", "venv", folder, log=log)
            pip = (folder / "bin" / "pip", "install", "--no-input", "--progress-bar=off", package)
            shell.run(*pip, log=log, timeout_s=INSTALL_S)
            whole.touch()
        return folder / "bin" / program

    return find_or_make


def _interpreter(oldest: tuple[int, int]) -> str:
    """A Python that is new enough: this one, else one on PATH that starts."""
    if sys.version_info[:2] >= oldest:
        return sys.executable
    for minor in range(oldest[1], oldest[1] + 4):
        name = f"python3.{minor}"
        if shutil.which(name) and not shell.run(name, "-c", "", check=False).returncode:
            return name
    wanted = ".".join(map(str, oldest))
    raise ToolMissing(
        f"it needs Python {wanted}",
        f"this is {sys.version.split()[0]}, and none on PATH",
        f"install Python {wanted}",
    )


FINDERS = {"hey": _hey, "wrk": _wrk, "k6": _k6, **{name: _python(name) for name in PYTHON}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="peer", choices=[[], *FINDERS], default=[])
    for name in parser.parse_args().names or FINDERS:
        peer = find(name)
        print(f"{peer.name:15} {peer.program or 'not here: ' + peer.reason}", flush=True)


if __name__ == "__main__":
    main()
