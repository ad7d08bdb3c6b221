"""The objects of a load test in the cluster: an Indexed Job and its ConfigMap, made and removed.

k8s/load/job.yaml is the Job; the ConfigMap holds labkit/load and the plan, and ends with the Job.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from math import ceil
from pathlib import Path

from labkit import load
from labkit.errors import NotFound
from labkit.kube import apply
from labkit.kube.session import Session
from labkit.kube.workloads import MERGE
from labkit.load.plan import Plan
from labkit.setup.build import catalog
from labkit.setup.host import pid, speed
from labkit.setup.host.poll import Poll

MANIFEST = "k8s/load/job.yaml"
IMAGE = "python"
LABEL = "app.kubernetes.io/name=labkit-load"
BY = "labkit/load"  # which process made it
READY_S = 120.0  # on the reference machine
GONE_S = 30.0
POLL_S = 0.2


def make(session: Session, plan: Plan, pods: int) -> dict:
    """The Job that runs this plan in so many Pods. Raises Refused (quota, rights).

    Suspended until the ConfigMap is there, which can name it as its owner only then.
    """
    (job,) = apply.load(MANIFEST)
    name = f"load-{secrets.token_hex(3)}"
    files = {file.name: file.read_text() for file in Path(load.__file__).parent.glob("*.py")}
    plans = _plans(plan)
    _fill(job, name, pods, ceil(limit_s(plan)), list(files), list(plans))
    path = session.api.resource("jobs").path(session.namespace)
    made = session.api.request("POST", path, query={"fieldManager": "labkit"}, body=job)
    try:
        _make_files(session, made, files | plans)
        body = {"spec": {"suspend": False}}
        return session.api.request("PATCH", f"{path}/{name}", body=body, content_type=MERGE)
    except BaseException:  # Ctrl-C too
        delete(session, name)
        raise


def limit_s(plan: Plan) -> float:
    """Seconds after which its Pods are stopped: time to start, and to send all of it."""
    return speed.deadline(READY_S) + longest_s(plan)


def longest_s(plan: Plan) -> float:
    """Seconds after which the plan has surely ended, its last answer or time-out included.

    >>> longest_s(Plan(seconds=30.0, requests=None, timeout_s=20.0))
    50.0
    >>> longest_s(Plan(requests=10, clients=4, timeout_s=20.0, warmup=1))
    80.0
    >>> longest_s(Plan(requests=10, clients=4, timeout_s=20.0, rate=0.5))
    80.0
    """
    answer_s = plan.timeout_s or 3600.0
    warmup_s = plan.warmup * answer_s
    if plan.seconds is not None:
        return warmup_s + plan.seconds + answer_s
    each_s = max(answer_s, 1 / plan.client_rate) if plan.client_rate else answer_s
    # an open loop that its clients cannot follow works off what is left at their pace
    arriving_s = plan.requests / plan.rate if plan.rate else 0.0
    return warmup_s + arriving_s + ceil(plan.requests / plan.clients) * each_s


def delete(session: Session, name: str) -> None:
    """Delete a Job; its Pods are terminated, and it is gone when they have ended."""
    path = session.api.resource("jobs").path(session.namespace, name)
    with suppress(NotFound):
        session.api.request("DELETE", path, body={"propagationPolicy": "Foreground"})


def wait_until_gone(session: Session, name: str) -> None:
    """With its Pods, which would disturb the next one; what takes longer is left to Kubernetes."""
    path = session.api.resource("jobs").path(session.namespace, name)
    poll = Poll(GONE_S, every_s=POLL_S)
    with suppress(NotFound):
        while not poll.is_over:
            session.api.request("GET", path)
            poll.pause()


def remove_leftovers(session: Session) -> None:
    """Delete the Jobs of this machine's clients that were killed."""
    path = session.api.resource("jobs").path(session.namespace)
    for job in session.api.request("GET", path, query={"labelSelector": LABEL})["items"]:
        if pid.is_dead(job["metadata"]["labels"].get(BY, "")):
            delete(session, job["metadata"]["name"])


def _plans(plan: Plan) -> dict[str, str]:
    """The files that the Pods' command reads."""
    plans = {"plan.json": plan.replace(warmup=0).to_json()}
    if plan.warmup:
        first = {"requests": plan.warmup, "seconds": None, "rate": None, "warmup": 0}
        plans["warmup.json"] = plan.replace(**first).to_json()
    return plans


def _fill(
    job: dict, name: str, pods: int, deadline_s: int, files: list[str], plans: list[str]
) -> None:
    """Put into the manifest what differs from test to test."""
    job["metadata"]["name"] = name
    job["metadata"]["labels"][BY] = pid.name()
    job["spec"] |= {"parallelism": pods, "completions": pods, "activeDeadlineSeconds": deadline_s}
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    container["image"] = catalog.load().image(IMAGE).reference
    _named(container["env"], "WORKERS")["value"] = str(pods)
    volume = _named(spec["volumes"], "engine")["configMap"]
    engine = [{"key": key, "path": f"labkit/load/{key}"} for key in sorted(files)]
    volume |= {"name": name, "items": [*engine, *({"key": key, "path": key} for key in plans)]}


def _named(items: list[dict], name: str) -> dict:
    return next(item for item in items if item["name"] == name)


def _make_files(session: Session, job: dict, data: dict[str, str]) -> None:
    meta = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": meta["name"], "ownerReferences": [owner]},
        "immutable": True,
        "data": data,
    }
    path = session.api.resource("configmaps").path(session.namespace)
    session.api.request("POST", path, query={"fieldManager": "labkit"}, body=item)
