"""What facts show directly: who listens where, who was killed, what clients were told.

Pure readers of `facts.Facts`, which the rules share.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator

from labkit.diagnosis import facts as gathered
from labkit.diagnosis.facts import (
    Facts,
    container_of,
    env,
    has,
    status_of,
    words,
)
from labkit.kube import pod_status, refs
from labkit.ui import units

_SILENT = re.compile(
    r"failed to do request|dial tcp|connection refused|no such host|no route to host|unreachable"
    r"|i/o timeout|timed out|deadline exceeded|reset by peer|\bEOF\b|\b50[0234] [A-Z]"
)
_NOT_THERE = re.compile(r"not found|NotFound|manifest unknown|does not exist|access denied")
# a prompt in Ollama's access log: when it ended, with which status, how long it took
_PROMPT = re.compile(
    r"\[GIN\] (\S+ - \S+) \|\s*(200|500) \|\s*(\S+) \|.*POST\s+"
    r'"/(?:api/generate|api/chat|v1/chat/completions|v1/completions|v1/responses|v1/messages)"'
)
# Ollama 0.34 says "chat request" too
_LEFT = re.compile(r"aborting (completion|chat) request due to client closing the connection")
_KILLED = 128 + 9
_OF_CONTROLLERS = (  # labels that a controller adds to its Pods
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
)
LAST = 10  # lines of a client's log that are about now
LONG_S = 600.0  # a container that has been ready for so long is well
PULL_REQUEST = re.compile(r'POST\s+"/api/pull"')  # in Ollama's access log
SETTLED_S = 5.0  # what began a moment ago is late, not broken


def named(item: dict) -> str:
    """As kubectl names a Pod or a Service: "pod/ollama"."""
    kind = "pod" if "containers" in item["spec"] else "service"
    return f"{kind}/{item['metadata']['name']}"


def labels_of(pod: dict) -> str:
    """Its labels as kubectl writes them, without those that its controller adds.

    >>> labels_of({"metadata": {"labels": {"app": "x", "pod-template-hash": "57f"}}})
    'app=x'
    """
    labels = pod["metadata"].get("labels", {})
    said = [f"{key}={value}" for key, value in labels.items() if key not in _OF_CONTROLLERS]
    return ",".join(said) or "no label"


def end_of(message: str) -> str:
    """The end of a long message: the reason is there."""
    text = " ".join(message.split())
    return text if len(text) <= 200 else f"… {text[-200:]}"


def not_created(facts: Facts, said: str) -> str:
    """What the API server reports of Pods that it refuses now, or of objects that it was sent."""
    for message in refusals(facts):
        if found := re.search(said, message):
            return f"the API server reported: {found[0].strip()}"
    return ""


def refusals(facts: Facts) -> Iterator[str]:
    """Why workloads get no Pods, in the words of their conditions and events; then the error."""
    for _, one in facts.workloads:
        if found := pod_status.workload_trouble(one, facts.told(one)):
            yield found.message
    yield " ".join(facts.error.split())


def statuses(facts: Facts) -> Iterator[tuple[dict, dict]]:
    """Each Pod with the status of each of its containers."""
    for pod in facts.pods:
        for one in pod_status.statuses(pod):
            yield pod, one


def not_pulled(facts: Facts) -> Iterator[tuple[dict, str, str]]:
    """Pod, image, and "silent" or "absent", of each container whose image cannot be had.

    What the kubelet says names the last registry that it tried, and that need not be the one
    which matters: so the lab's own is asked too, where there is one.
    """
    for pod in facts.pods:
        for container, image in gathered.not_pulled(pod).items():
            said = pull_said(facts, pod, container, image)
            known = 404 if _NOT_THERE.search(said) else 0 if _SILENT.search(said) else None
            if said.startswith("InvalidImageName"):
                known = 404
            code = facts.registry.get(image, known)
            if code == 0:
                yield pod, image, "silent"
            elif code not in (None, 200):  # it may be there since a moment ago
                yield pod, image, "absent"


def pull_said(facts: Facts, pod: dict, container: str, image: str) -> str:
    """Why that container's image cannot be had: its state, and the last event about this image.

    A Pod may have several, and an earlier name of one that has been corrected.
    """
    waits = status_of(pod, container)["state"]["waiting"]
    told = [one for one in facts.said(pod, "Failed") if f'image "{image}"' in one][-1:]
    return " ".join([waits["reason"], waits.get("message", ""), *told])


def hooks_failed(facts: Facts) -> list[dict]:
    """Pods whose postStart hook fails."""
    troubles = [(pod, pod_status.trouble(pod, facts.told(pod))) for pod in facts.pods]
    return [pod for pod, found in troubles if found and found.reason == "FailedPostStartHook"]


def memory_limit(container: dict) -> str | None:
    """Of a container, as its manifest has it; None where there is none."""
    return container.get("resources", {}).get("limits", {}).get("memory")


def out_of_memory(facts: Facts) -> Iterator[tuple[dict, str, str]]:
    """Pod, container and what shows it, of each that the kernel killed at its limit."""
    for pod, status in statuses(facts):
        if is_settled(facts, status):
            continue
        limit = memory_limit(_spec_of(pod, status["name"]))
        for state in (status.get("state", {}), status.get("lastState", {})):
            ended, waits = state.get("terminated", {}), state.get("waiting", {})
            said = f"{ended.get('message', '')} {waits.get('message', '')}"
            known = ended.get("reason") == "OOMKilled" or "OOM-killed" in said
            if known or (limit and _killed_at_once(pod, ended)):
                yield pod, status["name"], f"killed at its memory limit of {limit}"


def _killed_at_once(pod: dict, ended: dict) -> bool:
    """By the kernel, then: the kubelet kills only after the grace period.

    containerd does not always notice why a container was killed.
    """
    begun, over = ended.get("startedAt"), ended.get("finishedAt")
    if ended.get("exitCode") != _KILLED or not (begun and over):  # a lost container has no times
        return False
    lived = units.moment_of(over) - units.moment_of(begun)
    return lived.total_seconds() < pod["spec"].get("terminationGracePeriodSeconds", 30)


def unplaced(facts: Facts) -> Iterator[tuple[dict, str]]:
    """Each Pod that no node takes, and the scheduler's word on it."""
    for pod in facts.pods:
        for condition in pod.get("status", {}).get("conditions", []):
            is_stuck = condition.get("reason") == "Unschedulable" and condition["status"] == "False"
            if is_stuck and not _node_comes(facts, pod):
                yield pod, condition.get("message", "")


