"""What an object is at, and what keeps it from being ready: from its Pods and their events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.kube import refs, rollouts
from labkit.kube.pod_status import Trouble, pod_doing, trouble, workload_trouble
from labkit.kube.session import Session
from labkit.ui import units

if TYPE_CHECKING:
    from labkit.kube.discovery import Resource

WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}
OVERDUE = "ProgressDeadlineExceeded"


@dataclass(frozen=True)
class Seen:
    """What it is at, in words, and its trouble."""

    doing: str
    trouble: Trouble | None = None
    of: str = ""  # the Pod that is in trouble, where the target is not one


def look(session: Session, resource: Resource, item: dict[str, Any]) -> Seen:
    """What it is at, from its Pods and their events too: plain GETs, a moment each."""
    kind, name = resource.kind, item["metadata"]["name"]
    if kind == "Pod":
        events = _events(session, item) if _waits(item) else []
        return Seen(pod_doing(item, events), trouble(item, events))
    if kind not in WORKLOADS:
        phase = item.get("status", {}).get("phase")
        return Seen(f"phase {phase}" if phase else "there, not yet as wanted")
    if not rollouts.observed(item, kind):  # its Pods are still those of before the last change
        return Seen(rollouts.NOT_SEEN)
    pods = _pods(session, kind, item)
    wanted = 1 if kind == "Job" else _wanted(item)
    own = workload_trouble(item, _later(session, item, pods) if len(pods) < wanted else [])
    ready = [pod for pod in pods if not _waits(pod)]
    doing = _job(item) if kind == "Job" else f"{len(ready)} of {units.count(wanted, 'Pod')} ready"
    for pod in pods:
        # what a Pod lacks says more than that it has lacked it for long
        if (own is None or own.reason == OVERDUE) and pod not in ready:
            events = _events(session, pod)
            name = pod["metadata"]["name"]
            doing = f"{doing}; {name} {pod_doing(pod, events)}"
            found = trouble(pod, events)
            # a Job counts its Pods' crashes itself, and may yet succeed
            if found and (kind, found.reason) != ("Job", "CrashLoopBackOff"):
                return Seen(doing, found, f"pod/{name} ")
    return Seen(doing, own)


def _wanted(item: dict[str, Any]) -> int:
    status, spec = item.get("status", {}), item.get("spec", {})
    found: int = status.get("desiredNumberScheduled", spec.get("replicas", 1))
    return found


def _job(item: dict[str, Any]) -> str:
    """
    >>> _job({"spec": {"completions": 3}, "status": {"succeeded": 1, "active": 2}})
    '1 of 3 done, 2 active'
    """
    spec, status = item.get("spec", {}), item.get("status", {})
    if spec.get("suspend"):
        return "suspended: spec.suspend is true"
    wanted = spec.get("completions") or spec.get("parallelism") or 1
    return f"{status.get('succeeded', 0)} of {wanted} done, {status.get('active', 0)} active"


def _pods(session: Session, kind: str, item: dict[str, Any]) -> list[dict[str, Any]]:
    """A workload's Pods that still count: not those of an earlier template, none that ended."""
    labels = dict(item.get("spec", {}).get("selector", {}).get("matchLabels", {}))
    if kind == "Deployment":
        labels |= _newest_template(session, item, labels)
    else:
        labels |= _newest_revision(session, kind, item, labels)
    if not labels:
        return []
    found = _list(session, "pods", labelSelector=_joined(labels))
    return [
        pod
        for pod in found
        if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded") and refs.stays(pod)
    ]


def _newest_template(
    session: Session, item: dict[str, Any], labels: dict[str, Any]
) -> dict[str, Any]:
    # Pods of the image that the learner has just corrected must not fail the wait
    key = "deployment.kubernetes.io/revision"
    revision = item["metadata"].get("annotations", {}).get(key)
    for replicas in _list(session, "replicasets", labelSelector=_joined(labels)):
        if replicas["metadata"].get("annotations", {}).get(key) == revision:
            hashed = replicas["metadata"].get("labels", {}).get("pod-template-hash")
            return {"pod-template-hash": hashed} if hashed else {}
    return {}


def _newest_revision(
    session: Session, kind: str, item: dict[str, Any], labels: dict[str, Any]
) -> dict[str, Any]:
    if not labels or rollouts.unfollowed(kind, item) or rollouts.partition(item):
        return {}  # Pods of before are there to stay
    if kind == "StatefulSet":
        hashed = item.get("status", {}).get("updateRevision")
    else:  # a DaemonSet's status does not tell it
        owned = [
            one
            for one in _list(session, "controllerrevisions", labelSelector=_joined(labels))
            if _owned(one, item["metadata"]["uid"])
        ]
        newest = max(owned, key=lambda one: one["revision"], default={"metadata": {}})
        hashed = newest["metadata"].get("labels", {}).get("controller-revision-hash")
    return {"controller-revision-hash": hashed} if hashed else {}


def _owned(item: dict[str, Any], uid: str) -> bool:
    return any(owner["uid"] == uid for owner in item["metadata"].get("ownerReferences", []))


def _events(session: Session, item: dict[str, Any]) -> list[dict[str, Any]]:
    uid = item["metadata"]["uid"]
    found = _list(session, "events", fieldSelector=f"involvedObject.uid={uid}")
    return sorted(found, key=last_seen)


def _later(
    session: Session, item: dict[str, Any], pods: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Its events since its newest Pod was made: what came before did not keep that one away."""
    made = max((pod["metadata"].get("creationTimestamp") or "" for pod in pods), default="")
    return [event for event in _events(session, item) if last_seen(event) >= made]


def last_seen(event: dict[str, Any]) -> str:
    """When an event was last seen, as Kubernetes writes it; empty where it does not say."""
    return event.get("lastTimestamp") or event.get("eventTime") or ""


def _list(session: Session, plural: str, **query: str) -> list[dict[str, Any]]:
    path = session.api.resource(plural).path(session.namespace)
    items: list[dict[str, Any]] = session.api.request("GET", path, query=query)["items"]
    return items


def _waits(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return not any(part["type"] == "Ready" and part["status"] == "True" for part in conditions)


def _joined(labels: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())
