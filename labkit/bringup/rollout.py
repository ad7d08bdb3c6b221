"""Waits until Deployments of lab-system run as declared, and tells what their Pods say if not."""

from __future__ import annotations

from labkit.bringup import kube
from labkit.bringup.progress import Task
from labkit.errors import CommandFailed, TimedOut

READY_S = 180


def wait(lab: kube.Lab, task: Task, *names: str) -> None:
    """Each of these Deployments available. Raises TimedOut with what the Pods say."""
    task.note(f"waiting for {' and '.join(names)}")
    targets = [f"deployment/{name}" for name in names]
    try:
        for target in targets:  # rollout status, unlike wait, also waits for a changed Pod
            words = ("rollout", "status", target, f"--timeout={READY_S}s")
            lab.kubectl(*words, *kube.IN_SYSTEM, timeout_s=READY_S + 20)
    except CommandFailed:
        raise TimedOut(
            f"{' and '.join(targets)} in {kube.SYSTEM} not ready after {READY_S} s",
            ", ".join(states(lab, *kube.IN_SYSTEM)) or "no Pods",
            "./lab logs cluster, then ./lab up again",
        ) from None


def states(lab: kube.Lab, *chosen: str) -> list[str]:
    """What keeps each of these Pods from being ready; nothing of one that is."""
    said = []
    for pod in lab.get("pods", *chosen).get("items", []):
        for status in pod["status"].get("containerStatuses", []):
            waiting = status["state"].get("waiting") or status["state"].get("terminated") or {}
            if waiting:
                said.append(f"{pod['metadata']['name']}: {waiting.get('reason')}")
            elif not status["ready"]:
                said.append(f"{pod['metadata']['name']}: {status['name']} runs and is not ready")
        if not pod["status"].get("containerStatuses"):
            said.append(f"{pod['metadata']['name']}: {pod['status'].get('phase')}")
    return said
