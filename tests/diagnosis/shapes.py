"""Objects of a cluster in the shapes of Kubernetes 1.37, to make facts of."""

import datetime

from labkit.diagnosis.facts import Facts

TAKEN = "2026-11-30T12:00:00Z"
MODEL = "models.lab-system:5001/library/lab-llama"
LABELS = {"app": "ollama"}
HASH = {**LABELS, "pod-template-hash": "7cbf9c48bf"}
LIMIT = {"resources": {"limits": {"memory": "1Gi"}}}


def ago(seconds: float) -> str:
    taken = datetime.datetime.fromisoformat(TAKEN)
    return (taken - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def container(name: str = "ollama", image: str = "ollama/ollama:0.34.2", **spec) -> dict:
    env = [{"name": key, "value": value} for key, value in spec.pop("env", {}).items()]
    return {"name": name, "image": image, **({"env": env} if env else {}), **spec}


def running(name: str = "ollama", *, ready: bool = True, s: float = 600, restarts: int = 0, **last):
    state = {"running": {"startedAt": ago(s)}}
    more = {"lastState": {"terminated": last} if last else {}, "restartCount": restarts}
    return {"name": name, "ready": ready, "started": ready, "state": state, **more}


def waiting(reason: str, message: str = "", /, *, name: str = "ollama", restarts: int = 0, **last):
    state = {"waiting": {"reason": reason, "message": message}}
    more = {"lastState": {"terminated": last} if last else {}, "restartCount": restarts}
    return {"name": name, "ready": False, "started": False, "state": state, **more}


def loops(code: int = 1, reason: str = "Error", *, name: str = "ollama", lived: float = 2, **more):
    message = f"back-off 40s restarting failed container={name} pod=ollama-7cbf9c48bf-8rzzw_lab(1)"
    times = {"startedAt": ago(20 + lived), "finishedAt": ago(20)}
    last = {"exitCode": code, "reason": reason, **times, **more}
    return waiting("CrashLoopBackOff", message, name=name, restarts=3, **last)


def ended(code: int, *, name: str = "ollama", reason: str = "", restarts: int = 0) -> dict:
    reason = reason or ("Completed" if code == 0 else "Error")
    over = {"exitCode": code, "reason": reason, "startedAt": ago(60), "finishedAt": ago(50)}
    state = {"terminated": over}
    return {"name": name, "ready": False, "state": state, "lastState": {}, "restartCount": restarts}


def pod(
    *containers: dict,
    statuses: list[dict] | None = None,
    inits: list[dict] | None = None,
    init_statuses: list[dict] | None = None,
    name: str = "ollama-7cbf9c48bf-8rzzw",
    owner: tuple[str, str] | None = ("ReplicaSet", "rs"),
    labels: dict | None = None,
    phase: str = "",
    s: float = 600,
    conditions: tuple[dict, ...] = (),
    status: dict | None = None,
    ip: str = "10.244.1.5",
    meta: dict | None = None,
    **spec,
) -> dict:
    containers = containers or (container(),)
    statuses = [running(one["name"]) for one in containers] if statuses is None else statuses
    ready = bool(statuses) and all(one.get("ready") for one in statuses)
    begun = any("waiting" not in one["state"] for one in statuses)
    metadata = {
        "name": name,
        "namespace": "lab",
        "uid": name,
        "creationTimestamp": ago(s),
        "labels": HASH if labels is None else labels,
        **(meta or {}),
    }
    if owner:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "uid": owner[1]}]
    found = {
        "phase": phase or ("Running" if begun else "Pending"),
        "conditions": [{"type": "Ready", "status": str(ready)}, *conditions],
        "containerStatuses": statuses,
        "startTime": ago(s),
        "podIP": ip,
        **(status or {}),
    }
    if init_statuses:
        found["initContainerStatuses"] = init_statuses
    made = {"containers": list(containers), "nodeName": "lab-worker", **spec}
    if inits:
        made["initContainers"] = inits
    return {"metadata": metadata, "spec": made, "status": found}


def unplaced(message: str, *containers: dict, s: float = 120, **spec) -> dict:
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    made = pod(*containers, statuses=[], s=s, conditions=({**told, "message": message},), **spec)
    del made["spec"]["nodeName"]
    return made


