"""Disks that are full: evictions by resource, volumes with a limit, "no space left on device"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import Facts, container_of
from labkit.diagnosis.mistake import LOGGED, Mistake
from labkit.diagnosis.symptoms import named

# the kubelet's words: pkg/kubelet/eviction/helpers.go of Kubernetes 1.37
_EMPTY_DIR = re.compile(r'Usage of EmptyDir volume "[^"]+" exceeds the limit "[^"]+"')
_EPHEMERAL = re.compile(
    r"exceeded its local ephemeral storage limit|ephemeral local storage usage exceeds the total"
    r"|low on resource: (?:ephemeral-storage|nodefs|imagefs|inodes)|DiskPressure"
)
_MEMORY = re.compile(r"low on resource: memory|MemoryPressure")
_NO_SPACE = re.compile(r"[^\n]*no space left on device")
_QUOTA = re.compile(r"[^\n]*disk quota exceeded")
_PULLED = re.compile(r'\| 200 \|.*POST\s+"/api/(?:pull|create)"')


def _evicted(facts: Facts, pattern: re.Pattern) -> Iterator[tuple[dict, str]]:
    for pod in facts.pods:
        status = pod.get("status", {})
        said = status.get("message", "") if status.get("reason") == "Evicted" else ""
        if pattern.search(said):
            yield pod, " ".join(said.split())


def empty_dir(facts: Facts) -> str:
    return symptoms.first(_evicted(facts, _EMPTY_DIR))


def ephemeral(facts: Facts) -> str:
    return symptoms.first(_evicted(facts, _EPHEMERAL))


def memory(facts: Facts) -> str:
    return symptoms.first(_evicted(facts, _MEMORY))


def no_space(facts: Facts) -> str:
    """A write that failed, and no pull that succeeded since."""
    if found := _NO_SPACE.search(facts.error) or _QUOTA.search(facts.error):
        return f"a command reported: {symptoms.end_of(found[0])}"
    for pod in facts.pods:
        for container in [container_of(pod) or {}, *pod["spec"].get("initContainers", [])]:
            log = facts.log_of(pod, container.get("name", ""))
            found = list(_NO_SPACE.finditer(log))[-1:]
            if found and not _PULLED.search(log[found[0].end() :]):
                return f"{named(pod)} said: {symptoms.end_of(found[0][0])}"
    return ""


ROWS = (
    Mistake(
        "volume-over-its-limit",
        "Evicted: Usage of EmptyDir volume … exceeds the limit",
        "the models need more than the emptyDir's sizeLimit",
        "a larger sizeLimit, a claim in its place, or a smaller model",
        "kubectl describe pods",
        "the status of Pods that were evicted",
        empty_dir,
        unless="the Pod in its place is ready",
    ),
    Mistake(
        "ephemeral-storage-used-up",
        "Evicted: ephemeral-storage; DiskPressure",
        "the container wrote more to its own disk than it or the node may use",
        "put the models on a volume (a claim), raise limits.ephemeral-storage, or free the"
        " node's disk",
        "kubectl describe nodes",
        "the status of Pods that were evicted",
        ephemeral,
        unless="the Pod in its place is ready",
        rules_out=("taint-not-tolerated",),
    ),
    Mistake(
        "node-low-on-memory",
        "Evicted: The node was low on resource: memory",
        "the node ran out of memory, and this Pod used more than it requested",
        "write requests.memory as large as the model needs; fewer or smaller models on that node",
        "kubectl describe nodes",
        "the status of Pods that were evicted",
        memory,
        unless="the Pod in its place is ready",
        rules_out=("memory-limit",),
    ),
    Mistake(
        "no-space-left",
        "a pull ends with: no space left on device",
        "the disk or the claim on which the models are is full",
        "remove models (ollama rm), enlarge the claim, or pull a smaller one",
        "kubectl exec deployment/ollama -- df -h",
        "Ollama's log, the error",
        no_space,
        sure=LOGGED,
        unless="a pull succeeded since",
        rules_out=("misspelt-model", "hook-misspelt-model", "hook-before-server"),
    ),
)
