"""What to look at when something failed: events, Pod states, logs."""

from __future__ import annotations

from labkit.errors import LabError
from labkit.setup.cluster import kind, labs

LINES = 30


def report(context: str = "") -> str:
    """Events, Pods and the logs of those not Ready, as text; also when half of it is gone."""
    lab = labs.Lab(context)
    if not lab.kubeconfig.exists():
        return "no lab runs, so there are no events, Pods or logs"
    parts = [
        _section(lab, "get", "nodes", "-o", "wide"),
        _section(lab, "get", "pods", "--all-namespaces", "-o", "wide"),
        _section(lab, "get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"),
    ]
    try:
        pods = lab.get("pods", "--all-namespaces").get("items", [])
    except LabError:
        pods = []
    for pod in pods:
        name, where = pod["metadata"]["name"], pod["metadata"]["namespace"]
        if where in (labs.LEARNER, labs.SYSTEM) or not kind.ready(pod):
            options = ("--all-containers", f"--tail={LINES}", "--namespace", where)
            parts.append(_section(lab, "logs", name, *options))
    return "\n\n".join(parts)


def _section(lab: labs.Lab, *words: str) -> str:
    try:
        said = lab.kubectl(*words, timeout_s=20)
    except LabError as error:
        said = str(error)
    tail = "\n".join(said.splitlines()[-200:])
    return f"$ kubectl {' '.join(words)}\n{tail or '(nothing)'}"