def evicted(message: str, **more) -> dict:
    status = {"reason": "Evicted", "message": message}
    return pod(statuses=[ended(137)], phase="Failed", status=status, **more)


def deployment(*, generation: int = 1, observed: int | None = None, revision: str = "1", **given):
    conditions = given.pop("conditions", [])
    annotations = {"deployment.kubernetes.io/revision": revision}
    metadata = {"name": "ollama", "uid": "d", "generation": generation, "annotations": annotations}
    template = {"metadata": {"labels": LABELS}}
    return {
        "metadata": metadata,
        "spec": {"replicas": 1, "template": template, **given},
        "status": {
            "observedGeneration": generation if observed is None else observed,
            "replicas": 1,
            "updatedReplicas": 1,
            "conditions": conditions,
        },
    }


def replica_set(uid: str = "rs", *, revision: str = "1", owned: bool = True, **status) -> dict:
    owners = [{"kind": "Deployment", "name": "ollama", "uid": "d"}] if owned else []
    annotations = {"deployment.kubernetes.io/revision": revision} if owned else {}
    metadata = {"name": uid, "uid": uid, "annotations": annotations, "ownerReferences": owners}
    template = {"metadata": {"labels": LABELS}}
    return {"metadata": metadata, "spec": {"replicas": 1, "template": template}, "status": status}


def workload(uid: str, *, status: dict | None = None, generation: int = 1, **spec) -> dict:
    template = {"metadata": {"labels": LABELS}}
    metadata = {"name": "ollama", "uid": uid, "generation": generation}
    found = {"observedGeneration": generation, **(status or {})}
    return {"metadata": metadata, "spec": {"template": template, **spec}, "status": found}


def failed_create(message: str) -> dict:
    bad = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    return deployment(conditions=[{**bad, "message": message}])


def service(
    port: int = 11434,
    target: int | str = 11434,
    *,
    name: str = "ollama",
    selector: dict | None = None,
    s: float = 600,
    ingress: list | None = None,
    **spec,
) -> dict:
    metadata = {"name": name, "uid": f"s-{name}", "creationTimestamp": ago(s)}
    ports = [{"port": port, "targetPort": target}]
    found = {"ports": ports, "selector": LABELS if selector is None else selector, **spec}
    status = {"loadBalancer": {"ingress": ingress} if ingress else {}}
    return {"metadata": metadata, "spec": found, "status": status}


def event(reason: str, message: str, *, of: str = "ollama-7cbf9c48bf-8rzzw", **more) -> dict:
    there = {"uid": of, "name": of, "kind": more.pop("kind", "Pod")}
    if "in_container" in more:
        there["fieldPath"] = f"spec.containers{{{more.pop('in_container')}}}"
    when = ago(more.pop("s", 30))
    kind = more.pop("type", "Warning")
    return {
        "reason": reason,
        "message": message,
        "involvedObject": there,
        "type": kind,
        "lastTimestamp": when,
        "metadata": {"creationTimestamp": when},
    }


def node(name: str = "lab-worker", ready: str = "True", **labels) -> dict:
    metadata = {"name": name, "labels": labels}
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def policy(*rules: dict, selector: dict | None = None) -> dict:
    spec = {"podSelector": {"matchLabels": selector or LABELS}, "policyTypes": ["Ingress"]}
    return {"metadata": {"name": "p", "uid": "np"}, "spec": {**spec, "ingress": list(rules)}}


def facts(*pods: dict, log: str = "", **given) -> Facts:
    """Of a namespace of the workshop, whose Ollamas that run have the lab's model."""
    name = pods[0]["metadata"]["name"] if pods else ""
    logs = {(name, "ollama"): log} if log else {}
    logs |= given.pop("logs", {})
    held = {
        one["metadata"]["name"]: [f"{MODEL}:latest"]
        for one in pods
        if any("running" in each["state"] for each in one["status"]["containerStatuses"])
    }
    known = {"taken": TAKEN, "model": MODEL, "images": ("ollama/ollama", "alpine/httpie")}
    known |= {"held": held, "context": "kind-lab", "chosen": "kind-lab"}
    return Facts(**{**known, "pods": list(pods), "logs": logs, **given})
