"""What checks look at in the ways in which the Pods of Deployment `ollama` come by their model."""

from __future__ import annotations

from collections.abc import Callable

import labkit
from labkit.errors import NotFound, Unreachable
from labkit.kube import refs
from labkit.kube.session import Session
from labkit.lessons import deployment_probes, service_probes
from labkit.lessons.seen import Seen
from labkit.ollama import timeline
from labkit.ui import units


def config_names_model(session: Session) -> Seen:
    """ConfigMap `model` is there, and names the lab's model."""
    one = refs.parsed(session, "configmap/model")
    try:
        named = refs.found(session, one).get("data", {}).get("MODEL", "")
    except NotFound as error:
        return Seen(False, error.saw, error.hint)
    return Seen(named == labkit.model, f"{one} names {named or 'nothing'}", f"it is {labkit.model}")


def every_pod_was_given_model(session: Session) -> Seen:
    """Each Pod of Deployment `ollama` is a bare Ollama, and answers with the lab's model."""
    everywhere = deployment_probes.every_pod_answers(session)
    if not everywhere.passed:
        return everywhere
    for pod in deployment_probes.pods(session):
        name, way = pod["metadata"]["name"], _way(pod)
        if way:
            return Seen(False, f"{name} brings the model itself: {way}", "a bare Deployment")
    return Seen(True, everywhere.saw)


def hook_failed(session: Session) -> Seen:
    """A Pod of Deployment `ollama` has lost the race of its hook: an event says so."""
    path = session.api.resource("events").path(session.namespace)
    query = {"fieldSelector": "reason=FailedPostStartHook"}
    try:
        there = deployment_probes.pods(session)
    except (NotFound, Unreachable) as error:
        return Seen(False, error.happened, error.hint)
    uids = {pod["metadata"]["uid"] for pod in there}  # events outlive the Pods they tell of
    found = session.api.request("GET", path, query=query)["items"]
    found = [event for event in found if event["involvedObject"]["uid"] in uids]
    lost = sum(event.get("count") or 1 for event in found)
    if not lost:
        return Seen(False, "no hook has failed", 'lab.apply("k8s/steps/05-hook-naive")')
    return Seen(True, f"a hook has failed {units.count(lost, 'time')}")


def pods_bring_model(
    count: int = 1, by: str = "", *, on_any_node: bool = False
) -> Callable[[Session], Seen]:
    """A check: so many Pods of Deployment `ollama`, each Ready only when it had the model.

    `by`: the way in which they bring it: baked, hook, init, sidecar or store; any without it.
    `on_any_node`: any but the store, which is on one node.
    """

    def check(session: Session) -> Seen:
        enough = deployment_probes.deployment_ready(count)(session)
        if not enough.passed:
            return enough
        found = deployment_probes.pod_models(session, ask=True)
        everywhere = deployment_probes.all_answer(found)
        if not everywhere.passed:
            return everywhere
        for one in found:
            name, way = one.name, _way(one.pod)
            if by and way != by:
                saw = f"{name} brings the model in another way: {way or 'none of its own'}"
                return Seen(False, saw, f'lab.manifest("k8s/steps/05-{by}")')
            if on_any_node and way == "store":
                saw = f"{name} reads the store of another section, which is on one node"
                return Seen(False, saw, "a way in which each Pod has its own copy")
            had_at, ready_at = one.had_at, timeline.ready_at(one.pod)
            late_s = (had_at - ready_at).total_seconds() if had_at and ready_at else 0
            if way:
                late_s -= 1  # Kubernetes cuts off the fraction of the second
            if late_s > 0:
                saw = f"{name} had been Ready for {late_s:.1f} s when the model came"
                hint = "a way in which the Pod pulls it alone, as one has to that starts at night"
                return Seen(False, saw, hint)
        return Seen(True, f"{everywhere.saw}, and each had it before it was Ready")

    return check


def brought_and_served(session: Session) -> Seen:
    """One Pod of Deployment `ollama` brings its model, and Service `ollama` answers with it."""
    brought = pods_bring_model()(session)
    return service_probes.service_answers(session) if brought.passed else brought


def _way(pod: dict) -> str:
    """How a Pod comes by its model; empty when a person has to pull it.

    >>> _way({"spec": {"initContainers": [{"restartPolicy": "Always"}], "containers": [{}]}})
    'sidecar'
    """
    spec = pod["spec"]
    if any("persistentVolumeClaim" in volume for volume in spec.get("volumes", [])):
        return "store"
    for container in spec.get("initContainers", []):
        return "sidecar" if container.get("restartPolicy") == "Always" else "init"
    if any("postStart" in one.get("lifecycle", {}) for one in spec["containers"]):
        return "hook"
    baked = any(
        one["name"] == "OLLAMA_MODELS" for c in spec["containers"] for one in c.get("env", [])
    )
    return "baked" if baked else ""
