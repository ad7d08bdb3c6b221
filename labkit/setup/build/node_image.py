"""The package route's node image: Debian, Kubernetes, and the images a node must hold.

The images are imported into the node's containerd by running it once, because a node
starts before any registry can serve it.
"""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

from labkit.errors import LabError
from labkit.setup.build import builds, catalog, debian, dockerfile
from labkit.setup.host import docker, paths, shell, speed
from labkit.setup.host.poll import Poll

BASE = "bookworm"
BINARIES = ("kubeadm", "kubelet", "kubectl")
BUILD_S = 1200
FILL_S = 900
FILLER = "lab-build-node"
EMPTY = "lab/node-without-images:latest"


def build(image: catalog.Image, inputs: str) -> None:
    """Build the node image; its public tag appears only when it is whole."""
    log = paths.log_file("image-node")
    with paths.temporary("node") as folder:
        context = Path(folder, "context")
        shutil.copytree(paths.k8s("cluster", "node"), context, symlinks=True)
        (context / "bin").mkdir(exist_ok=True)
        for name in BINARIES:
            dockerfile.link_or_copy(builds.binary(name), context / "bin" / name)
        words = [*docker.BUILD, *docker.proxies("--build-arg"), "--tag", EMPTY]
        words += ["--build-arg", f"BASE={debian.reference(BASE)}"]
        words += ["--build-arg", f"KUBERNETES_VERSION=v{catalog.load().kubernetes}", str(context)]
        shell.run(*words, log=log, timeout_s=speed.deadline(BUILD_S), env={"DOCKER_BUILDKIT": "0"})
    _fill(image, inputs, log)


def _fill(image: catalog.Image, inputs: str, log: Path) -> None:
    """Import the images that the node must hold, and commit the result."""
    docker.docker("rm", "-f", FILLER, check=False)  # what a killed `up` may have left
    docker.docker("run", "--detach", "--name", FILLER, "--entrypoint", "sleep", EMPTY, "3600")
    try:
        docker.docker("exec", "--detach", FILLER, "containerd")
        _wait_for_containerd()
        held = shlex.join(i.reference for i in catalog.load().node_images)
        ctr = "ctr --namespace k8s.io images import --all-platforms --no-unpack -"
        stream = f"docker save {held} | docker exec --interactive {FILLER} {ctr}"
        shell.run("bash", "-o", "pipefail", "-c", stream, log=log, timeout_s=speed.deadline(FILL_S))
        stop = "pkill -x containerd; while pgrep -x containerd; do sleep 0.1; done"
        shell.run("docker", "exec", FILLER, "sh", "-c", stop, log=log, timeout_s=30)
        entrypoint = docker.inspect("image", EMPTY)[EMPTY]["Config"]["Entrypoint"]
        changes = [f"ENTRYPOINT {json.dumps(entrypoint)}", "CMD []"]
        changes.append(f"LABEL {catalog.INPUTS}={inputs}")
        commit = [w for change in changes for w in ("--change", change)]
        shell.run("docker", "commit", *commit, FILLER, image.reference, log=log, timeout_s=600)
    finally:
        docker.docker("rm", "-f", FILLER, check=False, cleanup=True)


def _wait_for_containerd() -> None:
    poll = Poll(30, every_s=0.3)
    while True:
        try:
            return docker.docker("exec", FILLER, "ctr", "version")
        except LabError as error:
            poll.not_yet(
                "containerd did not start in the node image within 30 s",
                error.saw,
                "./lab up again; if it fails again, ./lab logs image-node",
            )
