"""Asks the cluster once for the facts of a namespace; changes nothing."""

from __future__ import annotations

import json
import time
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
from labkit.errors import ApiSilent, LabError, Refused
from labkit.kube import helm, pod_logs, pod_status
from labkit.kube.session import Session
from labkit.setup.build import catalog, registry
from labkit.setup.cluster import kind, labs
from labkit.setup.host import speed
from labkit.ui import units

ASK_S = 2.0  # a Pod that is ill may not answer at all
MOST = 20  # Pods that are asked for words
AT_ONCE = 8
LIMIT_S = 20.0  # for all of it, however silent the API server becomes meanwhile
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


class _Asked:
    """The API of a session until a deadline: then it is silent, without being asked."""

    def __init__(self, session: Session, limit_s: float) -> None:
        self.namespace, self.context = session.namespace, session.context
        self.api = session.api
        self._session = session
        self._deadline = time.monotonic() + limit_s

    def listed(self, word: str, namespace: str = "", accept: str = "", **query: str) -> list[dict]:
        """All objects of a kind. Raises LabError."""
        path = self.api.resource(word).path(namespace or self.namespace)
        more = {"accept": accept} if accept else {}
        answer = self.api.request(
            "GET", path, query=query, timeout_s=self._left_s(5 * ASK_S), **more
        )
        # a list of metadata alone that is empty has `"items": null` (Kubernetes 1.37.2)
        found: list[dict] = answer["items"] or []
        return found

    def of_pod(self, name: str, rest: str) -> dict:
        """What a port of a Pod answers. Raises LabError."""
        path = self.api.resource("pods").path(self.namespace, name)
        return self.api.request("GET", f"{path}{rest}", timeout_s=self._left_s(ASK_S))

    def log(self, name: str, namespace: str = "", **query: Any) -> str:
        """Raises LabError."""
        return pod_logs.written(
            self._session, name, namespace=namespace, timeout_s=self._left_s(ASK_S), **query
        )

    def _left_s(self, most_s: float) -> float:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            saw = "the time for all questions is up"
            raise ApiSilent("the cluster was not asked", saw, "./lab status")
        return min(most_s, left_s)


def gather(
    session: Session,
    error: LabError | None = None,
    *,
    outside: bool = False,
    whole: bool = False,
) -> Facts:
    """The facts of the session's namespace; what it may not look at counts as not there.

    `outside`: of a cluster or namespace that is not the workshop's, where no lesson's model,
    mirror or registry says anything. `whole`: with what is past, for a record. An API server that
    becomes silent meanwhile leaves only the error: half of the facts would look like others.
    """
    asked = _Asked(session, speed.deadline(LIMIT_S))
    found: dict = {"namespace": session.namespace, "error": str(error) if error else ""}
    found["context"] = session.context or f"kind-{kind.NAME}"
    if not outside:
        found |= {"model": labkit.model, "chosen": _chosen(session)}
    unread: list[str] = []
    try:
        lists = {"pods": asked.listed("pods")}
        for name, word in _LISTS.items():
            lists[name] = _readable(asked, word, unread)
        lists["releases"] = _releases(asked, unread)
    except LabError as silent:  # who is silent now is silent each time
        return Facts(**found, unread=[f"pods: {silent.saw}"])
    lists["events"].sort(key=_when)
    facts = Facts(**found, **lists, unread=unread)
    counted = evidence.now(facts)
    words = _words(asked, counted, outside=outside)
    return replace(facts if whole else counted, **words)


