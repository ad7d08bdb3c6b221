"""Model mirror, chart repository, the lab's own Ollama: what runs in namespace lab-system."""

from __future__ import annotations

import json
import re

from labkit.errors import CommandFailed
from labkit.setup.build import catalog
from labkit.setup.cluster import charts, labs, rollout
from labkit.setup.host import paths
from labkit.setup.host.poll import Poll
from labkit.setup.host.progress import Task

HOST_NAME = "models.lab-system"
HOST = f"{HOST_NAME}:5001"
MANIFESTS = ("namespaces.yaml", "models.yaml", "ollama.yaml")
APPLIED = "labkit/applied"  # written last: a half-applied state is applied again


def declare(lab: labs.Lab) -> str:
    """The lab's namespaces, the mirror and an Ollama Pod; a hash of what was declared."""
    labs.guard(lab)
    first, *rest = [manifest(name) for name in MANIFESTS]
    texts = [first, charts.manifest(), *rest]  # the namespaces, then what lives in them
    inputs = catalog.digest_of(*texts)
    # always: somebody may have deleted or scaled what the annotation says was applied
    lab.kubectl("apply", "--filename", "-", stdin="\n---\n".join(texts))
    meta = lab.get("namespace", labs.SYSTEM).get("metadata", {})
    before = meta.get("annotations", {}).get(APPLIED, inputs)
    if before != inputs:  # HAProxy reads its configuration at its start
        lab.kubectl("rollout", "restart", "deployment/models", *labs.IN_SYSTEM)
    return inputs


def wait(lab: labs.Lab, task: Task, inputs: str) -> None:
    """Until what was declared is ready. Raises TimedOut."""
    rollout.wait(lab, task, "models", "ollama")
    mark = f"{APPLIED}={inputs}"
    lab.kubectl("annotate", "--overwrite", "namespace", labs.SYSTEM, mark)


def manifest(name: str) -> str:
    """A file of k8s/cluster, with the version of Ollama that was asked for."""
    text = paths.k8s("cluster", name).read_text()
    return re.sub(r"(image: ollama/ollama):\S+", rf"\1:{catalog.load().ollama}", text)


def tags(lab: labs.Lab, model: str, patience_s: float = 0) -> list[str]:
    """The tags of one model that the mirror holds; `model` is "library/lab-llama".

    Raises CommandFailed when the mirror still does not answer after `patience_s` seconds.
    """
    path = f"/api/v1/namespaces/{labs.SYSTEM}/services/models:5001/proxy/v2/{model}/tags/list"
    poll = Poll(patience_s, every_s=0.5)
    while True:
        try:
            return json.loads(lab.kubectl("get", "--raw", path, timeout_s=20)).get("tags") or []
        except CommandFailed as error:
            if "NotFound" in error.saw:  # the mirror's own word: it has no such model
                return []
            if poll.is_over:
                raise
        poll.pause()
