"""What keeps a container from its start: Secrets, rights, processors, limits of the host."""

from __future__ import annotations

import re

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import Facts, not_pulled
from labkit.diagnosis.mistake import Mistake
from labkit.diagnosis.programs import failing, last_message
from labkit.diagnosis.symptoms import named
from labkit.kube import pod_status

_CONFIG = re.compile(
    r"(?:secret|configmap)s? \"[^\"]+\" not found"
    r"|couldn't find key \S+ in (?:Secret|ConfigMap) [^\s,]+"
    r"|references non-existent (?:secret|config) key: \S+"
)
_ROOT = re.compile(
    r"container has runAsNonRoot and image (?:will run as root|has non-numeric user \([^)]*\))"
    r"|container's runAsUser breaks non-root policy"
)
_ARCH = re.compile(r"exec format error|no match for platform in manifest")
_INOTIFY = re.compile(
    r"[^\n]*(?:inotify|fsnotify)[^\n]*too many open files|[^\n]*inotify_init[^\n]*"
    r"|too many open files[^\n]*(?:inotify|fsnotify)[^\n]*"
)


def config(facts: Facts) -> str:
    for pod in facts.pods:
        if symptoms.age_s(facts, pod) < symptoms.SETTLED_S:
            continue  # what was applied together may come a moment later
        for status in pod_status.statuses(pod):
            waiting = status.get("state", {}).get("waiting", {})
            found = _CONFIG.search(waiting.get("message", ""))
            if found and waiting.get("reason") == "CreateContainerConfigError":
                return f"{named(pod)}, container {status['name']}: {found[0]}"
        if found := _mount(facts, pod, _CONFIG):
            return f"{named(pod)}: {found}"
    return ""


def _mount(facts: Facts, pod: dict, pattern: re.Pattern) -> str:
    """What its latest FailedMount says, while it waits for its volumes."""
    reasons = ("FailedMount", "Pulling", "Pulled", "Created")
    told = [one for one in facts.told(pod) if one.get("reason") in reasons]
    if pod.get("status", {}).get("phase") != "Pending" or not told:
        return ""
    if told[-1]["reason"] != "FailedMount":
        return ""
    found = pattern.search(told[-1].get("message", ""))
    return found[0] if found else ""


def as_root(facts: Facts) -> str:
    for pod in facts.pods:
        for status in pod_status.statuses(pod):
            said = status.get("state", {}).get("waiting", {}).get("message", "")
            if found := _ROOT.search(said):
                return f"{named(pod)}, container {status['name']}: {found[0]}"
    return ""


def architecture(facts: Facts) -> str:
    for pod, container, log in failing(facts):
        said = f"{last_message(pod, container['name'])} {log}"
        if found := _ARCH.search(said):
            return f"{named(pod)}, container {container['name']}: {found[0]}"
    for pod in facts.pods:
        for name, image in not_pulled(pod).items():
            if found := _ARCH.search(symptoms.pull_said(facts, pod, name, image)):
                return f"{named(pod)} wants {image}: {found[0]}"
    return ""


def inotify(facts: Facts) -> str:
    if found := _INOTIFY.search(facts.error):
        return f"a command reported: {symptoms.end_of(found[0])}"
    for pod, container, log in failing(facts):
        if found := _INOTIFY.search(log):
            where = f"{named(pod)}, container {container['name']}"
            return f"{where}: {symptoms.end_of(found[0])}"
    return ""


ROWS = (
    Mistake(
        "config-missing",
        'CreateContainerConfigError, FailedMount: secret or configmap "…" not found',
        "the Pod names a Secret, a ConfigMap or a key in it that is not in its namespace",
        "create it, correct its name, or set optional: true",
        "kubectl get secrets,configmaps",
        "the state of its containers, events FailedMount",
        config,
        unless="it is listed in the Pod's own namespace, with that key",
    ),
    Mistake(
        "image-runs-as-root",
        "CreateContainerConfigError: container has runAsNonRoot and image will run as root",
        "runAsNonRoot is set, and the container's user is root, or has a name and no number",
        "set runAsUser to a number, and HOME to a folder that this user may write",
        "kubectl describe pods",
        "the state of its containers",
        as_root,
        unless="runAsUser is a number other than 0",
        rules_out=("misspelt-command",),
    ),
    Mistake(
        "wrong-architecture",
        "exec format error; no match for platform in manifest",
        "the image is for another kind of processor than the node's",
        "use an image for this architecture, or a nodeSelector kubernetes.io/arch",
        "kubectl get nodes -o wide",
        "how containers ended, their logs, the kubelet's message about the image",
        architecture,
        unless="the image's index lists the node's architecture",
        rules_out=("misspelt-command", "misspelt-image", "unknown-tag", "registry-down"),
    ),
    Mistake(
        "inotify-limit",
        "too many open files, inotify_init, failed to create fsnotify watcher",
        "the host's limit of inotify instances is used up: all nodes of a kind cluster share it",
        "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
        "kubectl logs --namespace=kube-system daemonset/kube-proxy",
        "the error; logs of containers that end",
        inotify,
        unless="sysctl fs.inotify.max_user_instances is 512 or more",
        rules_out=("misspelt-command",),
    ),
)