def _node_comes(facts: Facts, pod: dict) -> bool:
    """Is an autoscaler at it, by its last word? A node may take a quarter of an hour."""
    known = ("TriggeredScaleUp", "NotTriggerScaleUp", "FailedScaleUp", "Nominated")
    last = [one["reason"] for one in facts.told(pod) if one.get("reason") in known][-1:]
    return last in (["TriggeredScaleUp"], ["Nominated"]) and age_s(facts, pod) < 900


def first(found: Iterable[tuple[dict, str]]) -> str:
    """The first Pod with what is said of it, as a rule says it; empty without any."""
    return next((f"{named(pod)}: {said}" for pod, said in found), "")


def clients(facts: Facts, *, ill: bool = False) -> Iterator[tuple[str, str]]:
    """What a client was told, and the words of its command.

    The error that was given, and the last lines of each container other than Ollama. One that
    ended with exit code 0 has got what it wanted; with `ill`, one that is ready has so too.
    """
    yield facts.error, facts.error
    for pod in facts.pods:
        main = (container_of(pod) or {}).get("name")
        for (of, container), log in facts.logs.items():
            status = status_of(pod, container)
            ended = status.get("state", {}).get("terminated", {})
            if ill and status.get("ready"):
                continue
            if of == pod["metadata"]["name"] and container != main and ended.get("exitCode") != 0:
                text = "\n".join([line for line in log.splitlines() if line.strip()][-LAST:])
                spec = _spec_of(pod, container)
                yield text, " ".join([words(spec), *env(spec).values()])


def lacking(facts: Facts) -> list[str]:
    """Pods whose Ollama answers and does not have the lab's model; one may still be bringing it."""
    return sorted(
        pod["metadata"]["name"]
        for pod in facts.pods
        if facts.model
        and not has(facts.held.get(pod["metadata"]["name"], [facts.model]), facts.model)
        and (refs.ready(pod) or seconds_run(facts, pod) >= SETTLED_S)
    )


def waited_in_vain(log: str) -> float:
    """How many seconds a prompt waited for its turn before its client left, the longest if several.

    0.0 when none did since the last answer: what is answered meanwhile shows a busy server.
    """
    answered, rest = datetime.datetime.min, log
    for prompt in _PROMPT.finditer(log):
        if prompt[2] == "200":
            answered, rest = _ended(prompt), log[prompt.end() :]
    if not _LEFT.search(rest):
        return 0.0
    # the log has whole seconds: an answer of the one in which it began may have come before
    waits = [
        took_s
        for prompt in _PROMPT.finditer(rest)
        if (took_s := units.duration_s(prompt[3])) - 1 < (_ended(prompt) - answered).total_seconds()
    ]
    return max(waits, default=0.0)


def _ended(prompt: re.Match) -> datetime.datetime:
    return datetime.datetime.strptime(prompt[1], "%Y/%m/%d - %H:%M:%S")


def seconds_run(facts: Facts, pod: dict) -> float:
    """How long its Ollama has run."""
    status = status_of(pod, container_of(pod)["name"])
    return seconds_since(facts, status["state"]["running"]["startedAt"])


def patience_s(pod: dict) -> float:
    """How long its Ollama may take to be ready: half a minute, or what its probe allows."""
    probe = (container_of(pod) or {}).get("readinessProbe", {})
    tries = probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
    return max(30.0, probe.get("initialDelaySeconds", 0) + tries)


def is_settled(facts: Facts, status: dict, after_s: float = LONG_S) -> bool:
    """Is that container ready, and has run longer than that? Its last end is past."""
    begun = status.get("state", {}).get("running", {}).get("startedAt")
    return bool(begun and status.get("ready")) and seconds_since(facts, begun) > after_s


def age_s(facts: Facts, item: dict) -> float:
    """Of an object; one that does not say when it was made is old."""
    born = item["metadata"].get("creationTimestamp")
    return seconds_since(facts, born) if born else float("inf")


def seconds_since(facts: Facts, moment: str) -> float:
    """How long before the facts were taken that was, in Kubernetes' own form of a time."""
    taken = units.moment_of(facts.taken) if facts.taken else datetime.datetime.now(datetime.UTC)
    return (taken - units.moment_of(moment)).total_seconds()


def _spec_of(pod: dict, name: str) -> dict:
    every = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    return next((one for one in every if one["name"] == name), {})
