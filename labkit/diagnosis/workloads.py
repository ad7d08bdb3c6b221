"""Workloads that are held up: a paused rollout, a StatefulSet that waits for a broken Pod."""

from __future__ import annotations

from labkit.diagnosis import evidence
from labkit.diagnosis.facts import Facts
from labkit.diagnosis.mistake import SHOWN, Mistake
from labkit.diagnosis.symptoms import named, seconds_since
from labkit.kube import pod_status, refs

_LATE_S = 60.0


def paused(facts: Facts) -> str:
    for one in facts.deployments:
        found = pod_status.workload_trouble(one, facts.told(one))
        if found and found.reason == "DeploymentPaused":
            return f"deployment/{one['metadata']['name']}: {found.message}"
    return ""


def stuck_set(facts: Facts) -> str:
    """A StatefulSet replaces no Pod while one of an earlier template is not ready."""
    for one in facts.statefulsets:
        status, uid = one.get("status", {}), one["metadata"].get("uid")
        if evidence.waits_for_controller(one) or not status.get("updateRevision"):
            continue
        for pod in facts.pods:
            label = pod["metadata"].get("labels", {}).get(evidence.HASH)
            status_ = pod.get("status", {})
            since = [c.get("lastTransitionTime") for c in status_.get("conditions", [])]
            begun = next(filter(None, since), status_.get("startTime"))  # Ready alone is left
            is_old = uid in evidence.owners_of(pod) and label and label != status["updateRevision"]
            if is_old and not refs.ready(pod) and begun and seconds_since(facts, begun) > _LATE_S:
                name = one["metadata"]["name"]
                return f"{named(pod)} has an earlier template of statefulset/{name}, and not ready"
    return ""


ROWS = (
    Mistake(
        "rollout-paused",
        "a changed Deployment keeps its old Pods",
        "the Deployment is paused, so no Pod is made of its new template",
        "kubectl rollout resume deployment/NAME",
        "kubectl get deployments --output=jsonpath={..paused}",
        "spec.paused of Deployments",
        paused,
        sure=SHOWN,
        unless="its updated Pods are as many as it wants",
    ),
    Mistake(
        "statefulset-waits-for-broken-pod",
        "a corrected StatefulSet keeps its broken Pod",
        "a StatefulSet waits until its Pods are ready before it replaces one, and the broken one"
        " of the earlier template never is",
        "kubectl delete pod NAME: the next one has the new template",
        "kubectl get pods --show-labels",
        "updateRevision of StatefulSets, the label controller-revision-hash of Pods",
        stuck_set,
        sure=SHOWN,
        unless="podManagementPolicy is Parallel, or the Pod becomes ready without a change",
    ),
)
