"""Pods that no node takes: the scheduler's message taken apart, and GPUs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import Facts, containers
from labkit.diagnosis.mistake import Mistake
from labkit.diagnosis.symptoms import named
from labkit.kube import refs

_GPU = re.compile(r"gpu|nvidia|amd\.com|habana|accelerator|cuda|rocm", re.IGNORECASE)
_PART = re.compile(r",\s+(?=\d+ )")
_NO_RUNTIME = re.compile(r'(?:RuntimeClass|no runtime for|runtimeclass\S*) "(?P<name>[^"]+)"[^:,]*')
# the scheduler's reasons, the one that decides first; the wording is that of Kubernetes 1.37
_KINDS = (
    (
        "gpu",
        re.compile(
            r"Insufficient (\S*gpu\S*|(?:nvidia|amd)\.com/\S+|habana\.ai/\S+)", re.IGNORECASE
        ),
    ),
    ("room", re.compile(r"Insufficient \S+|Too many pods")),
    ("claim", re.compile(r'persistentvolumeclaim "[^"]+" (not found|is being deleted)')),
    ("unbound", re.compile(r"unbound immediate PersistentVolumeClaims")),
    (
        "volume",
        re.compile(
            r"didn't match PersistentVolume's node affinity|volume node affinity conflict"
            r"|no available volume zone|ReadWriteOncePod access mode already in-use"
        ),
    ),
    ("port", re.compile(r"didn't have free ports for the requested pod ports")),
    ("spread", re.compile(r"anti-affinity rules|topology spread constraints")),
    ("selector", re.compile(r"didn't match Pod's node affinity/selector")),
    ("cordon", re.compile(r"were unschedulable")),
    # those that Kubernetes gives itself pass with their cause; 1.37 names no taint any more
    ("taint", re.compile(r"untolerated taint(?!s? \{node\.kubernetes\.io/)")),
    ("away", re.compile(r"untolerated taint")),
)


def reasons(message: str) -> dict[str, int]:
    """The scheduler's reasons, each with the number of nodes that it holds for.

    >>> reasons("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. "
    ...     "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.")
    {'Insufficient cpu': 1, 'node(s) were unschedulable': 2}
    >>> reasons('0/2 nodes are available: persistentvolumeclaim "a" not found. no new claims')
    {'persistentvolumeclaim "a" not found': 2}
    """
    head = re.split(r"\.\s+(?:no new claims|preemption:|not found$)", message)[0]
    total, _, rest = head.partition(" nodes are available:")
    found = {}
    for part in _PART.split(rest.strip().rstrip(".")):
        number, _, reason = part.strip().partition(" ")
        if number.isdecimal():
            found[reason.rstrip(".")] = int(number)
        elif part.strip():
            every = total.rpartition("/")[2]
            found[part.strip().rstrip(".")] = int(every) if every.isdecimal() else 0
    return found


def decisive(message: str) -> str:
    """The kind of reason that decides; "" for one that is not known.

    A node that could take the Pod if it had room says more than a control plane's taint.

    >>> decisive("0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated "
    ...     "taint(s). no new claims to deallocate")
    'room'
    """
    said = list(reasons(message)) or [message]
    return next((k for k, pattern in _KINDS if any(pattern.search(one) for one in said)), "")


def decides(facts: Facts, pod: dict, message: str) -> str:
    """The same of this Pod, by what the nodes are: "down" where one that would take it is away.

    The message does not name the nodes, so each is looked at: has it the Pod's labels, and no
    other taint than those that Kubernetes gives to one that is away?
    """
    kind = decisive(message)
    kinds = {one for reason in reasons(message) or [message] for one in [decisive(reason)]}
    if kind == "gpu":
        return _of_gpus(facts, pod, message, kinds)
    passes = {"selector", "volume", "taint", "away"}  # with a node that comes back
    away = [one for one in facts.nodes if not refs.ready(one)]
    if kinds <= passes and kinds & {"taint", "away"} and any(may_take(one, pod) for one in away):
        return "down"
    if kind == "selector" and any(_has_labels(one, pod) for one in facts.nodes):
        return next((k for k, _ in _KINDS if k in kinds - {"selector"}), kind)
    return kind


def _of_gpus(facts: Facts, pod: dict, message: str, kinds: set[str]) -> str:
    """Does no node offer a GPU, are those that do guarded by a taint, or are all GPUs taken?"""
    said = reasons(message)
    wanted = {found[1] for one in said for found in [_KINDS[0][1].search(one)] if found}
    offering = [
        one
        for one in facts.nodes
        if any(
            one.get("status", {}).get("allocatable", {}).get(name, "0") != "0" for name in wanted
        )
    ]
    guarded = [one for one in offering if not _tolerated(one, pod)]
    if any("taint {" in one and _GPU.search(one) for one in said) or (
        guarded and guarded == offering and "taint" in kinds
    ):
        return "taint"
    without = sum(n for one, n in said.items() if decisive(one) not in ("room", ""))
    total = message.partition(" nodes are available:")[0].rpartition("/")[2]
    has_rest = "room" in kinds and total.isdecimal() and without < int(total)
    return "room" if offering or has_rest else "gpu"


def may_take(node: dict, pod: dict) -> bool:
    """May that node take the Pod when it is well and has room? Only what is certain counts."""
    return _has_labels(node, pod) and _tolerated(node, pod)


def _has_labels(node: dict, pod: dict) -> bool:
    if "nodeAffinity" in (pod["spec"].get("affinity") or {}):
        return False  # not decided here
    labels = node["metadata"].get("labels") or {}
    return (pod["spec"].get("nodeSelector") or {}).items() <= labels.items()


def _tolerated(node: dict, pod: dict) -> bool:
    known = [one.get("key") for one in pod["spec"].get("tolerations") or []]
    return all(
        one["key"].startswith("node.kubernetes.io/")
        or one.get("effect") == "PreferNoSchedule"
        or one["key"] in known
        or None in known
        for one in node.get("spec", {}).get("taints") or []
    )


def waits(facts: Facts, kind: str) -> Iterator[tuple[dict, str]]:
    """Each Pod that waits for a node for that kind of reason, and what the scheduler says."""
    for pod, message in symptoms.unplaced(facts):
        is_late = symptoms.age_s(facts, pod) >= symptoms.SETTLED_S
        if is_late and decides(facts, pod, message) == kind:
            yield pod, _quoted(message)


def _quoted(message: str) -> str:
    return re.split(r"\.\s+(?:no new claims|preemption:)|\.$", message)[0]


def gpu(facts: Facts) -> str:
    """A GPU that no node has: by resource, by node selector, by runtime class."""
    for pod, message in waits(facts, "gpu"):
        return f"{named(pod)}: {message}"
    for pod, message in waits(facts, "selector"):
        if _wants_gpu(pod):
            return f"{named(pod)}: {message}"
    for said in [*symptoms.refusals(facts), *_sandboxes(facts)]:
        found = _NO_RUNTIME.search(said)
        if found and _GPU.search(found["name"]):
            return f"the cluster reported: {found[0].strip()}"
    return ""


def _wants_gpu(pod: dict) -> bool:
    spec = pod["spec"]
    asked = [*spec.get("nodeSelector", {}).items(), spec.get("affinity", {}).get("nodeAffinity")]
    limits = [one.get("resources", {}).get("limits", {}) for one in containers(pod)]
    return bool(_GPU.search(str([asked, limits, spec.get("runtimeClassName", "")])))


def _sandboxes(facts: Facts) -> Iterator[str]:
    for pod in facts.pods:
        if pod.get("status", {}).get("phase") == "Pending":
            yield from facts.said(pod, "FailedCreatePodSandBox")


def runtime_class(facts: Facts) -> str:
    for said in [*symptoms.refusals(facts), *_sandboxes(facts)]:
        if found := _NO_RUNTIME.search(said):
            return f"the cluster reported: {found[0].strip()}"
    return ""


def selector(facts: Facts) -> str:
    for pod, message in waits(facts, "selector"):
        wanted = pod["spec"].get("nodeSelector", {})
        said = ", ".join(f"{key}={value}" for key, value in wanted.items())
        return f"{named(pod)}{said and f' wants a node with {said}'}: {message}"
    return ""


def taint(facts: Facts) -> str:
    return symptoms.first(waits(facts, "taint"))


def cordon(facts: Facts) -> str:
    return symptoms.first(waits(facts, "cordon"))


def port(facts: Facts) -> str:
    return symptoms.first(waits(facts, "port"))


def spread(facts: Facts) -> str:
    return symptoms.first(waits(facts, "spread"))


def volume(facts: Facts) -> str:
    """A volume that is on another node: the scheduler's word, or the attacher's."""
    if found := symptoms.first(waits(facts, "volume")):
        return found
    for pod in facts.pods:
        if pod.get("status", {}).get("phase") != "Pending":
            continue
        reasons = ("FailedAttachVolume", "SuccessfulAttachVolume")
        said = (facts.said(pod, *reasons) or [""])[-1]
        if re.search(r"Multi-Attach|already (?:being )?used by|already (?:\w+ )?attached", said):
            return f"{named(pod)}: {symptoms.end_of(said)}"
    return ""


def claim(facts: Facts) -> str:
    return symptoms.first(waits(facts, "claim"))


ROWS = (
    Mistake(
        "gpu-on-no-node",
        "Pending: Insufficient nvidia.com/gpu, RuntimeClass not found, no node matches",
        "the Pod requests a GPU, and no node that it may run on has one that is free",
        "take nvidia.com/gpu, runtimeClassName and the GPU's nodeSelector away: Ollama then"
        " computes on the CPU; or install the device plugin of the GPU's maker",
        "kubectl describe nodes",
        "the scheduler's message, the refusal of the Pod, the Pod's selectors",
        gpu,
        unless="a node lists the resource under Allocatable, with some of it free",
        rules_out=("request-fits-no-node", "node-selector", "taint-not-tolerated", "runtime-class"),
    ),
    Mistake(
        "runtime-class",
        'RuntimeClass "…" not found; no runtime for "…" is configured',
        "the Pod names a container runtime that this cluster does not have",
        "take runtimeClassName away, or name one of: kubectl get runtimeclasses",
        "kubectl get runtimeclasses",
        "the refusal of the Pod, events FailedCreatePodSandBox",
        runtime_class,
        unless="the class is in kubectl get runtimeclasses, and its handler is on the node",
    ),
    Mistake(
        "node-selector",
        "Pending: didn't match Pod's node affinity/selector",
        "no node has the labels that the Pod selects",
        "correct nodeSelector or affinity; or label a node: kubectl label node NAME KEY=VALUE",
        "kubectl get nodes --show-labels",
        "the scheduler's message about the Pod",
        selector,
        unless="a ready node has all of these labels",
    ),
    Mistake(
        "taint-not-tolerated",
        "Pending: untolerated taint",
        "every node has a taint that the Pod does not tolerate",
        "add the toleration, or remove the taint: kubectl taint nodes NAME KEY-",
        "kubectl describe nodes",
        "the scheduler's message about the Pod",
        taint,
        unless="a node is without that taint",
    ),
    Mistake(
        "node-cordoned",
        "Pending: node(s) were unschedulable",
        "the nodes that could take the Pod are cordoned",
        "kubectl uncordon NAME",
        "kubectl get nodes",
        "the scheduler's message about the Pod",
        cordon,
        unless="no node shows SchedulingDisabled",
    ),
    Mistake(
        "host-port-taken",
        "Pending: didn't have free ports for the requested pod ports",
        "another Pod has that hostPort on each node",
        "take hostPort away and reach the Pod by a Service; or have fewer replicas than nodes",
        "kubectl get pods --all-namespaces -o wide",
        "the scheduler's message about the Pod",
        port,
        unless="the container names no hostPort, and the Pod no hostNetwork",
    ),
    Mistake(
        "spread-over-too-few-nodes",
        "Pending: anti-affinity rules, topology spread constraints",
        "its rules keep it apart from the other replicas, and there are too few nodes for that",
        "fewer replicas, or preferredDuringScheduling… in the place of required…",
        "kubectl get nodes",
        "the scheduler's message about the Pod",
        spread,
        unless="there are as many free nodes as replicas",
    ),
    Mistake(
        "volume-on-another-node",
        "Multi-Attach error; didn't match PersistentVolume's node affinity",
        "the volume can be on one node at a time (ReadWriteOnce), and another Pod holds it there",
        "strategy type Recreate, so that the old Pod ends first, or one claim for each replica"
        " (a StatefulSet); or a class with ReadWriteMany",
        "kubectl get pods -o wide; kubectl describe persistentvolumes",
        "events FailedAttachVolume, the scheduler's message about the Pod",
        volume,
        unless="the Pod that holds it has ended, and its node is up: then wait six minutes",
    ),
    Mistake(
        "claim-missing",
        'Pending: persistentvolumeclaim "…" not found',
        "the Pod names a claim that is not in its namespace",
        "create the claim, or correct claimName",
        "kubectl get persistentvolumeclaims",
        "the scheduler's message about the Pod",
        claim,
        unless="the claim is listed in the Pod's own namespace",
    ),
)
