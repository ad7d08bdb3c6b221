"""Prometheus and metrics-server: what the lab's Pods do and use, kept for an hour."""

from __future__ import annotations

import json

import yaml

from labkit.errors import CommandFailed, TimedOut
from labkit.setup.build import catalog
from labkit.setup.cluster import labs, rollout
from labkit.setup.host import paths, speed
from labkit.setup.host.progress import Task

PROMETHEUS, METRICS_SERVER = "prometheus", "metrics-server"
HOST = f"{PROMETHEUS}.{labs.SYSTEM}:9090"
FILES = ("prometheus.yml", "alerts.yml")
API = "apiservice/v1beta1.metrics.k8s.io"
API_PODS = ("--namespace", "kube-system", "--selector", f"app.kubernetes.io/name={METRICS_SERVER}")
API_S = 120


def names(lab: labs.Lab) -> tuple[str, ...]:
    """The Deployments: a cluster of the user's own has its metrics-server, or wants none."""
    return (PROMETHEUS,) if lab.context else (PROMETHEUS, METRICS_SERVER)


def declare(lab: labs.Lab) -> None:
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
    inputs = catalog.digest_of(*config["data"].values())
    deployment["spec"]["template"]["metadata"]["annotations"] = {"labkit/config": inputs}
    return [config, *items]


def _config() -> dict:
    folder = paths.k8s("cluster", PROMETHEUS)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": PROMETHEUS,
            "namespace": labs.SYSTEM,
            "labels": {"app.kubernetes.io/name": PROMETHEUS, labs.LABEL[0]: labs.LABEL[1]},
        },
        "data": {name: (folder / name).read_text() for name in FILES},
    }


def wait(lab: labs.Lab, task: Task) -> None:
    """Both run, and `kubectl top` has a server to query. Raises TimedOut."""
    rollout.wait(lab, task, PROMETHEUS)
    if METRICS_SERVER in names(lab):
        task.note(f"waiting for {METRICS_SERVER}")
        limit_s = speed.deadline(API_S)
        try:  # the API is available when the Deployment is
            words = ("wait", "--for=condition=Available", API, f"--timeout={limit_s:.0f}s")
            lab.kubectl(*words, timeout_s=limit_s + 20)
        except CommandFailed as error:
            raise TimedOut(
                f"the metrics API not available after {limit_s:.0f} s",
                _saw(lab) or error.saw,
                "kubectl -n kube-system logs deployment/metrics-server, then ./lab up again",
            ) from None


def _saw(lab: labs.Lab) -> str:
    """What the API server reports of the API, and the state of the Pod that is to serve it."""
    conditions = lab.get(API).get("status", {}).get("conditions", [])
    said = [
        f"{one.get('reason')}: {one.get('message')}"
        for one in conditions
        if one["type"] == "Available" and one["status"] != "True"
    ]
    return "; ".join([*said, *rollout.states(lab, *API_PODS)])


def missing(lab: labs.Lab) -> list[str]:
    """Those Deployments that have no Pod which is ready."""
    where = {PROMETHEUS: labs.SYSTEM, METRICS_SERVER: "kube-system"}
    return [
        name
        for name in names(lab)
        if not _runs(lab.get("deployment", name, "--namespace", where[name]))
    ]


def _runs(deployment: dict) -> bool:
    ours = deployment.get("metadata", {}).get("labels", {}).get(labs.LABEL[0]) == labs.LABEL[1]
    return ours and bool(deployment["status"].get("availableReplicas"))


def remove(lab: labs.Lab) -> None:
    """What they have outside of the lab's namespaces."""
    label = f"app.kubernetes.io/name={PROMETHEUS},{labs.LABEL[0]}={labs.LABEL[1]}"
    lab.kubectl("delete", "clusterrolebinding,clusterrole", "--selector", label)
