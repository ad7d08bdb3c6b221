"""What counts now: newest generations, the Pods of newest templates, events that still hold.

`now` takes everything else out of the facts, so that no rule reports what has been corrected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from labkit.diagnosis.facts import Facts
from labkit.kube import refs

_REVISION = "deployment.kubernetes.io/revision"
HASH = "controller-revision-hash"
_CREATED = ("FailedCreate", "SuccessfulCreate")


def now(facts: Facts) -> Facts:
    """The same facts without what is past. Twice gives the same.

    >>> gone = {"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    >>> now(Facts(pods=[gone])).pods
    []
    """
    sets = _newest_sets(facts)
    pods = _left_over(_counting(facts, sets), _done(facts))
    kept = {
        "deployments": [_observed(one) for one in facts.deployments],
        "statefulsets": [_observed(one) for one in facts.statefulsets],
        "daemonsets": [_observed(one) for one in facts.daemonsets],
        "replicasets": sets,
    }
    pods.sort(key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True)
    counted = replace(facts, pods=pods, **kept)
    return replace(counted, events=_fresh(counted))


def waits_for_controller(item: dict) -> bool:
    """Has its spec been changed, and no controller looked at it since?"""
    observed = item.get("status", {}).get("observedGeneration")
    generation = item["metadata"].get("generation")
    return bool(generation and observed is not None and observed < generation)


def _observed(item: dict) -> dict:
    """Without the conditions that are about an earlier spec."""
    if not waits_for_controller(item):
        return item
    status = {key: value for key, value in item["status"].items() if key != "conditions"}
    return {**item, "status": status}


def owners_of(item: dict) -> set[str]:
    return {one.get("uid", "") for one in item["metadata"].get("ownerReferences", [])}


def _newest_sets(facts: Facts) -> list[dict]:
    """ReplicaSets that stand alone, and the newest one of each Deployment."""
    newest = {
        one["metadata"].get("uid"): one["metadata"].get("annotations", {}).get(_REVISION, "")
        for one in facts.deployments
    }
    waiting = {one["metadata"].get("uid") for one in facts.deployments if waits_for_controller(one)}
    found = []
    for one in facts.replicasets:
        revision = one["metadata"].get("annotations", {}).get(_REVISION, "")
        owners = owners_of(one)
        if not owners & waiting and all(
            newest.get(owner, revision) == revision for owner in owners
        ):
            found.append(one)
    return found


def _counting(facts: Facts, sets: list[dict]) -> list[dict]:
    """Without those that go, and those of an earlier template."""
    counted = {one["metadata"].get("uid") for one in sets}
    old = {one["metadata"].get("uid") for one in facts.replicasets} - counted
    templates = {
        one["metadata"].get("uid"): one.get("status", {}).get("updateRevision", "")
        for one in facts.statefulsets
    }
    waiting = {
        one["metadata"].get("uid")
        for one in [*facts.statefulsets, *facts.daemonsets]
        if waits_for_controller(one)
    }
    found = []
    for pod in facts.pods:
        owners = owners_of(pod)
        label = pod["metadata"].get("labels", {}).get(HASH, "")
        newest = {templates[owner] for owner in owners & templates.keys()} - {""}
        if refs.stays(pod) and not owners & (old | waiting):
            is_old = bool(label and newest and label not in newest)
            found.append(_unread(pod) if is_old else pod)
    return found


def _unread(pod: dict) -> dict:
    """A StatefulSet's Pod of an earlier template, without what its containers report.

    It is still there, and while it is not ready it keeps the StatefulSet from replacing it.
    """
    status = pod.get("status", {})
    kept = {key: status[key] for key in ("phase", "startTime", "podIP") if key in status}
    ready = [one for one in status.get("conditions", []) if one["type"] == "Ready"]
    return {**pod, "status": {**kept, "conditions": ready}}


def _done(facts: Facts) -> set[str]:
    """The Jobs that are complete."""
    return {
        one["metadata"].get("uid", "")
        for one in facts.jobs
        for condition in one.get("status", {}).get("conditions", [])
        if condition["type"] == "Complete" and condition["status"] == "True"
    }


def _left_over(pods: list[dict], done: set[str]) -> list[dict]:
    """Without evicted Pods in whose place another one is ready, and first tries of Jobs."""
    pods = [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") != "Failed" or not owners_of(pod) & done
    ]
    served = set().union(*(owners_of(pod) for pod in pods if refs.ready(pod)), set())
    return [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") != "Failed"
        or not (owners_of(pod) & served)
        or "reason" not in pod["status"]
    ]


def _fresh(facts: Facts) -> list[dict]:
    """Events of objects as they are now, without those that a later one takes back."""
    waiting = {
        one["metadata"].get("uid") for _, one in facts.workloads if waits_for_controller(one)
    }
    last = _last_of(facts.events, _CREATED)
    found = []
    for event in facts.events:
        of, reason = event["involvedObject"].get("uid"), event.get("reason")
        if of in waiting:
            continue
        if reason == "FailedCreate" and last.get(of) == "SuccessfulCreate":
            continue
        found.append(event)
    return found


def _last_of(events: Iterable[dict], reasons: tuple[str, ...]) -> dict[str | None, str]:
    return {
        event["involvedObject"].get("uid"): event["reason"]
        for event in events
        if event.get("reason") in reasons
    }
