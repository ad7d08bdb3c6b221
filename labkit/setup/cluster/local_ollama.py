"""The lab's Ollama outside the cluster: a container on 127.0.0.1, for "one machine" lessons.

It never touches an Ollama that the user has: another port, another folder of models. To pull
from the mirror it sits in the cluster's network and finds the mirror's Service, under the
name that Pods use for it, at the address of a node.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from labkit.errors import CommandFailed
from labkit.setup.build import catalog, registry
from labkit.setup.cluster import charts, labs, services
from labkit.setup.host import docker, paths, shell, speed, web
from labkit.setup.host.poll import Poll

NAME = "lab-ollama"
PORT = 11435  # Ollama's own is 11434, and may be the user's
INPUTS = "lab.inputs"
NODE = "lab-control-plane"
START_S = 60
NOBODY = 65532

COMMAND = """\
#!/bin/sh
# The `ollama` of the lab: in the lab's container, or $LAB_OLLAMA by the user's own client.
# Written by ./lab up.
say() { printf '%s\\nsaw: %s\\ntry: %s\\n' "$1" "$2" "$3" >&2; exit 1; }
if [ -n "$LAB_OLLAMA" ]; then
  here=$(dirname "$0")
  PATH=$(printf '%s' "$PATH" | tr ':' '\\n' | grep -vxF "$here" | paste -sd: -)
  command -v ollama >/dev/null ||
    say "Unreachable: LAB_OLLAMA needs an ollama client on this machine" \\
        "LAB_OLLAMA=$LAB_OLLAMA, and no other ollama on PATH" \\
        "install Ollama, or unset LAB_OLLAMA to use the lab's container"
  OLLAMA_HOST=$LAB_OLLAMA exec ollama "$@"
fi
[ "$(docker inspect --format '{{.State.Running}}' NAME 2>/dev/null)" = true ] ||
  say "Unreachable: the lab's own Ollama does not run" "no container NAME" "./lab up"
# Only `run` reads: any other would read away the rest of a script that comes by stdin.
options=
[ "$1" != run ] || options=--interactive
[ -t 0 ] && [ -t 1 ] && options="$options --tty"
exec docker exec $options NAME ollama "$@"
""".replace("NAME", NAME)


def ensure(lab: labs.Lab) -> str:
    """The container runs, answers, and reaches the mirror; returns its address."""
    node = node_address()
    patch = json.dumps({"spec": {"externalIPs": [node]}})
    words = ("patch", "service", "models", *labs.IN_SYSTEM, "--type", "merge", "--patch", patch)
    lab.kubectl(*words)
    charts.moved(node)
    image = catalog.load().image("ollama/ollama").reference
    inputs = catalog.digest_of(docker.inspect("image", image)[image]["Id"], node, str(port()))
    if not _fits(inputs):
        remove()
        _start(image, node, inputs)
    _wait()
    command = paths.tools() / "ollama"
    if not command.exists() or command.read_text() != COMMAND:
        paths.write_text(command, COMMAND)
        command.chmod(0o755)
    return host()


def port() -> int:
    return paths.read_json(_record()).get("port", PORT)


def host() -> str:
    """What OLLAMA_HOST says: $LAB_OLLAMA, else the lab's container."""
    return os.environ.get("LAB_OLLAMA") or f"http://127.0.0.1:{port()}"


def answers() -> bool:
    """Does the container's server answer?"""
    return web.status(f"http://127.0.0.1:{port()}/api/version") == 200


def remove() -> None:
    """Remove the container; its models stay. Raises NotOurs for another's."""
    found = docker.inspect("container", NAME).get(NAME)
    if found:
        registry.require_ours("container", NAME, found["Config"].get("Labels"))
        docker.docker("rm", "-f", NAME)


def _record() -> Path:
    return paths.state("ollama.json")


def _fits(inputs: str) -> bool:
    found = docker.inspect("container", NAME).get(NAME, {})
    runs = found.get("State", {}).get("Running")
    return bool(runs) and found["Config"]["Labels"].get(INPUTS) == inputs


def _start(image: str, node: str, inputs: str) -> None:
    free = port()
    while registry.taken(free):
        free += 1
    if free != port():
        paths.write_json(_record(), {"port": free})
        fields = (docker.inspect("image", image)[image]["Id"], node, str(free))
        inputs = catalog.digest_of(*fields)
    folder, user = _models()
    docker.docker(
        *("run", "--detach", "--name", NAME, "--label", registry.LABEL),
        *("--label", f"{INPUTS}={inputs}", "--restart", "no", "--network", registry.NETWORK),
        *("--publish", f"127.0.0.1:{free}:11434", "--add-host", f"{services.HOST_NAME}:{node}"),
        *("--user", user, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--read-only", "--tmpfs", "/tmp", "--memory", "8g", "--pids-limit", "512"),
        *("--volume", f"{folder}:/ollama", "--env", "HOME=/ollama"),
        *("--env", "OLLAMA_MODELS=/ollama/models", "--env", "OLLAMA_NO_CLOUD=1"),
        image,
    )


def _models() -> tuple[Path, str]:
    """The folder for its models, and the user who owns it: the user who runs the lab, never root.

    A folder of the cache rather than a volume: Docker makes volumes for root.
    """
    folder = paths.cache("ollama")
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid():
        return folder, f"{os.geteuid()}:{os.getegid()}"
    os.chown(folder, NOBODY, NOBODY)
    return folder, f"{NOBODY}:{NOBODY}"


def node_address(container: str = NODE) -> str:
    found = docker.inspect("container", container).get(container, {})
    networks = found.get("NetworkSettings", {}).get("Networks", {})
    address = networks.get(registry.NETWORK, {}).get("IPAddress")
    if not address:
        raise CommandFailed(f"{container} has no address", "is it running?", "./lab up again")
    return address


def _wait() -> None:
    poll = Poll(speed.deadline(START_S), every_s=0.1)
    while not answers():
        poll.not_yet(
            f"the lab's Ollama did not answer on port {port()} within {poll.limit_s:.0f} s",
            lambda: shell.last_line(docker.docker("logs", "--tail", "5", NAME, check=False)),
            f"docker logs {NAME}, then ./lab up again",
        )
