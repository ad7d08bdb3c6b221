"""Reads Pods and workloads: what keeps them from being ready, and what they are at just now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from labkit.ui import units
from labkit.ui.terminal import cut

MESSAGE = 400  # characters of a message that are shown


class Trouble(NamedTuple):
    """Why something cannot become ready without a change.

    `reason` is Kubernetes' own word. `holds_s`: some troubles pass when another object
    arrives, and are believed only after they stood that many seconds.
    """

    reason: str
    message: str
    hint: str
    holds_s: float = 0.0


_KILLED = 128 + 9
_HINTS = {
    "ImagePullBackOff": "correct the image's name or tag",
    "InvalidImageName": "correct the image's name: no capitals, no blanks",
    "ErrImageNeverPull": "the node has no such image, and imagePullPolicy forbids to pull it",
    "CrashLoopBackOff": 'lab.logs("pod/{pod}", previous=True) shows its last words',
    "OOMKilled": "raise resources.limits.memory, or take a smaller model",
    "Unschedulable": "ask for less in resources.requests, or free a node",
    "FailedPostStartHook": "correct lifecycle.postStart: its failure kills the container",
    "RunContainerError": "correct the command: the image has no such program",
    "StartError": "correct the command: the image has no such program",
    "CreateContainerConfigError": "create the Secret or ConfigMap that it names",
    "FailedMount": "create what the volume names, or correct the name",
    "FailedCreate": "the quota: kubectl describe quota; else read its message",
    "BackoffLimitExceeded": 'lab.logs("job/{pod}") shows the last words of its Pods',
    "ProgressDeadlineExceeded": "lab.events() shows what its Pods lack",
    "DeploymentPaused": "kubectl rollout resume deployment/{pod}",
    "Evicted": "the node ran out of something: give it less to do, then create the Pod again",
    "Completed": 'it has ended: lab.logs("pod/{pod}"), or'
    ' until="jsonpath={{.status.phase}}=Succeeded"',
}
# seconds that a trouble must stand: an object that was applied together may come late
_HOLDS = {"CreateContainerConfigError": 3.0, "CreateContainerError": 3.0, "FailedMount": 10.0}
# a kubelet that has not heard of a ConfigMap yet; while a hook runs, it does not take that back
_SYNC, _SYNC_HOLDS_S = "failed to sync", 30.0
# the shortest back-off is ten seconds; a container that ended long ago is restarted at once
_BACK_OFF_HOLDS_S = 3.0
# ErrImagePull is the first try, a container that ended will be restarted: no verdict yet
_VERDICTS = {
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PostStartHookError",
}


def trouble(pod: dict, events: Iterable[dict] = ()) -> Trouble | None:
    """What keeps this Pod from becoming ready; None when nothing does, or it may still.

    >>> waiting = {"reason": "ImagePullBackOff", "message": "no such tag"}
    >>> status = {"containerStatuses": [{"name": "main", "state": {"waiting": waiting}}]}
    >>> trouble({"metadata": {"name": "x"}, "status": status})[:2]
    ('ImagePullBackOff', 'container main: no such tag')

    What only events tell (a failed postStart hook, a volume that is not there) is found
    when the Pod's events are given too.
    """
    status = pod.get("status", {})
    if "deletionTimestamp" in pod.get("metadata", {}):
        return None
    if status.get("phase") in ("Failed", "Succeeded"):
        return _ended(pod)
    for condition in status.get("conditions", []):
        if condition.get("reason") == "Unschedulable" and condition["status"] == "False":
            # a volume that is bound late is no lack of room
            holds = 20.0 if "unbound immediate" in condition.get("message", "") else 2.0
            return _named(pod, "Unschedulable", condition.get("message", ""), holds)
    events = list(events)
    told = {event.get("reason"): event.get("message", "") for event in events}
    for container in statuses(pod):
        waiting = container.get("state", {}).get("waiting", {})
        # kubelets write "PostStartHookError: …" as the reason, too
        reason, _, more = waiting.get("reason", "").partition(": ")
        if reason in _VERDICTS:
            return _stuck(pod, container, reason, waiting.get("message") or more, told)
        if _ended_again(pod, container):
            found = _stuck(pod, container, "CrashLoopBackOff", "", told)
            return found._replace(holds_s=_BACK_OFF_HOLDS_S)
        if reason == "ContainerCreating" and _mounts_fail(events):
            return _named(pod, "FailedMount", told["FailedMount"])
    return None


def _ended_again(pod: dict, container: dict) -> bool:
    """Did it end more than once, and is it to be restarted?

    A kubelet writes CrashLoopBackOff at its next look at the Pod. Newer ones (1.37) need not look
    before the back-off is over: the container stays `terminated` until then, up to five minutes.

    >>> ended = {"terminated": {"exitCode": 1}}
    >>> _ended_again({}, {"restartCount": 2, "state": ended, "lastState": ended})
    True
    """
    code = container.get("state", {}).get("terminated", {}).get("exitCode")
    if code is None or not container.get("restartCount") or not container.get("lastState"):
        return False
    if container in pod.get("status", {}).get("initContainerStatuses", []):
        return bool(code)
    policy = pod.get("spec", {}).get("restartPolicy", "Always")
    return policy == "Always" or (policy == "OnFailure" and bool(code))


def _mounts_fail(events: list[dict]) -> bool:
    """Is that the latest? A pull that came after it has all its volumes.

    >>> _mounts_fail([{"reason": "FailedMount"}, {"reason": "Pulling"}])
    False
    """
    reasons = [event.get("reason") for event in events]
    seen = [one for one in reasons if one in ("FailedMount", "Pulling", "Pulled", "Created")]
    return seen[-1:] == ["FailedMount"]


def workload_trouble(item: dict, events: Iterable[dict] = ()) -> Trouble | None:
    """What keeps a Deployment, Job, StatefulSet … from its Pods: quota, deadline, failures.

    >>> failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    >>> workload_trouble({"status": {"conditions": [failed]}}).reason
    'BackoffLimitExceeded'
    """
    status, spec = item.get("status", {}), item.get("spec", {})
    for condition in status.get("conditions", []):
        bad = {"Failed": "True", "ReplicaFailure": "True", "Progressing": "False"}
        if bad.get(condition["type"]) == condition["status"]:
            holds = 2.0 if condition["type"] == "ReplicaFailure" else 0.0
            return _named(item, condition.get("reason", ""), condition.get("message", ""), holds)
    wanted = status.get("desiredNumberScheduled", spec.get("replicas", 1))
    if spec.get("paused") and status.get("updatedReplicas", 0) < wanted:
        said = "it is paused, and its template has changed: no Pod is made of the new one"
        return _named(item, "DeploymentPaused", said, 3.0)
    made = sum(status.get(key, 0) for key in ("active", "succeeded", "currentNumberScheduled"))
    if max(made, status.get("replicas", 0)) < wanted:
        for event in reversed(list(events)):
            if event.get("reason") == "FailedCreate":
                return _named(item, "FailedCreate", event.get("message", ""), 2.0)
    return None


def pod_doing(pod: dict, events: Sequence[dict] = ()) -> str:
    """What the Pod is at, in words.

    >>> pod_doing({"status": {"phase": "Pending"}}, [{"message": 'Pulling image "ollama"'}])
    'Pending: pulling image ollama'
    """
    status = pod.get("status", {})
    phase = status.get("phase", "Unknown")
    if "deletionTimestamp" in pod.get("metadata", {}):
        return "Terminating"
    for container in statuses(pod):
        reason = container.get("state", {}).get("waiting", {}).get("reason", "")
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            return f"{phase}: {reason}"
    if phase == "Pending" and events:
        first = events[-1].get("message", "").partition("\n")[0].replace('"', "")
        said = cut(first[:200], 100)
        return f"Pending: {said[:1].lower()}{said[1:]}"
    if phase == "Running":
        ready = [container.get("ready", False) for container in statuses(pod, init=False)]
        return f"Running: {sum(ready)} of {units.count(len(ready), 'container')} ready"
    return phase


def statuses(pod: dict, *, init: bool = True) -> list[dict]:
    """The status of each container that has one, `init` containers first.

    >>> statuses({"status": {"initContainerStatuses": [1], "containerStatuses": [2]}})
    [1, 2]
    """
    status = pod.get("status", {})
    first = status.get("initContainerStatuses", []) if init else []
    return [*first, *status.get("containerStatuses", [])]


def restarts(pod: dict) -> int:
    """How often its containers have restarted, without its init containers."""
    return sum(one["restartCount"] for one in statuses(pod, init=False))


def exit_code(pod: dict) -> int | None:
    """That of its container; None while it has not ended."""
    ends = (one["state"].get("terminated") for one in statuses(pod, init=False))
    return next((end["exitCode"] for end in ends if end), None)


def _named(item: dict, reason: str, message: str, holds_s: float | None = None) -> Trouble:
    hint = _HINTS.get(reason, "read its message")
    name = item.get("metadata", {}).get("name", "")
    holds_s = _HOLDS.get(reason, 0.0) if holds_s is None else holds_s
    return Trouble(reason, cut(message[:MESSAGE], MESSAGE - 1), hint.format(pod=name), holds_s)


def _stuck(pod: dict, container: dict, reason: str, message: str, told: dict) -> Trouble:
    last = (
        container.get("state", {}).get("terminated")
        or container.get("lastState", {}).get("terminated")
        or {}
    )
    restarts = container.get("restartCount", 0)
    if reason == "PostStartHookError" or (
        reason == "CrashLoopBackOff" and "FailedPostStartHook" in told
    ):
        # the event alone is as short as "PostStartHook failed"
        message = message if reason == "PostStartHookError" else told["FailedPostStartHook"]
        reason = "FailedPostStartHook"
    elif reason == "CrashLoopBackOff" and last.get("reason") == "OOMKilled":
        reason, message = "OOMKilled", _over_limit(pod, container)
    elif reason == "CrashLoopBackOff":
        times = f"{restarts} restart{'s' * (restarts != 1)}"
        said = last.get("message", "")
        message = f"exit code {last.get('exitCode', '?')}, {times}{said and f': {said}'}"
    holds_s = _SYNC_HOLDS_S if message.startswith(_SYNC) else None
    found = _named(pod, reason, f"container {container['name']}: {message}", holds_s)
    # a container that ran out of memory is not always told as such, but 137 is a kill
    if reason == "CrashLoopBackOff" and last.get("exitCode") == _KILLED:
        return found._replace(hint=f"it was killed: {_HINTS['OOMKilled']}; or {found.hint}")
    return found


def _ended(pod: dict) -> Trouble:
    status = pod["status"]
    if "reason" in status:  # the kubelet's or the node's own verdict: Evicted, OutOfmemory …
        return _named(pod, status["reason"], status.get("message", ""))
    for container in statuses(pod):
        ended = container.get("state", {}).get("terminated", {})
        if ended.get("exitCode"):
            reason = ended.get("reason", "Error")
            said = ended.get("message") or f"exit code {ended['exitCode']}"
            if reason == "OOMKilled":
                said = _over_limit(pod, container)
            return _named(pod, reason, f"container {container['name']}: {said}")
    if status["phase"] == "Succeeded":
        return _named(pod, "Completed", "all its containers ended with exit code 0")
    return _named(pod, "Failed", status.get("message", "phase Failed"))


def _over_limit(pod: dict, container: dict) -> str:
    for spec in pod.get("spec", {}).get("containers", []):
        limit = spec.get("resources", {}).get("limits", {}).get("memory")
        if spec.get("name") == container["name"] and limit:
            return f"wanted more memory than its limit of {limit}"
    return "wanted more memory than it may have"
