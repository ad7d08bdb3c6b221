"""A lab from one bundle on a machine with nothing: no network, no images, no caches.

    ./lab bundle save /tmp/workshop.lab
    python3 bench/offline.py /tmp/workshop.lab

As root on Linux. It makes a network namespace without routes, hides the engine and all its images,
unpacks the project out of the bundle and types `./lab up --bundle` in it. That starts an engine of
its own, which ends with the namespace; the lab that runs on this machine is not touched. It prints
how long the first answer took, and how long all the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HIDDEN = ("/var/lib/docker", "/var/lib/containerd")
NAMESPACE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
ANSWER = ">>> What is a Pod?"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", help="a file")
    parser.add_argument("--folder", default="/var/tmp", help="where to work: 8 GB (/var/tmp)")
    parser.add_argument("--keep", action="store_true", help="leave the folder, with its logs")
    parser.add_argument("--inside", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    bundle = str(Path(options.bundle).absolute())
    if options.inside:
        return _inside(bundle, Path(options.inside))
    if os.geteuid():
        print("a network namespace and an engine of its own need root", file=sys.stderr)
        return 2
    work = Path(tempfile.mkdtemp(prefix="lab-offline-", dir=options.folder))
    words = [sys.executable, __file__, bundle, "--inside", work]
    try:
        return subprocess.run([*NAMESPACE, *words], check=False).returncode
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)


def _inside(bundle: str, work: Path) -> int:
    _hide(work)
    _require_silence()
    env = _environment(work)
    _sh(f"tar -xOf '{bundle}' labkit.tar.gz | tar -xz -C '{work}'")
    begun = time.monotonic()
    words = [work / "labkit/lab", "up", "--bundle", bundle, "--yes"]
    answered = 0.0
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env, cwd=work) as up:
        assert up.stdout
        for line in up.stdout:
            print(f"{time.monotonic() - begun:6.1f} s  {line.rstrip()}", flush=True)
            if line.startswith(ANSWER) and not answered:
                answered = time.monotonic() - begun
    whole = time.monotonic() - begun
    status = subprocess.run(
        [work / "labkit/lab", "status", "-o", "json"], capture_output=True, text=True, env=env
    )
    ready = status.stdout and json.loads(status.stdout)["readiness"]
    size = Path(bundle).stat().st_size if Path(bundle).is_file() else 0
    print(f"\nfrom {size / 1e6:.0f} MB: answered after {answered:.0f} s, all after {whole:.0f} s")
    print(f"./lab status: {ready or status.stderr.strip()}")
    return up.returncode or (0 if answered and status.returncode == 0 else 1)


def _hide(work: Path) -> None:
    """Nothing of this machine's engine is left to be seen."""
    _sh("mount --make-rprivate / && ip link set lo up")
    for place in HIDDEN:
        mine = work / place.strip("/").replace("/", "-")
        mine.mkdir()
        _sh(f"mkdir -p {place} && mount --bind '{mine}' {place}")
    _sh("mount -t tmpfs tmpfs /run")


def _require_silence() -> None:
    """Else the figure is worth nothing."""
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    engine = subprocess.run(["docker", "version"], capture_output=True, check=False).returncode
    if routes or not engine:
        raise SystemExit(f"not alone: routes {routes!r}, docker version ended with {engine}")


def _environment(work: Path) -> dict[str, str]:
    """No cache, no state, no proxy and no package index of this machine's user."""
    dropped = ("LAB_", "PIP_", "XDG_", "HTTP", "http", "NO_PROXY", "no_proxy", "PYTHON", "DOCKER")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    home = work / "home"
    home.mkdir()
    return {**env, "HOME": str(home), "LAB_PYTHON": sys.executable}


def _sh(line: str) -> None:
    subprocess.run(["sh", "-ec", line], check=True)


if __name__ == "__main__":
    sys.exit(main())
