"""Does a workload run as it was last told to? By the rules of `kubectl rollout status`."""

from __future__ import annotations

from typing import Any

from labkit.ui import units

NOT_SEEN = "has changed, and its controller has not seen it yet"
FOLLOWED = {"Deployment", "StatefulSet", "DaemonSet"}
_OBSERVING = {*FOLLOWED, "ReplicaSet"}  # kinds whose status always tells its generation


def observed(item: dict[str, Any], kind: str = "") -> bool:
    """Does the status speak of the object as it is, or of what it was before a change?

    >>> new = {"metadata": {"generation": 1}, "status": {}}
    >>> observed(new, "DaemonSet"), observed(new, "Job")
    (False, True)
    """
    generation = item.get("metadata", {}).get("generation", 0)
    untold = 0 if kind in _OBSERVING else generation
    seen: int = item.get("status", {}).get("observedGeneration", untold)
    return seen >= generation


def unfollowed(kind: str, item: dict[str, Any]) -> str:
    """Why it has no rollout that can be followed; empty when it has.

    >>> unfollowed("Job", {})
    'it is a Job'
    """
    if kind not in FOLLOWED:
        return f"it is a {kind}"
    strategy = item.get("spec", {}).get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return "its update strategy is OnDelete: a Pod is new only after the old one was deleted"
    return ""


def partition(item: dict[str, Any]) -> int:
    """Up to which number a StatefulSet keeps its Pods as they were."""
    strategy = item.get("spec", {}).get("updateStrategy") or {}
    found: int = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    return found


def pending(kind: str, item: dict[str, Any]) -> str:
    """What a rollout still waits for; empty when it is done.

    >>> status = {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 2}
    >>> pending("Deployment", {"spec": {"replicas": 2}, "status": status})
    '1 Pod of before not gone'
    """
    if not observed(item, kind):
        return NOT_SEEN
    spec, status = item.get("spec", {}), item.get("status", {})
    if kind == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        updated = status.get("updatedNumberScheduled", 0)
        return _made(updated, wanted) or _available(status.get("numberAvailable", 0), wanted)
    wanted = spec.get("replicas", 1)
    total, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    if kind == "StatefulSet":
        kept = partition(item)
        is_newest = status.get("currentRevision") == status.get("updateRevision")
        return (
            _made(updated, max(wanted - kept, 0))
            or _available(available, wanted, "Pods")
            or (_pods(total - wanted, "too many") if total > wanted else "")
            or ("" if kept or is_newest else "its newest revision is not the current one")
        )
    return (
        _made(updated, wanted)
        or (_pods(total - updated, "of before not gone") if total > updated else "")
        or (_pods(total - wanted, "too many") if total > wanted else "")
        or _available(available, wanted)
    )


def _made(updated: int, wanted: int) -> str:
    return f"{updated} of {units.count(wanted, 'new Pod')} made" if updated < wanted else ""


def _available(available: int, wanted: int, what: str = "new Pods") -> str:
    return f"{available} of {wanted} {what} available" if available < wanted else ""


def _pods(count: int, words: str) -> str:
    return f"{count} Pod{'s' * (count != 1)} {words}"
