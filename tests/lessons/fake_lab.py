"""A lab in memory: Pods with an Ollama in each, a Service, a release; for the checks of steps.

It answers as the API server, its proxy paths and Ollama do.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass, field

import labkit
from labkit.kube import helm
from labkit.setup.cluster import slow_model

SLOW = slow_model.NAME
BEGUN = "2026-11-30T09:00:{:02}Z"
_KINDS = {
    "v1": [("Pod", "po"), ("Service", "svc"), ("ConfigMap", "cm"), ("Secret", ""), ("Event", "ev")],
    "apps/v1": [("Deployment", "deploy"), ("ReplicaSet", "rs")],
    "discovery.k8s.io/v1": [("EndpointSlice", "")],
}
_REFUSED = {
    "kind": "Status",
    "reason": "ServiceUnavailable",
    "message": "error trying to reach service: dial tcp 10.0.0.7:1: connect: connection refused",
    "code": 503,
}
_SPACE = r"/api/v1/namespaces/lab"


def access(status: int, path: str, client: str = "10.0.0.1") -> str:
    """A line of Ollama's access log."""
    at = "2026/11/30 - 09:00:00"
    return f'[GIN] {at} | {status} |  1ms |  {client} | POST     "{path}"\n'


@dataclass
class Pod:
    """A Pod with an Ollama in it; seconds since the minute in which all of it happens."""

    name: str
    models: tuple[str, ...] = ()
    made_s: int = 0
    ready_s: int | None = 1
    had_s: float = 5
    log: str = ""
    restarts: int = 0
    spec: dict = field(default_factory=dict)
    app: str = "ollama"
    ip: str = "10.0.0.7"
    owned: bool = True  # a Deployment made it
    serves: bool = True

    def item(self) -> dict:
        conditions = []
        if self.ready_s is not None:
            at = BEGUN.format(self.ready_s)
            conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": at}]
        made = BEGUN.format(self.made_s)
        container = {"name": "ollama", "image": "ollama/ollama"}
        state = {"name": "ollama", "restartCount": self.restarts, "state": {"running": {}}}
        meta = {"name": self.name, "uid": self.name, "creationTimestamp": made}
        if self.owned:
            meta["ownerReferences"] = [{"kind": "ReplicaSet", "name": "ollama-1"}]
        return {
            "kind": "Pod",
            "metadata": meta,
            "spec": {"containers": [container], **self.spec},
            "status": {
                "phase": "Running",
                "conditions": conditions,
                "containerStatuses": [state],
                "podIP": self.ip,
                "startTime": made,
            },
        }


