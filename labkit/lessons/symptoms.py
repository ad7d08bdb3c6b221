"""What facts show directly: who listens where, who was killed, what clients were told.

Pure readers of `facts.Facts`, which the mistakes of rules.py share.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from labkit.kube import pod_status, refs
from labkit.kube.proxy import OLLAMA_PORT
from labkit.lessons import facts as gathered
from labkit.lessons.facts import Facts, container_of, has, runs, status_of
from labkit.ui import units

_LISTENS = re.compile(r"Listening on (\S+):(\d+)")
_NOT_THERE = re.compile(r"not found|NotFound|manifest unknown|does not exist|access denied")
# a prompt in Ollama's access log: when it ended, with which status, how long it took
_PROMPT = re.compile(
    r"\[GIN\] (\S+ - \S+) \|\s*(200|500) \|\s*(\S+) \|.*POST\s+"
    r'"/(?:api/generate|api/chat|v1/chat/completions|v1/completions|v1/responses|v1/messages)"'
)
# Ollama 0.34 says "chat request" too
_LEFT = re.compile(r"aborting (completion|chat) request due to client closing the connection")
_KILLED = 128 + 9
SETTLED_S = 5.0  # what began a moment ago is late, not broken


def listens(facts: Facts, pod: dict) -> tuple[str, int]:
    """Where a Pod's Ollama listens: by its own word, by its environment, or as always.

    With a proxy before it in its Pod, where that listens.
    """
    sidecars = pod["spec"].get("initContainers", [])
    if any(port["containerPort"] == OLLAMA_PORT for c in sidecars for port in c.get("ports", [])):
        return "", OLLAMA_PORT
    container = container_of(pod) or {}
    log = facts.logs.get((pod["metadata"]["name"], container.get("name", "")), "")
    if found := _LISTENS.search(log):
        return found[1].strip("[]"), int(found[2])
    given = {one["name"]: one.get("value", "") for one in container.get("env", [])}
    host, _, port = given.get("OLLAMA_HOST", "").rpartition("//")[2].partition(":")
    return host, int(port) if port.isdecimal() else OLLAMA_PORT


def named(item: dict) -> str:
    """As kubectl names a Pod or a Service: "pod/ollama"."""
    kind = "pod" if "containers" in item["spec"] else "service"
    return f"{kind}/{item['metadata']['name']}"


def labels_of(pod: dict) -> str:
    """Its labels as kubectl writes them, without the one that a Deployment adds.

    >>> labels_of({"metadata": {"labels": {"app": "x", "pod-template-hash": "57f"}}})
    'app=x'
    """
    labels = pod["metadata"].get("labels", {})
    said = [f"{key}={value}" for key, value in labels.items() if key != "pod-template-hash"]
    return ",".join(said) or "no label"


def end_of(message: str) -> str:
    """The end of a long message: the reason is there."""
    text = " ".join(message.split())
    return text if len(text) <= 200 else f"… {text[-200:]}"


def not_created(facts: Facts, said: str) -> str:
    """What the API server reports of Pods that it refuses now, or of objects that it was sent."""
    troubles = [pod_status.workload_trouble(one, facts.told(one)) for one in facts.deployments]
    for message in [*(one.message for one in troubles if one), facts.error]:
        if found := re.search(said, message):
            return f"the API server reported: {found[0].strip()}"
    return ""


def statuses(facts: Facts) -> Iterator[tuple[dict, dict]]:
    """Each Pod with the status of each of its containers."""
    for pod in facts.pods:
        status = pod.get("status", {})
        for one in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
            yield pod, one


def not_pulled(facts: Facts) -> Iterator[tuple[dict, str, str]]:
    """Pod, image, and "silent" or "absent", of each container whose image cannot be had.

    What the kubelet says names the last registry that it tried, and that need not be the one
    which matters: so the lab's own is asked too, where there is one.
    """
    for pod in facts.pods:
        for container, image in gathered.not_pulled(pod).items():
            waits = status_of(pod, container)["state"]["waiting"]
            told = [
                one.get("message", "") for one in facts.told(pod) if one.get("reason") == "Failed"
            ]
            said = " ".join([waits["reason"], waits.get("message", ""), *told])
            code = facts.registry.get(image, 404 if _NOT_THERE.search(said) else None)
            if code in (0, None) and waits["reason"] != "InvalidImageName":
                yield pod, image, "silent"
            elif code != 200:  # it may be there since a moment ago
                yield pod, image, "absent"


def hooks_failed(facts: Facts) -> list[dict]:
    """Pods whose postStart hook fails."""
    troubles = [(pod, pod_status.trouble(pod, facts.told(pod))) for pod in facts.pods]
    return [pod for pod, found in troubles if found and found.reason == "FailedPostStartHook"]


def out_of_memory(facts: Facts) -> Iterator[tuple[dict, str, str]]:
    """Pod, container and what shows it, of each that the kernel killed at its limit."""
    for pod, status in statuses(facts):
        limit = _spec_of(pod, status["name"]).get("resources", {}).get("limits", {}).get("memory")
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
            if condition.get("reason") == "Unschedulable" and condition["status"] == "False":
                yield pod, condition.get("message", "")


def selected(facts: Facts, service: dict) -> list[dict]:
    """The Pods that a Service selects, ready or not."""
    wanted = (service["spec"].get("selector") or {}).items()
    labels = [(pod, pod["metadata"].get("labels", {}).items()) for pod in facts.pods]
    return [pod for pod, there in labels if wanted and wanted <= there]


def unheard(facts: Facts) -> list[dict]:
    """Pods whose Ollama runs, and does not answer from outside of the Pod."""
    return [pod for pod in facts.pods if runs(pod) and pod["metadata"]["name"] not in facts.held]


def lost(facts: Facts) -> Iterator[tuple[dict, dict, dict, int]]:
    """Service, its first port, a Pod, and where that listens: where no port leads there."""
    for service in facts.services:
        ports = service["spec"].get("ports", [])
        for pod in filter(runs, selected(facts, service)):
            _, listened = listens(facts, pod)
            leads = [number_of(pod, port.get("targetPort", port["port"])) for port in ports]
            if ports and listened not in leads:
                yield service, ports[0], pod, listened


def number_of(pod: dict, port: int | str | None) -> int | None:
    """The number of a Pod's port, which may be named; None for a name that it lacks."""
    if isinstance(port, int) or str(port).isdecimal():
        return int(port)
    ports = [one for container in pod["spec"]["containers"] for one in container.get("ports", [])]
    return next((one["containerPort"] for one in ports if one.get("name") == port), None)


