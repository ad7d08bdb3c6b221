"""The image registry in the engine: serves every image of the lab under its public name.

`kubectl run --image ollama/ollama` names no tag, so Kubernetes always pulls; the nodes
ask this registry first. It listens on 127.0.0.1, and its images survive `down`.
"""

from __future__ import annotations

import os
import socket

from labkit.errors import LabError, NotOurs, PortTaken, Unsupported
from labkit.setup.build import catalog
from labkit.setup.host import docker, paths, shell, speed, web
from labkit.setup.host.poll import Poll
from labkit.setup.host.progress import Reporter

NAME = "lab-registry"
VOLUME = "lab-registry"
LABEL = "lab=labkit"  # on what is ours in the engine
NETWORK = "kind"
START_S = 30
PUSH_S = 600


def port() -> int:
    """Its port on 127.0.0.1: LAB_REGISTRY_PORT, else the one it had last, else 5050."""
    asked = os.environ.get("LAB_REGISTRY_PORT", "")
    if not asked:
        return paths.read_json(paths.state("registry.json")).get("port", 5050)
    if not asked.isdecimal() or not 1024 <= int(asked) <= 65535:
        raise Unsupported(
            "LAB_REGISTRY_PORT is not a valid port",
            f"LAB_REGISTRY_PORT={asked}",
            "a number from 1024 to 65535: LAB_REGISTRY_PORT=5055 ./lab up",
        )
    return int(asked)


def ensure(reporter: Reporter) -> None:
    """The registry runs and holds the lesson images that the engine has, as they are now."""
    if not running():
        _start()
    ids = docker.inspect("image", *(i.reference for i in catalog.load().images))
    for image in catalog.load().images:
        if image.reference not in ids:
            continue
        for tag in image.tags:
            local = ids[image.reference]["Id"]
            if not _holds(image, tag, local):
                with reporter.task(f"push {image.name}:{tag}", quiet=True):
                    _push(image, tag, local)


def running() -> bool:
    """Does the lab's own container run, publish our port, and answer?"""
    found = docker.inspect("container", NAME).get(NAME, {})
    if not found.get("State", {}).get("Running"):
        return False
    published = found["HostConfig"]["PortBindings"].get("5000/tcp") or [{}]
    return published[0].get("HostPort") == str(port()) and _status("/v2/") == 200


def _start() -> None:
    remove()
    _make_volume()
    if taken(port()):
        raise PortTaken(
            f"the image registry needs port {port()} on 127.0.0.1",
            "another program listens there",
            "end that program, or choose another port: LAB_REGISTRY_PORT=5055 ./lab up",
        )
    image = catalog.load().image("registry").reference
    options = ["--detach", "--name", NAME, "--label", LABEL, "--restart", "no"]
    options += ["--publish", f"127.0.0.1:{port()}:5000", "--volume", f"{VOLUME}:/var/lib/registry"]
    docker.docker("run", *options, image)
    paths.write_json(paths.state("registry.json"), {"port": port()})
    poll = Poll(speed.deadline(START_S), every_s=0.1)
    while _status("/v2/") != 200:
        poll.not_yet(
            f"the image registry did not answer within {poll.limit_s:.0f} s",
            lambda: shell.last_line(docker.docker("logs", "--tail", "5", NAME, check=False)),
            "docker logs lab-registry",
        )


def connect() -> None:
    """Let the cluster's nodes reach it by name (kind makes their network)."""
    networks = docker.inspect("container", NAME)[NAME]["NetworkSettings"]["Networks"]
    if NETWORK not in networks:
        docker.docker("network", "connect", NETWORK, NAME)


def disconnect() -> None:
    """Leave the cluster's network, so that its nodes get their old addresses again."""
    docker.docker("network", "disconnect", "-f", NETWORK, NAME, check=False)


def remove() -> None:
    """Stop it; what it holds stays in its volume. Raise NotOurs for another's container."""
    found = docker.inspect("container", NAME).get(NAME)
    if found:
        require_ours("container", NAME, found["Config"].get("Labels"))
        docker.docker("rm", "-f", NAME)


def purge() -> None:
    """Remove the volume with all that it holds, if it is the lab's."""
    found = docker.inspect("volume", VOLUME).get(VOLUME)
    if found:
        require_ours("volume", VOLUME, found.get("Labels"))
        docker.docker("volume", "rm", VOLUME)


def _make_volume() -> None:
    found = docker.inspect("volume", VOLUME).get(VOLUME)
    if found:
        require_ours("volume", VOLUME, found.get("Labels"))
    else:
        docker.docker("volume", "create", "--label", LABEL, VOLUME)


def require_ours(kind: str, name: str, labels: dict[str, str] | None) -> None:
    """Raises NotOurs for a container or volume without the lab's label."""
    if "=".join(("lab", (labels or {}).get("lab", ""))) != LABEL:
        raise NotOurs(
            f"the engine has a {kind} {name} that this lab did not make",
            f"it lacks the label {LABEL}",
            f"if it is not needed: docker {kind} rm {name}, then try again",
        )


def _push(image: catalog.Image, tag: str, local: str) -> None:
    target = f"127.0.0.1:{port()}/{image.path}:{tag}"
    docker.docker("tag", image.reference, target)
    log = paths.log_file(f"push-{image.path}")
    shell.run("docker", "push", target, log=log, timeout_s=speed.deadline(PUSH_S))
    docker.docker("rmi", target)
    paths.write_json(_record(image, tag), {"id": local})


def _record(image: catalog.Image, tag: str):
    return paths.state("pushed", f"{image.path.replace('/', '-')}-{tag}.json")


def _holds(image: catalog.Image, tag: str, local: str) -> bool:
    if paths.read_json(_record(image, tag)).get("id") != local:
        return False
    return asked_for(image, tag) == 200


def asked_for(image: catalog.Image, tag: str) -> int:
    """The HTTP status of its answer to whether it has that image; 0 when it does not answer."""
    return _status(f"/v2/{image.path}/manifests/{tag}")


def _status(path: str) -> int:
    accept = "application/vnd.docker.distribution.manifest.v2+json"
    url = f"http://127.0.0.1:{port()}{path}"
    return web.status(url, method="HEAD", headers={"Accept": accept})


def taken(number: int) -> bool:
    """Does a program listen on that port of 127.0.0.1?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", number)) == 0


def images_held() -> list[str]:
    """The public names that it serves now; empty when it does not run."""
    try:
        if not running():
            return []
    except LabError:
        return []
    return [
        f"{image.name}:{tag}"
        for image in catalog.load().images
        for tag in image.tags
        if asked_for(image, tag) == 200
    ]
