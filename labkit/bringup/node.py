"""The package route's node image: Debian, Kubernetes, and the images a node must hold.

The images are imported into the node's containerd by running it once, because a node
starts before any registry can serve it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from labkit.bringup import bom, debian, engine, golang, images, paths, shell
from labkit.errors import LabError, TimedOut

BASE = "bookworm"
BINARIES = ("kubeadm", "kubelet", "kubectl")
BUILD_S = 1200
FILLER = "lab-build-node"
EMPTY = "lab/node-without-images:latest"


def build(image: bom.Image, inputs: str) -> None:
    """Build the node image; its public tag appears only when it is whole."""
    log = paths.log_file("image-node")
    with tempfile.TemporaryDirectory(prefix="lab-node-") as folder:
        context = Path(folder, "context")
        shutil.copytree(paths.k8s("cluster", "node"), context, symlinks=True)
        (context / "bin").mkdir(exist_ok=True)
        for name in BINARIES:
            images.link_or_copy(golang.binary(name), context / "bin" / name)
        words = ["docker", "build", "--network", "host", "--tag", EMPTY]
        words += ["--build-arg", f"BASE={debian.reference(BASE)}"]
        words += ["--build-arg", f"KUBERNETES_VERSION=v{bom.load().kubernetes}", str(context)]
        shell.run(*words, log=log, timeout_s=BUILD_S, env={"DOCKER_BUILDKIT": "0"})
        _fill(EMPTY, image, inputs, Path(folder, "images.tar"), log)


def _fill(empty: str, image: bom.Image, inputs: str, tar: Path, log: Path) -> None:
    held = [i.reference for i in bom.load().node_images]
    shell.run("docker", "save", "--output", tar, *held, log=log, timeout_s=300)
    engine.docker("rm", "-f", FILLER, check=False)  # what a killed `up` may have left
    start = ("run", "--detach", "--privileged", "--name", FILLER, "--entrypoint", "sleep")
    engine.docker(*start, empty, "3600")
    try:
        inside = ("docker", "exec", FILLER)
        shell.run("docker", "exec", "--detach", FILLER, "containerd", log=log)
        _wait_for_containerd()
        shell.run("docker", "cp", tar, f"{FILLER}:/images.tar", log=log, timeout_s=300)
        ctr = ("ctr", "--namespace", "k8s.io", "images", "import")
        options = ("--all-platforms", "--no-unpack", "/images.tar")
        shell.run(*inside, *ctr, *options, log=log, timeout_s=600)
        shell.run(*inside, "sh", "-c", "rm /images.tar; pkill containerd; sleep 1", log=log)
        config = engine.inspect("image", empty)[empty]["Config"]["Entrypoint"]
        words = ", ".join(f'"{word}"' for word in config)
        changes = [f"ENTRYPOINT [{words}]", "CMD []", f"LABEL {images.INPUTS}={inputs}"]
        commit = [w for change in changes for w in ("--change", change)]
        commit += [FILLER, image.reference]
        shell.run("docker", "commit", *commit, log=log, timeout_s=600)
    finally:
        engine.docker("rm", "-f", FILLER, check=False)


def _wait_for_containerd() -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            return engine.docker("exec", FILLER, "ctr", "version")
        except LabError as error:
            if time.monotonic() > deadline:
                raise TimedOut(
                    "containerd did not start in the node image within 30 s",
                    error.saw,
                    "./lab up again; if it fails again, ./lab logs image-node",
                ) from None
        time.sleep(0.3)
