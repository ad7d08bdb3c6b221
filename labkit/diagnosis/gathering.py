"""Asks the cluster once for the facts of a namespace; changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import yaml

import labkit
from labkit.diagnosis import evidence
from labkit.diagnosis.facts import (
    Facts,
    container_of,
    has,
    not_pulled,
    repository,
    runs,
)
from labkit.errors import LabError, Refused
from labkit.kube import helm, pod_status
from labkit.kube.session import Session
from labkit.setup.build import catalog, registry
from labkit.setup.cluster import kind, labs
from labkit.ui import units

ASK_S = 2.0  # a Pod that is ill may not answer at all
MOST = 20  # Pods that are asked for words
AT_ONCE = 8
# where lines land that were typed without the lab's exports, or for another of its namespaces
LANDINGS = ("default", labs.LEARNER)
# an Ollama that nobody reaches says at its start where it listens, others what they did last
_HEAD, _TAIL = {"limitBytes": 20_000}, {"tailLines": 1000}
_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_LISTS = {  # field of Facts → kubectl's word
    "deployments": "deployments",
    "replicasets": "replicasets",
    "statefulsets": "statefulsets",
    "daemonsets": "daemonsets",
    "jobs": "jobs",
    "events": "events",
    "services": "services",
    "claims": "persistentvolumeclaims",
    "policies": "networkpolicies",
    "nodes": "nodes",
}


def gather(
    session: Session,
    error: LabError | None = None,
    *,
    outside: bool = False,
    whole: bool = False,
) -> Facts:
    """The facts of the session's namespace; what it may not look at counts as not there.

    `outside`: of a cluster or namespace that is not the workshop's, where no lesson's model,
    mirror or registry says anything. `whole`: with what is past, for a record.
    """
    found: dict = {"namespace": session.namespace, "error": str(error) if error else ""}
    found["context"] = session.context or f"kind-{kind.NAME}"
    if not outside:
        found |= {"model": labkit.model, "chosen": _chosen(session)}
    unread: list[str] = []
    try:
        found["pods"] = _listed(session, "pods", quiet=False)
    except LabError as silent:  # who is silent now is silent each time
        return Facts(**found, unread=[f"pods: {silent.saw}"])
    for name, word in _LISTS.items():
        found[name] = _listed(session, word, unread=unread)
    found["events"].sort(key=_when)
    found["releases"] = _releases(session, unread)
    found["unread"] = unread
    facts = Facts(**found)
    counted = evidence.now(facts)
    words = _words(session, counted, outside=outside)
    return replace(facts if whole else counted, **words)


def _words(session: Session, facts: Facts, *, outside: bool) -> dict[str, Any]:
    """What is not in the API server's lists: answers, logs, the lab's own registry and mirror."""
    pods = facts.pods[:MOST]
    held, answers = _held(session, pods)
    logs, unread = _logs(session, pods, held)
    found: dict[str, Any] = {"held": held, "answers": answers, "logs": logs}
    found["forever"] = _forever(session, list(held))
    found["unread"] = [*facts.unread, *unread]
    if outside:
        return found
    found["images"] = tuple(image.name for image in catalog.load().images)
    found["registry"] = {} if session.context else _registry(facts.pods)
    has_all = all(has(models, labkit.model) for models in held.values())
    if not has_all or len(held) < len(facts.pods):
        found["refused"] = refused(session, facts.pods)
    if not (facts.pods or any(True for _ in facts.workloads)):
        found["elsewhere"] = _elsewhere(session)
    return found


def _chosen(session: Session) -> str:
    """The context that a bare kubectl takes: a user may have changed the lab's own file."""
    with suppress(OSError, yaml.YAMLError, AttributeError):
        return yaml.safe_load(session.kubeconfig.read_text()).get("current-context", "")
    return ""


def _listed(
    session: Session,
    word: str,
    *,
    namespace: str = "",
    quiet: bool = True,
    unread: list[str] | None = None,
    **query: str,
) -> list[dict]:
    try:
        path = session.api.resource(word).path(namespace or session.namespace)
        return session.api.request("GET", path, query=query, timeout_s=5 * ASK_S)["items"]
    except LabError as error:
        if not quiet:
            raise
        if unread is not None:
            unread.append(f"{word}: {error.saw}")
        return []


def _releases(session: Session, unread: list[str]) -> list[dict]:
    """The metadata of Helm's own records: names, revisions and states, and no content."""
    query = {"fieldSelector": f"type={helm.RELEASE_SECRET}"}
    try:
        path = session.api.resource("secrets").path(session.namespace)
        answer = session.api.request(
            "GET", path, query=query, accept=_METADATA, timeout_s=5 * ASK_S
        )
    except LabError as error:
        unread.append(f"secrets of Helm: {error.saw}")
        return []
    # a list of metadata alone that is empty has `"items": null` (Kubernetes 1.37.2)
    return [{"metadata": one["metadata"]} for one in answer["items"] or []]


def _when(event: dict) -> str:
    series = event.get("series") or {}
    return (
        event.get("lastTimestamp")
        or series.get("lastObservedTime")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )


