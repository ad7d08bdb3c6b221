"""kubectl's verbs for Deployments and Services: create, scale, restart."""

from __future__ import annotations

import datetime
from typing import Any

from labkit.errors import LabError
from labkit.kube import refs
from labkit.kube.creation import created
from labkit.kube.results import Done, told
from labkit.kube.session import current
from labkit.ui import kubectl_line
from labkit.ui.live import echo

MERGE = "application/merge-patch+json"


def create_deployment(
    name: str, *command: str, image: str, replicas: int = 1, port: int | None = None
) -> Done:
    """Create a Deployment: that many Pods of one container, each replaced when it is deleted.

        lab.create_deployment("ollama", image="ollama/ollama")

    Equals `kubectl create deployment NAME --image=IMAGE`; its Pods have the label app=NAME.
    Raises AlreadyExists, Refused.
    """
    session = current()
    flags: dict[str, Any] = {
        "replicas": replicas if replicas != 1 else None,
        "port": port,
        "command": command,
    }
    echo(kubectl_line.line("create", "deployment", name, image=image, **flags))
    # kubectl's own way to name a container: registry.example/team/app:tag@sha256:… is `app`
    container: dict[str, Any] = {"name": image.split("/")[-1].split(":")[0].split("@")[0]}
    container |= {"image": image, "resources": {}}
    if command:
        container["command"] = list(command)
    if port:
        container["ports"] = [{"containerPort": port}]
    labels = {"app": name}
    item = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    return created(session, item)


def create_service(name: str, *, tcp: int | str) -> Done:
    """Create a Service: one name and address for all Pods with the label app=NAME.

        lab.create_service("ollama", tcp=11434)

    Equals `kubectl create service clusterip NAME --tcp=PORT`; "80:11434" is a port of the
    Service and one of the Pods. Raises AlreadyExists, Refused.
    """
    session = current()
    echo(kubectl_line.line("create", "service", "clusterip", name, tcp=tcp))
    port, _, inside = str(tcp).partition(":")
    if not (port.isdecimal() and (inside or port).isdecimal()):
        saw = "a number, or two with a colon"
        raise LabError(f"tcp={tcp!r} is not a valid port", saw, "tcp=11434")
    item = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": name},
            "ports": [
                {
                    "name": str(tcp).replace(":", "-"),
                    "port": int(port),
                    "targetPort": int(inside or port),
                    "protocol": "TCP",
                }
            ],
        },
    }
    return created(session, item)


def scale(target: str, *, replicas: int) -> Done:
    """Set the number of Pods: `kubectl scale TARGET --replicas=N`. Raises NotFound, Refused."""
    session = current()
    one = refs.parsed(session, target)
    echo(kubectl_line.line("scale", str(one), replicas=replicas))
    refs.found(session, one)
    body = {"spec": {"replicas": replicas}}
    session.api.request("PATCH", f"{one.path}/scale", body=body, content_type=MERGE)
    return told(f"{refs.full(one)} scaled")


def restart(target: str) -> Done:
    """Replace every Pod by a new one: `kubectl rollout restart TARGET`. Raises NotFound."""
    session = current()
    one = refs.parsed(session, target)
    echo(kubectl_line.line("rollout", "restart", str(one)))
    refs.found(session, one)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    mark = {"kubectl.kubernetes.io/restartedAt": now}  # a template that differs is a new one
    body = {"spec": {"template": {"metadata": {"annotations": mark}}}}
    session.api.request("PATCH", one.path, body=body, content_type=MERGE)
    return told(f"{refs.full(one)} restarted")
