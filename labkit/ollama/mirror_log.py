"""What left the model mirror: its proxy's own log."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from labkit.kube import pod_logs
from labkit.kube.session import Session, current
from labkit.setup.cluster import labs
from labkit.ui import kubectl_line, units
from labkit.ui.live import echo


@dataclass(frozen=True)
class Sent:
    """What the mirror sent to Pods since a moment: requests, and bytes of models and manifests."""

    requests: int
    bytes: int

    def __repr__(self) -> str:
        return f"the mirror sent {units.size(self.bytes)} in {units.count(self.requests, 'answer')}"


def mirrored(since: float) -> Sent:
    """Return what the model mirror has sent to your Pods since a moment of `time.time()`.

        lab.mirrored(since=0)

    Equals `kubectl logs deployment/models --container=haproxy --namespace=lab-system`, its
    lines counted whose client is a Pod that your namespace still has. Raises NotFound, ApiSilent.
    """
    session = current()
    flags: dict[str, Any] = {"container": "haproxy", "namespace": labs.SYSTEM}
    flags["since"] = f"{max(1, round(time.time() - since))}s" if since else None
    echo(kubectl_line.line("logs", "deployment/models", **flags))
    return sent(session, since)


def sent(session: Session, since: float) -> Sent:
    """The same without printing anything."""
    pods = session.api.resource("pods")
    ours = session.api.request("GET", pods.path(session.namespace))["items"]
    clients = {pod["status"].get("podIP") for pod in ours}
    path = pods.path(labs.SYSTEM)
    query = {"labelSelector": "app.kubernetes.io/name=models"}
    found: list[int] = []
    for pod in session.api.request("GET", path, query=query)["items"]:
        name = pod["metadata"]["name"]
        log = pod_logs.written(session, name, namespace=labs.SYSTEM, container="haproxy")
        found += counted(log, since, clients)
    return Sent(len(found), sum(found))


def counted(log: str, since: float, clients: set[str]) -> list[int]:
    """The bytes of each answer that brought one of these addresses a model or a part of one.

    >>> line = '{"time":100.5,"client":"10.0.0.1","method":"GET","path":"/v2/x","status":206,'
    >>> line += '"bytes":1000}'
    >>> [counted(line, since, {by}) for since, by in ((0, "10.0.0.1"), (101, "10.0.0.1"), (0, ""))]
    [[1000], [], []]
    """
    found = []
    for line in log.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            is_pull = entry["method"] == "GET" and not entry["path"].endswith("/tags/list")
            is_ours = entry["client"] in clients and entry["time"] >= since
            if is_pull and is_ours and entry["status"] in (200, 206):
                found.append(entry["bytes"])
    return found
