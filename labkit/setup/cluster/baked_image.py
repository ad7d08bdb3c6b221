"""`lab.bake`: an image that has the model in it, built and pushed to the lab's image registry."""

from __future__ import annotations

from labkit.setup.build import catalog, registry
from labkit.setup.cluster import local_ollama, services
from labkit.setup.host import docker, paths, shell, speed

IMAGE = "lab/ollama-baked"
FOLDER = paths.k8s("steps", "05-baked")
BUILD_S = 900


def build(model: str) -> int:
    """Build it from k8s/steps/05-baked; its size in bytes.

    Raises EngineMissing, CommandFailed with the log's name.
    """
    docker.version()
    node = local_ollama.node_address()
    # the build's container finds the mirror as the lab's own Ollama does
    words = [*docker.BUILD, "--add-host", f"{services.HOST_NAME}:{node}"]
    base = catalog.load().image("ollama/ollama").reference
    words += [*docker.proxies("--build-arg"), "--build-arg", f"BASE={base}"]
    words += ["--build-arg", f"MODEL={model}", "--tag", IMAGE, FOLDER]
    log = paths.log_file("bake")
    shell.run(*words, log=log, timeout_s=speed.deadline(BUILD_S), env={"DOCKER_BUILDKIT": "0"})
    return docker.inspect("image", IMAGE)[IMAGE]["Size"]


def push() -> None:
    """Push it to the image registry, which the nodes ask first."""
    target = f"127.0.0.1:{registry.port()}/{IMAGE}:latest"
    docker.docker("tag", IMAGE, target)
    shell.run(
        "docker", "push", target, log=paths.log_file("bake"), timeout_s=speed.deadline(BUILD_S)
    )
    docker.docker("rmi", target)
