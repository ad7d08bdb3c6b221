"""What a step's state declares, as objects: folders of k8s/steps, and a release of the chart."""

from __future__ import annotations

import os

import yaml

import labkit
from labkit.errors import Unsupported
from labkit.kube import apply, helm, helm_values
from labkit.kube.session import Session
from labkit.lessons.desired_state import State
from labkit.setup.host import speed

RELEASE = CHART = "ollama"
CHART_S = 60


def objects(session: Session, state: State) -> list[dict]:
    """The objects of a state, as the API server would be given them.

    Raises Unsupported where this cluster has no chart repository, and what helm reported.
    """
    items = [item for folder in state.folders for item in apply.load(f"k8s/steps/{folder}")]
    for item in items:
        if item["kind"] == "ConfigMap" and "MODEL" in item.get("data", {}):
            item["data"]["MODEL"] = labkit.model  # the lab may have been told another
        is_ollama = item["metadata"]["name"] == "ollama"  # a proxy before it has one Pod
        if item["kind"] == "Deployment" and is_ollama and state.replicas != 1:
            item["spec"]["replicas"] = state.replicas
    return items + _released(session, state)


def values(state: State) -> dict[str, object]:
    """The values of the state's release, as `helm --set` names them."""
    said = state.release or {}
    return {"ollama.insecure": True, "ollama.models.pull": [labkit.model], **said}


def repository() -> str:
    """The address of the lab's chart repository. Raises Unsupported where there is none."""
    if not os.environ.get("CHARTS"):
        raise Unsupported(
            "this cluster has no chart repository of the lab",
            "CHARTS is not set",
            "./lab up makes one in the lab's own cluster",
        )
    return os.environ["CHARTS"]


def _released(session: Session, state: State) -> list[dict]:
    """What `helm install` would make, with the marks that Helm puts on it."""
    if state.release is None:
        return []
    words = ["template", RELEASE, CHART, "--repo", repository()]
    chosen = helm_values.given(values(state))
    words += ["--namespace", session.namespace, *chosen.words]
    printed = helm.said(words, f"helm template {RELEASE}", speed.deadline(CHART_S), chosen.file)
    items = [item for item in yaml.safe_load_all(printed) if item]
    for item in items:
        meta = item["metadata"]
        meta.pop("namespace", None)
        meta.setdefault("labels", {})["app.kubernetes.io/managed-by"] = "Helm"
        owner = {"release-name": RELEASE, "release-namespace": session.namespace}
        noted = {f"meta.helm.sh/{key}": value for key, value in owner.items()}
        meta.setdefault("annotations", {}).update(noted)
    return items
