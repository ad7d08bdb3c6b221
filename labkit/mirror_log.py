"""What left the model mirror: its proxy's own log."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from labkit import humane, kubectl
from labkit.bringup import kube
from labkit.display import Shown, echo
from labkit.session import current


@dataclass(frozen=True)
class Sent(Shown):
    """What the mirror sent since a moment: requests, and bytes of models and manifests."""

    requests: int
    bytes: int

    def __repr__(self) -> str:
        return f"{self.requests} requests, {humane.size(self.bytes)}"


def mirrored(since: float) -> Sent:
    """What left the model mirror since then, a moment as `time.time()` gives it.

        lab.mirrored(since=0)

    Equals `kubectl logs deployment/models --container=haproxy --namespace=lab-system`, its
    lines counted. Raises NotFound, ApiSilent.
    """
    session = current()
    flags = {"container": "haproxy", "namespace": kube.SYSTEM}
    flags["since"] = f"{max(1, round(time.time() - since))}s" if since else None
    echo(kubectl.line("logs", "deployment/models", **flags))
    path = session.api.resource("pods").path(kube.SYSTEM)
    query = {"labelSelector": "app.kubernetes.io/name=models"}
    sent = []
    for pod in session.api.request("GET", path, query=query)["items"]:
        log = f"{path}/{pod['metadata']['name']}/log"
        sent += counted(session.api.text(log, query={"container": "haproxy"}), since)
    return Sent(len(sent), sum(sent))


def counted(log: str, since: float) -> list[int]:
    """The bytes of each answer that brought somebody a model or a part of one.

    >>> line = '{"time":100.5,"method":"GET","path":"/v2/x","status":206,"bytes":1000}'
    >>> counted(line, 0), counted(line, 101)
    ([1000], [])
    """
    found = []
    for line in log.splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            is_pull = entry["method"] == "GET" and not entry["path"].endswith("/tags/list")
            if is_pull and entry["status"] in (200, 206) and entry["time"] >= since:
                found.append(entry["bytes"])
    return found
