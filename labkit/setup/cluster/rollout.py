"""Waits until Deployments of lab-system run as declared, and tells what their Pods say if not."""

from __future__ import annotations

import time
from functools import partial

from labkit.errors import ApiSilent, CommandFailed, TimedOut
from labkit.setup.cluster import labs
from labkit.setup.cluster.outage import asked_again
from labkit.setup.host import speed
from labkit.setup.host.progress import Task

READY_S = 180


def wait(lab: labs.Lab, task: Task, *names: str) -> None:
    """Each of these Deployments available. Raises TimedOut with what the Pods say."""
    task.note(f"waiting for {' and '.join(names)}")
    targets = [f"deployment/{name}" for name in names]
    limit_s = speed.deadline(READY_S)
    try:
        for target in targets:
            deadline = time.monotonic() + limit_s
            asked_again(partial(_follow, lab, target, deadline), deadline, on_wait=task.note)
    except CommandFailed:
        raise TimedOut(
            f"{' and '.join(targets)} in {labs.SYSTEM} not ready after {limit_s:.0f} s",
            ", ".join(states(lab, *labs.IN_SYSTEM)) or "no Pods",
            "./lab logs cluster, then ./lab up again",
        ) from None


def _follow(lab: labs.Lab, target: str, deadline: float) -> None:
    """Raise CommandFailed, and ApiSilent where that is because the API server is away."""
    left_s = max(round(deadline - time.monotonic()), 1)
    # rollout status, unlike wait, also waits for a changed Pod
    words = ("rollout", "status", target, f"--timeout={left_s}s")
    try:
        lab.kubectl(*words, *labs.IN_SYSTEM, timeout_s=left_s + 20)
    except CommandFailed:
        try:
            lab.require_ready()
        except CommandFailed as error:
            raise ApiSilent("the API server is not ready yet", error.saw, "./lab status") from None
        raise


def states(lab: labs.Lab, *chosen: str) -> list[str]:
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
