"""What counts now: newest generations, the Pods of newest templates, events that still hold.

`now` takes everything else out of the facts, so that no rule reports what has been corrected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from labkit.diagnosis.facts import Facts, statuses_of
from labkit.kube import refs

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "controller-revision-hash"
_CREATED = ("FailedCreate", "SuccessfulCreate")
_NAME_IN_FIELD = re.compile(r"spec\.(?:initC|c)ontainers\{([^}]+)\}")


def now(facts: Facts) -> Facts:
    """The same facts without what is past. Twice gives the same.

    >>> gone = {"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    >>> now(Facts(pods=[gone])).pods
    []
    """
    sets = _newest_sets(facts)
    pods = _left_over(_counting(facts, sets))
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


def _owners(item: dict) -> set[str]:
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
        owners = _owners(one)
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
        owners = _owners(pod)
        label = pod["metadata"].get("labels", {}).get(_HASH, "")
        newest = {templates[owner] for owner in owners & templates.keys()} - {""}
        # one that is not ready keeps a StatefulSet from replacing it, and is still the trouble
        is_replaced = bool(label and newest and label not in newest and refs.ready(pod))
        if refs.stays(pod) and not owners & (old | waiting) and not is_replaced:
            found.append(pod)
    return found


def _left_over(pods: list[dict]) -> list[dict]:
    """Without evicted Pods in whose place another one of the same owner is ready."""
    served = set().union(*(_owners(pod) for pod in pods if refs.ready(pod)), set())
    return [
        pod
        for pod in pods
        if pod.get("status", {}).get("phase") != "Failed"
        or not (_owners(pod) & served)
        or "reason" not in pod["status"]
    ]


def _fresh(facts: Facts) -> list[dict]:
    """Events of objects as they are now, without those that a later one takes back."""
    waiting = {
        one["metadata"].get("uid") for _, one in facts.workloads if waits_for_controller(one)
    }
    lives = {
        (pod["metadata"].get("uid"), status["name"]): _begun(status)
        for pod in facts.pods
        for status in statuses_of(pod)
    }
    last = _last_of(facts.events, _CREATED)
    found = []
    for event in facts.events:
        of, reason = event["involvedObject"].get("uid"), event.get("reason")
        if of in waiting:
            continue
        if reason in _CREATED and last.get(of) == "SuccessfulCreate":
            continue
        if reason == "Unhealthy" and _at(event) and _at(event) < lives.get((of, _named(event)), ""):
            continue
        found.append(event)
    return found


def _begun(status: dict) -> str:
    """Since when a ready container runs; "" for one that is not ready, whose past matters."""
    running = status.get("state", {}).get("running", {})
    return running.get("startedAt", "") if status.get("ready") else ""


def _last_of(events: Iterable[dict], reasons: tuple[str, ...]) -> dict[str | None, str]:
    return {
        event["involvedObject"].get("uid"): event["reason"]
        for event in events
        if event.get("reason") in reasons
    }


def _named(event: dict) -> str:
    found = _NAME_IN_FIELD.match(event["involvedObject"].get("fieldPath", ""))
    return found[1] if found else ""


def _at(event: dict) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or ""