def clients(facts: Facts) -> Iterator[tuple[str, str]]:
    """What a client was told, and the words of its command.

    The error that was given, and each container other than Ollama with its log.
    """
    yield facts.error, facts.error
    for pod in facts.pods:
        main = (container_of(pod) or {}).get("name")
        for (of, container), text in facts.logs.items():
            if of == pod["metadata"]["name"] and container != main:
                spec = _spec_of(pod, container)
                words = [*spec.get("command", []), *spec.get("args", [])]
                yield text, " ".join(words + [one.get("value", "") for one in spec.get("env", [])])


def lacking(facts: Facts) -> list[str]:
    """Pods whose Ollama answers and does not have the lab's model; one may still be bringing it."""
    return sorted(
        pod["metadata"]["name"]
        for pod in facts.pods
        if not has(facts.held.get(pod["metadata"]["name"], [facts.model]), facts.model)
        and (refs.ready(pod) or seconds_run(pod) >= SETTLED_S)
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


def seconds_run(pod: dict) -> float:
    """How long its Ollama has run."""
    status = status_of(pod, container_of(pod)["name"])
    begun = units.moment_of(status["state"]["running"]["startedAt"])
    return (datetime.datetime.now(datetime.UTC) - begun).total_seconds()


def _spec_of(pod: dict, name: str) -> dict:
    every = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    return next((one for one in every if one["name"] == name), {})
