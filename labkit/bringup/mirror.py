"""Model mirror, chart repository, the lab's own Ollama: what runs in namespace lab-system."""

from __future__ import annotations

import json
import re
import time

from labkit.bringup import bom, charts, kube, paths, rollout
from labkit.bringup.progress import Task
from labkit.errors import CommandFailed

HOST_NAME = "models.lab-system"
HOST = f"{HOST_NAME}:5001"
MANIFESTS = ("namespaces.yaml", "models.yaml", "ollama.yaml")
APPLIED = "labkit/applied"  # written last: a half-applied state is applied again


def declare(lab: kube.Lab) -> str:
    """The lab's namespaces, the mirror and an Ollama Pod; a hash of what was declared."""
    kube.guard(lab)
    first, *rest = [manifest(name) for name in MANIFESTS]
    texts = [first, charts.manifest(), *rest]  # the namespaces, then what lives in them
    inputs = bom.digest_of(*texts)
    # always: somebody may have deleted or scaled what the annotation says was applied
    for text in texts:
        lab.kubectl("apply", "--filename", "-", stdin=text)
    meta = lab.get("namespace", kube.SYSTEM).get("metadata", {})
    before = meta.get("annotations", {}).get(APPLIED, inputs)
    if before != inputs:  # HAProxy reads its configuration at its start
        lab.kubectl("rollout", "restart", "deployment/models", *kube.IN_SYSTEM)
    return inputs


def wait(lab: kube.Lab, task: Task, inputs: str) -> None:
    """Until what was declared is ready. Raises TimedOut."""
    rollout.wait(lab, task, "models", "ollama")
    mark = f"{APPLIED}={inputs}"
    lab.kubectl("annotate", "--overwrite", "namespace", kube.SYSTEM, mark)


def manifest(name: str) -> str:
    """A file of k8s/cluster, with the version of Ollama that was asked for."""
    text = paths.k8s("cluster", name).read_text()
    return re.sub(r"(image: ollama/ollama):\S+", rf"\1:{bom.load().ollama}", text)


def tags(lab: kube.Lab, model: str, patience_s: float = 0) -> list[str]:
    """The tags of one model that the mirror holds; `model` is "library/lab-llama".

    Raises CommandFailed when the mirror still does not answer after `patience_s` seconds.
    """
    path = f"/api/v1/namespaces/{kube.SYSTEM}/services/models:5001/proxy/v2/{model}/tags/list"
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return json.loads(lab.kubectl("get", "--raw", path, timeout_s=20)).get("tags") or []
        except CommandFailed as error:
            if "NotFound" in error.saw:  # the mirror's own word: it has no such model
                return []
            if time.monotonic() > deadline:
                raise
        time.sleep(0.5)
