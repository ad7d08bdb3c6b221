"""Prometheus and metrics-server: what the lab's Pods do and use, kept for an hour."""

from __future__ import annotations

import json

import yaml

from labkit.bringup import bom, kube, paths, rollout
from labkit.bringup.progress import Task
from labkit.errors import CommandFailed, TimedOut

PROMETHEUS, METRICS_SERVER = "prometheus", "metrics-server"
HOST = f"{PROMETHEUS}.{kube.SYSTEM}:9090"
FILES = ("prometheus.yml", "alerts.yml")
API = "apiservice/v1beta1.metrics.k8s.io"
API_PODS = ("--namespace", "kube-system", "--selector", f"app.kubernetes.io/name={METRICS_SERVER}")
API_S = 120


def names(lab: kube.Lab) -> tuple[str, ...]:
    """The Deployments: a cluster of the user's own has its metrics-server, or wants none."""
    return (PROMETHEUS,) if lab.context else (PROMETHEUS, METRICS_SERVER)


def declare(lab: kube.Lab) -> None:
    """Both, as their manifests say."""
    items = [item for name in names(lab) for item in manifest(name)]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    lab.kubectl("apply", "--filename", "-", stdin=text)


def manifest(name: str) -> list[dict]:
    """The objects of one of them."""
    items = list(yaml.safe_load_all(paths.k8s("cluster", f"{name}.yaml").read_text()))
    if name != PROMETHEUS:
        return items
    config = _config()
    deployment = next(item for item in items if item["kind"] == "Deployment")
    # Prometheus reads its configuration when it starts: another one is another Pod
    inputs = bom.digest_of(*config["data"].values())
    deployment["spec"]["template"]["metadata"]["annotations"] = {"labkit/config": inputs}
    return [config, *items]


def _config() -> dict:
    folder = paths.k8s("cluster", PROMETHEUS)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": PROMETHEUS,
            "namespace": kube.SYSTEM,
            "labels": {"app.kubernetes.io/name": PROMETHEUS, kube.LABEL[0]: kube.LABEL[1]},
        },
        "data": {name: (folder / name).read_text() for name in FILES},
    }


def wait(lab: kube.Lab, task: Task) -> None:
    """Both run, and `kubectl top` has somebody to ask. Raises TimedOut."""
    rollout.wait(lab, task, PROMETHEUS)
    if METRICS_SERVER in names(lab):
        task.note(f"waiting for {METRICS_SERVER}")
        try:  # the API is available when the Deployment is
            words = ("wait", "--for=condition=Available", API, f"--timeout={API_S}s")
            lab.kubectl(*words, timeout_s=API_S + 20)
        except CommandFailed as error:
            raise TimedOut(
                f"the metrics API not available after {API_S} s",
                _saw(lab) or error.saw,
                "kubectl -n kube-system logs deployment/metrics-server, then ./lab up again",
            ) from None


def _saw(lab: kube.Lab) -> str:
    """What the API server says of the API, and the state of the Pod that is to serve it."""
    conditions = lab.get(API).get("status", {}).get("conditions", [])
    said = [
        f"{one.get('reason')}: {one.get('message')}"
        for one in conditions
        if one["type"] == "Available" and one["status"] != "True"
    ]
    return "; ".join([*said, *rollout.states(lab, *API_PODS)])


def missing(lab: kube.Lab) -> list[str]:
    """Those Deployments that have no Pod which is ready."""
    where = {PROMETHEUS: kube.SYSTEM, METRICS_SERVER: "kube-system"}
    return [
        name
        for name in names(lab)
        if not _runs(lab.get("deployment", name, "--namespace", where[name]))
    ]


def _runs(deployment: dict) -> bool:
    ours = deployment.get("metadata", {}).get("labels", {}).get(kube.LABEL[0]) == kube.LABEL[1]
    return ours and bool(deployment["status"].get("availableReplicas"))


def remove(lab: kube.Lab) -> None:
    """What they have outside of the lab's namespaces."""
    label = f"app.kubernetes.io/name={PROMETHEUS},{kube.LABEL[0]}={kube.LABEL[1]}"
    lab.kubectl("delete", "clusterrolebinding,clusterrole", "--selector", label)
