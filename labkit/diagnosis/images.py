"""Images that a registry refuses, in the kubelet's words; the classic rows have the names."""

from __future__ import annotations

import re

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import Facts, not_pulled
from labkit.diagnosis.mistake import Mistake
from labkit.diagnosis.symptoms import named
from labkit.kube import pod_status

_TLS = re.compile(r"server gave HTTP response to HTTPS client|x509: [^\n\"]+")
_LOGIN = re.compile(
    r"(?:401 Unauthorized|403 Forbidden|no basic auth credentials|authorization failed"
    r"|authentication required|unauthorized: [^\n\"]+)"
)
_RATE = re.compile(r"toomanyrequests[^\n\"]*|429 Too Many Requests")
_ABSENT = re.compile(r"not found|manifest unknown|does not exist|NotFound")
_DISK = re.compile(r"no space left on device")


def _said(facts: Facts, pattern: re.Pattern, unless: re.Pattern | None = None) -> str:
    for pod in facts.pods:
        for container, image in not_pulled(pod).items():
            said = symptoms.pull_said(facts, pod, container, image)
            found = pattern.search(said)
            if found and facts.registry.get(image) != 200 and not (unless and unless.search(said)):
                return f"{named(pod)} wants {image}: {symptoms.end_of(found[0])}"
    return ""


def tls(facts: Facts) -> str:
    return _said(facts, _TLS)


def login(facts: Facts) -> str:
    return _said(facts, _LOGIN, unless=_ABSENT)


def rate(facts: Facts) -> str:
    return _said(facts, _RATE)


def disk(facts: Facts) -> str:
    return _said(facts, _DISK)


def never(facts: Facts) -> str:
    for pod in facts.pods:
        for status in pod_status.statuses(pod):
            waiting = status.get("state", {}).get("waiting", {})
            if waiting.get("reason") == "ErrImageNeverPull":
                return f"{named(pod)}: {waiting.get('message') or status.get('image', '')}"
    return ""


_NAMES = ("registry-down", "misspelt-image", "unknown-tag")
ROWS = (
    Mistake(
        "image-registry-tls",
        "ImagePullBackOff: server gave HTTP response to HTTPS client; x509: certificate",
        "the registry speaks plain HTTP, or has a certificate that the node does not trust",
        "tell the node's container runtime (hosts.toml of containerd), or give the registry a"
        " certificate; a Pod cannot change it",
        "kubectl events --types=Warning",
        "the kubelet's message about the image",
        tls,
        unless="another Pod of that node pulls from the same registry",
        rules_out=_NAMES,
    ),
    Mistake(
        "image-needs-login",
        "ImagePullBackOff: 401 Unauthorized, authorization failed, no basic auth credentials",
        "the registry wants a user for that image, and the Pod names no valid imagePullSecrets",
        "kubectl create secret docker-registry …, and name it in imagePullSecrets",
        "kubectl get pods --output=jsonpath={..imagePullSecrets}",
        "the kubelet's message about the image",
        login,
        unless="the image is public; then its name is wrong",
        rules_out=_NAMES,
    ),
    Mistake(
        "image-rate-limit",
        "ImagePullBackOff: toomanyrequests",
        "the registry allows no more pulls from this address for now",
        "wait, log in with imagePullSecrets, or pull from a mirror",
        "kubectl events --types=Warning",
        "the kubelet's message about the image",
        rate,
        unless="the message does not name the registry",
        rules_out=_NAMES,
    ),
    Mistake(
        "image-disk-full",
        "ImagePullBackOff: no space left on device",
        "the node has no room for the image",
        "free the node's disk: docker system df shows what uses the host's",
        "kubectl describe nodes",
        "the kubelet's message about the image",
        disk,
        unless="the node's condition DiskPressure is False and its disk has room",
        rules_out=_NAMES,
    ),
    Mistake(
        "image-never-pulled",
        "ErrImageNeverPull",
        "imagePullPolicy is Never, and the node does not have the image",
        "imagePullPolicy: IfNotPresent; or load the image into each node",
        "kubectl describe pods",
        "the state of its containers",
        never,
        unless="crictl images on that node lists it",
    ),
)