def _held(session: Session, pods: list[dict]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Pod → the models that it lists, and Pod → the HTTP status of an error in their place."""
    answers: dict[str, int] = {}

    def ask(pod: dict) -> list[str] | None:
        name = pod["metadata"]["name"]
        path = session.api.resource("pods").path(session.namespace, name)
        try:
            found = session.api.request("GET", f"{path}:11434/proxy/api/tags", timeout_s=ASK_S)
            return [model["name"] for model in found["models"] or []]
        except (KeyError, TypeError):
            return None
        except Refused as error:
            if not error.reason:  # then what answered is in the Pod, and not the API server
                answers[name] = error.status
            return None
        except LabError:
            return None

    running = [pod for pod in pods if runs(pod)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = zip(running, pool.map(ask, running), strict=True)
        held = {pod["metadata"]["name"]: models for pod, models in found if models is not None}
    return held, answers


def _forever(session: Session, names: list[str]) -> dict[str, list[str]]:
    """Pod → the models in its memory that a keep_alive below 0 keeps there."""

    def ask(name: str) -> list[str]:
        path = session.api.resource("pods").path(session.namespace, name)
        with suppress(LabError, KeyError, TypeError, ValueError):
            found = session.api.request("GET", f"{path}:11434/proxy/api/ps", timeout_s=ASK_S)
            models = found["models"] or []
            return [one["name"] for one in models if units.since(one["expires_at"]) == "Forever"]
        return []

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = zip(names, pool.map(ask, names), strict=True)
        return {name: models for name, models in found if models}


def _registry(pods: list[dict]) -> dict[str, int]:
    """The lab's registry serves every image that the lab has, under its public name."""
    found = {}
    for image in {image for pod in pods for image in not_pulled(pod).values()}:
        name, tag = repository(image)
        found[image] = registry.asked_for(catalog.Image(name, (tag,), ""), tag)
    return found


def _logs(
    session: Session, pods: list[dict], held: dict
) -> tuple[dict[tuple[str, str], str], list[str]]:
    """What containers wrote, and the logs that could not be read."""

    def ask(place: tuple[str, str]) -> str | None:
        path = session.api.resource("pods").path(session.namespace, place[0])
        silent = place[0] not in held and place in mains
        query = {"container": place[1]}
        try:
            text = session.api.text(f"{path}/log", query={**query, **_TAIL}, timeout_s=ASK_S)
            if silent and text.count("\n") >= _TAIL["tailLines"]:
                more = {**query, **_HEAD}
                text = session.api.text(f"{path}/log", query=more, timeout_s=ASK_S) + text
            return text
        except LabError:
            return None

    mains = {(pod["metadata"]["name"], (container_of(pod) or {}).get("name")) for pod in pods}
    places = [(pod["metadata"]["name"], name) for pod in pods for name in _begun(pod)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(places, pool.map(ask, places), strict=True))
    unread = [f"log of pod/{pod} {name}" for (pod, name), text in found.items() if text is None]
    return {place: text or "" for place, text in found.items()}, unread


def _begun(pod: dict) -> Iterator[str]:
    """Containers that have run, so that there is a log."""
    for one in pod_status.statuses(pod):
        if "waiting" not in one.get("state", {}) or one.get("lastState"):
            yield one["name"]


def refused(session: Session, pods: list[dict]) -> dict[str, list[str]]:
    """Pod → the models that the lab's mirror did not have for it: 404 in its proxy's log."""
    mirrors = _listed(
        session, "pods", namespace=labs.SYSTEM, labelSelector="app.kubernetes.io/name=models"
    )
    lines: list[dict] = []
    for mirror in mirrors:
        path = session.api.resource("pods").path(labs.SYSTEM, mirror["metadata"]["name"])
        with suppress(LabError):
            query = {"container": "haproxy", "tailLines": 1000}
            lines += unknown(session.api.text(f"{path}/log", query=query, timeout_s=ASK_S))
    found: dict[str, list[str]] = {}
    for pod in pods:
        status = pod.get("status", {})
        begun = units.moment_of(status["startTime"]).timestamp() if "startTime" in status else 0
        for line in lines:
            if line["client"] == status.get("podIP") and line["time"] >= begun:
                found.setdefault(pod["metadata"]["name"], []).append(line["model"])
    return found


def unknown(log: str) -> list[dict]:
    """Who asked the mirror, when, for which model that it does not have.

    >>> unknown('{"time":9.5,"client":"10.0.0.7","path":"/v2/a/x/manifests/latest","status":404}')
    [{'time': 9.5, 'client': '10.0.0.7', 'model': 'a/x:latest'}]
    """
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    found = []
    for entry in entries:
        name, manifest, tag = entry["path"].removeprefix("/v2/").partition("/manifests/")
        if manifest and entry["status"] == 404:
            model = f"{name}:{tag}"
            found.append({"time": entry["time"], "client": entry["client"], "model": model})
    return found


def _elsewhere(session: Session) -> list[str]:
    """Ollamas in the namespaces where a learner's line may have landed."""
    found = []
    for namespace in LANDINGS:
        if namespace != session.namespace:
            pods = filter(container_of, _listed(session, "pods", namespace=namespace))
            names = [pod["metadata"]["name"] for pod in pods]
            found += [f"pod/{name} in namespace {namespace}" for name in names]
    return found