def _words(asked: _Asked, facts: Facts, *, outside: bool) -> dict[str, Any]:
    """What is not in the API server's lists: answers, logs, the lab's own registry and mirror."""
    pods = facts.pods[:MOST]
    held, answers = _held(asked, pods)
    logs, unread = _logs(asked, pods, held)
    found: dict[str, Any] = {"held": held, "answers": answers, "logs": logs}
    found["forever"] = _forever(asked, list(held))
    found["unread"] = [*facts.unread, *unread]
    if outside:
        return found
    found["images"] = tuple(image.name for image in catalog.load().images)
    found["registry"] = {} if asked.context else _registry(facts.pods)
    has_all = all(has(models, labkit.model) for models in held.values())
    if not has_all or len(held) < len(facts.pods):
        found["refused"] = _refused(asked, facts.pods)
    if not (facts.pods or any(True for _ in facts.workloads)):
        found["elsewhere"] = _elsewhere(asked)
    return found


def _chosen(session: Session) -> str:
    """The context that a bare kubectl takes: a user may have changed the lab's own file."""
    with suppress(OSError, yaml.YAMLError, AttributeError):
        return yaml.safe_load(session.kubeconfig.read_text()).get("current-context", "")
    return ""


def _readable(asked: _Asked, word: str, unread: list[str], **query: str) -> list[dict]:
    """All of a kind; none where the user may not list it, which is noted. Raises ApiSilent."""
    try:
        return asked.listed(word, **query)
    except ApiSilent:
        raise
    except LabError as error:
        unread.append(f"{word}: {error.saw}")
        return []


def _releases(asked: _Asked, unread: list[str]) -> list[dict]:
    """The metadata of Helm's own records: names, revisions and states, and no content."""
    only = {"fieldSelector": f"type={helm.RELEASE_SECRET}", "accept": _METADATA}
    return [{"metadata": one["metadata"]} for one in _readable(asked, "secrets", unread, **only)]


def _when(event: dict) -> str:
    series = event.get("series") or {}
    return (
        event.get("lastTimestamp")
        or series.get("lastObservedTime")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )


def _held(asked: _Asked, pods: list[dict]) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Pod → the models that it lists, and Pod → the HTTP status of an error in their place."""
    answers: dict[str, int] = {}

    def ask(pod: dict) -> list[str] | None:
        name = pod["metadata"]["name"]
        try:
            found = asked.of_pod(name, ":11434/proxy/api/tags")
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


def _forever(asked: _Asked, names: list[str]) -> dict[str, list[str]]:
    """Pod → the models in its memory that a keep_alive below 0 keeps there."""

    def ask(name: str) -> list[str]:
        with suppress(LabError, KeyError, TypeError, ValueError):
            models = asked.of_pod(name, ":11434/proxy/api/ps")["models"] or []
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
    asked: _Asked, pods: list[dict], held: dict
) -> tuple[dict[tuple[str, str], str], list[str]]:
    """What containers wrote, and the logs that could not be read."""

    def ask(place: tuple[str, str]) -> str | None:
        silent = place[0] not in held and place in mains
        try:
            text = asked.log(place[0], container=place[1], **_TAIL)
            if silent and text.count("\n") >= _TAIL["tailLines"]:
                text = asked.log(place[0], container=place[1], **_HEAD) + text
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
    return _refused(_Asked(session, speed.deadline(LIMIT_S)), pods)


def _refused(asked: _Asked, pods: list[dict]) -> dict[str, list[str]]:
    lines: list[dict] = []
    with suppress(LabError):
        label = "app.kubernetes.io/name=models"
        for mirror in asked.listed("pods", labs.SYSTEM, labelSelector=label):
            name = mirror["metadata"]["name"]
            lines += unknown(asked.log(name, labs.SYSTEM, container="haproxy", **_TAIL))
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


def _elsewhere(asked: _Asked) -> list[str]:
    """Ollamas in the namespaces where a learner's line may have landed."""
    found = []
    for namespace in LANDINGS:
        if namespace != asked.namespace:
            names = []
            with suppress(LabError):
                pods = filter(container_of, asked.listed("pods", namespace))
                names = [pod["metadata"]["name"] for pod in pods]
            found += [f"pod/{name} in namespace {namespace}" for name in names]
    return found
