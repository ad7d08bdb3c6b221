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
GENERATION = "pod-template-generation"
_CREATED = ("FailedCreate", "SuccessfulCreate")


def now(facts: Facts) -> Facts:
    """The same facts without what is past. Twice gives the same.

    >>> gone = {"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    >>> now(Facts(pods=[gone])).pods
    []
    """
    sets = _newest_sets(facts)
    jobs = _newest_jobs(facts)
    past = {one["metadata"].get("uid", "") for one in facts.jobs if one not in jobs}
    pods = [pod for pod in _counting(facts, sets) if not owners_of(pod) & past]
    pods = _left_over(pods, _done(facts))
    kept = {
        "jobs": jobs,
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
        **{one["metadata"].get("uid"): _revision(one) for one in facts.statefulsets},
        **{one["metadata"].get("uid"): _generation(one) for one in facts.daemonsets},
    }
    waiting = {
        one["metadata"].get("uid")
        for one in [*facts.statefulsets, *facts.daemonsets]
        if waits_for_controller(one)
    }
    found = []
    for pod in facts.pods:
        owners = owners_of(pod)
        labels = pod["metadata"].get("labels", {})
        made_of = {f"{key}={labels[key]}" for key in (HASH, GENERATION) if key in labels}
        newest = {templates[owner] for owner in owners & templates.keys()} - {""}
        if refs.stays(pod) and not owners & (old | waiting):
            is_old = bool(newest and _keys(newest) <= _keys(made_of) and not newest & made_of)
            found.append(_unread(pod) if is_old else pod)
    return found


def _revision(item: dict) -> str:
    """The label that a StatefulSet gives to the Pods of its newest template."""
    found = item.get("status", {}).get("updateRevision", "")
    return found and f"{HASH}={found}"


def _generation(item: dict) -> str:
    """The label that a DaemonSet gives to the Pods of its newest template."""
    annotations = item["metadata"].get("annotations", {})
    found = annotations.get("deprecated.daemonset.template.generation", "")
    return found and f"{GENERATION}={found}"


def _keys(labels: set[str]) -> set[str]:
    return {one.partition("=")[0] for one in labels}


def _unread(pod: dict) -> dict:
    """A Pod of an earlier template that is not replaced yet, without what its containers report.

    A StatefulSet's keeps it from replacing that while it is not ready.
    """
    status = pod.get("status", {})
    kept = {key: status[key] for key in ("phase", "startTime", "podIP") if key in status}
    ready = [one for one in status.get("conditions", []) if one["type"] == "Ready"]
    return {**pod, "status": {**kept, "conditions": ready}}


def _newest_jobs(facts: Facts) -> list[dict]:
    """Jobs that stand alone, and the newest one of each CronJob."""
    newest: dict[str, str] = {}
    for one in facts.jobs:
        for owner in owners_of(one):
            newest[owner] = max(newest.get(owner, ""), _born(one))
    return [
        one for one in facts.jobs if all(newest[owner] == _born(one) for owner in owners_of(one))
    ]


def _born(item: dict) -> str:
    found: str = item["metadata"].get("creationTimestamp", "")
    return found


def _done(facts: Facts) -> set[str]:
    """The Jobs that are complete."""
    return {
        one["metadata"].get("uid", "")
        for one in facts.jobs
        for condition in one.get("status", {}).get("conditions", [])
        if condition["type"] == "Complete" and condition["status"] == "True"
    }


def _left_over(pods: list[dict], done: set[str]) -> list[dict]:
    """Without evicted Pods in whose place another one is ready, and earlier tries of Jobs."""
    tries: dict[str, str] = {}
    for pod in pods:
        if pod.get("status", {}).get("phase") != "Failed":
            for owner in _jobs_of(pod):
                tries[owner] = max(tries.get(owner, ""), _born(pod))
    pods = [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") != "Failed"
        or not (owners_of(pod) & done or any(tries.get(o, "") > _born(pod) for o in _jobs_of(pod)))
    ]
    served = set().union(*(owners_of(pod) for pod in pods if refs.ready(pod)), set())
    return [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") != "Failed"
        or not (owners_of(pod) & served)
        or "reason" not in pod["status"]
    ]


def _jobs_of(pod: dict) -> list[str]:
    owners = pod["metadata"].get("ownerReferences", [])
    return [one.get("uid", "") for one in owners if one.get("kind") == "Job"]


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