@dataclass
class Lab:
    """What there is; `ports` of Service `ollama`, or None without one."""

    pods: list[Pod] = field(default_factory=list)
    replicas: int = 1
    ports: list[tuple[int, int]] | None = None
    mirror_404s: int = 0  # pulls of a model that there is not
    release: list[tuple[str, dict]] = field(default_factory=list)  # description, values
    local: tuple[str, ...] = ()
    loaded: str = ""  # until when the local Ollama keeps the lab's model

    def answer(self, handler) -> None:
        code, body = self._answered(handler.path.partition("?")[0], handler.path)
        handler.send(body.encode() if isinstance(body, str) else body, code)

    def _answered(self, path: str, whole: str) -> tuple[int, dict | str]:
        if path in ("/api", "/apis"):
            return 200, self._discovery(path)
        if path.startswith(("/api/tags", "/api/ps", "/api/chat", "/api/version")):
            return self._local(path)
        if found := re.fullmatch(rf"{_SPACE}/pods/([\w-]+):11434/proxy(/.*)", path):
            return self._ollama(self._pod(found[1]), found[2])
        if found := re.fullmatch(rf"{_SPACE}/services/ollama:(\d+)/proxy(/.*)", path):
            targets = [target for port, target in self.ports or [] if port == int(found[1])]
            ready = [pod for pod in self.pods if pod.ready_s is not None]
            if targets != [11434] or not ready:
                return 503, _REFUSED
            return self._ollama(ready[0], found[2])
        if found := re.fullmatch(rf"{_SPACE}/pods/([\w-]+)/log", path):
            return 200, self._pod(found[1]).log
        return self._object(path, whole)

    def _object(self, path: str, whole: str) -> tuple[int, dict | str]:
        slices = [{"endpoints": [{"conditions": {"ready": True}} for _ in self.pods]}]
        lists = {
            f"{_SPACE}/pods": [pod.item() for pod in self._chosen(whole)],
            f"{_SPACE}/secrets": self._secrets(),
            "/apis/discovery.k8s.io/v1/namespaces/lab/endpointslices": slices,
            "/api/v1/namespaces/lab-system/pods": [{"metadata": {"name": "models-0"}}],
        }
        if path in lists:
            return 200, {"items": lists[path]}
        if path.endswith("/lab-system/pods/models-0/log"):
            return 200, "".join(self._refusal(number) for number in range(self.mirror_404s))
        selector = {"matchLabels": {"app": "ollama"}}
        ports = [{"port": port, "targetPort": target} for port, target in self.ports or []]
        objects = {f"{_SPACE}/pods/{pod.name}": pod.item() for pod in self.pods}
        deployment = {"replicas": self.replicas, "selector": selector}
        apps = "/apis/apps/v1/namespaces/lab/deployments/ollama"
        objects[apps] = {"metadata": {"name": "ollama"}, "spec": deployment}
        if self.ports is not None:
            service = {"selector": {"app": "ollama"}, "ports": ports}
            objects[f"{_SPACE}/services/ollama"] = {"metadata": {}, "spec": service}
        gone = {"kind": "Status", "reason": "NotFound", "message": f"no {path}", "code": 404}
        return (200, objects[path]) if path in objects else (404, gone)

    def _pod(self, name: str) -> Pod:
        return next(pod for pod in self.pods if pod.name == name)

    def _chosen(self, whole: str) -> list[Pod]:
        return [pod for pod in self.pods if "labelSelector" not in whole or pod.app == "ollama"]

    def _ollama(self, pod: Pod, path: str) -> tuple[int, dict | str]:
        if not pod.serves:
            return 503, _REFUSED
        if path == "/":
            return 200, "Ollama is running"
        if path == "/api/version":
            return 200, {"version": "0.24.0"}
        if path == "/api/tags":
            at = f"2026-11-30T09:00:{pod.had_s:09.6f}Z"
            return 200, {"models": [{"name": name, "modified_at": at} for name in pod.models]}
        if labkit.model not in pod.models:
            return 404, {"error": f"model '{labkit.model}' not found"}
        return 200, {"done": True, "message": {"content": "A Pod is a Pod."}}

    def _local(self, path: str) -> tuple[int, dict | str]:
        names = [{"name": name} for name in self.local]
        if path == "/api/tags":
            return 200, {"models": names}
        if path == "/api/ps":
            loaded = {"name": labkit.model, "expires_at": self.loaded}
            return 200, {"models": [loaded] if self.loaded else []}
        return self._ollama(Pod("local", self.local), path)

    def _refusal(self, number: int) -> str:
        path = f"/v2/library/lab-llama-typo/manifests/{number}"
        line = {"time": 2e9, "client": self.pods[0].ip, "path": path, "status": 404}
        return json.dumps(line) + "\n"

    def _secrets(self) -> list[dict]:
        found = []
        for version, (description, values) in enumerate(self.release, 1):
            status = "deployed" if version == len(self.release) else "superseded"
            record = {"info": {"description": description}, "config": values}
            packed = base64.b64encode(gzip.compress(json.dumps(record).encode()))
            labels = {"name": "ollama", "version": str(version), "status": status}
            data = {"release": base64.b64encode(packed).decode()}
            meta = {"name": f"sh.helm.release.v1.ollama.v{version}", "labels": labels}
            found.append({"type": helm.RELEASE_SECRET, "metadata": meta, "data": data})
        return found

    def _discovery(self, path: str) -> dict:
        items = []
        for version, kinds in _KINDS.items():
            if ("/" in version) != (path == "/apis"):
                continue
            rows = [
                {
                    "resource": f"{kind.lower()}s",
                    "singularResource": kind.lower(),
                    "responseKind": {"kind": kind},
                    "scope": "Namespaced",
                    "shortNames": [short] if short else [],
                    "verbs": ["get", "list", "delete"],
                }
                for kind, short in kinds
            ]
            resources = [{"version": version.rpartition("/")[2], "resources": rows}]
            group = version.rpartition("/")[0]
            items.append({"metadata": {"name": group}, "versions": resources})
        return {"items": items}
