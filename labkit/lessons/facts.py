"""What a diagnosis is made from: a namespace's objects and words, asked of the cluster once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import yaml

import labkit
from labkit.errors import LabError
from labkit.kube import refs
from labkit.kube.session import Session
from labkit.ollama.model_name import same
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


@dataclass(frozen=True)
class Facts:
    """The state of the cluster now, as plain data; `error` is what a command reported before.

    `pods`: those that count, none that is terminating, none of a Deployment's earlier template.
    `held`: Pod → the models that its Ollama has; without the Pods whose Ollama is silent.
    `logs`: (Pod, container) → words. `refused`: Pod → what the model mirror did not have for it.
    `elsewhere`: what is where a line may have landed. `context`: the lab's, and `chosen`: the one
    that kubectl takes now. `images`: names, without tags, that the lab knows. `registry`: image →
    the HTTP status of the lab's registry when it is asked for it, 0 when it is silent; nothing
    where the lab has none.
    """

    namespace: str = labs.LEARNER
    model: str = ""
    error: str = ""
    pods: list[dict] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)
    services: list[dict] = field(default_factory=list)
    deployments: list[dict] = field(default_factory=list)
    nodes: list[dict] = field(default_factory=list)
    held: dict[str, list[str]] = field(default_factory=dict)
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
    images: tuple[str, ...] = ()
    registry: dict[str, int] = field(default_factory=dict)
    context: str = ""
    chosen: str = ""

    def told(self, item: dict) -> list[dict]:
        """The events of an object, the oldest first."""
        uid = item["metadata"].get("uid")
        return [event for event in self.events if event["involvedObject"].get("uid") == uid]

    def log(self, pod: dict) -> str:
        """What all containers of a Pod wrote."""
        name = pod["metadata"]["name"]
        return "\n".join(text for (of, _), text in self.logs.items() if of == name)


def gather(session: Session, error: LabError | None = None) -> Facts:
    """The facts of the session's namespace; what it may not look at counts as not there."""
    found: dict = {"namespace": session.namespace, "model": labkit.model}
    found["error"] = str(error) if error else ""
    found["context"] = session.context or f"kind-{kind.NAME}"
    found["chosen"] = _chosen(session)
    try:
        everything = _listed(session, "pods", quiet=False)
    except LabError:  # who is silent now is silent each time
        return Facts(**found)
    deployments = _listed(session, "deployments")
    pods = _counting(everything, deployments, _listed(session, "replicasets"))
    found |= {"pods": pods, "deployments": deployments}
    found["events"] = sorted(_listed(session, "events"), key=_when)
    found["services"] = _listed(session, "services")
    found["nodes"] = _listed(session, "nodes")
    found["images"] = tuple(image.name for image in catalog.load().images)
    found["registry"] = {} if session.context else _registry(pods)
    held = _held(session, pods[:MOST])
    found |= {"held": held, "logs": _logs(session, pods[:MOST], held)}
    if not all(has(models, labkit.model) for models in held.values()) or len(held) < len(pods):
        found["refused"] = refused(session, pods)
    if not (pods or deployments):
        found["elsewhere"] = _elsewhere(session)
    return Facts(**found)


def container_of(pod: dict) -> dict | None:
    """The container of a Pod that is an Ollama, by its image's name; None where there is none."""
    containers = pod["spec"]["containers"]
    return next((one for one in containers if "ollama" in one.get("image", "")), None)


def status_of(pod: dict, name: str) -> dict:
    """The status of one container; {} before there is any."""
    status = pod.get("status", {})
    every = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
    return next((one for one in every if one["name"] == name), {})


def not_pulled(pod: dict) -> dict[str, str]:
    """Container → image, of those whose image cannot be had."""
    reasons = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName")
    every = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    waits = {
        one["name"]: status_of(pod, one["name"]).get("state", {}).get("waiting", {}).get("reason")
        for one in every
    }
    return {one["name"]: one["image"] for one in every if waits[one["name"]] in reasons}


def repository(image: str) -> tuple[str, str]:
    """An image's name as one types it, and its tag.

    >>> repository("docker.io/library/busybox:1.36"), repository("a.example:5000/b@sha256:0")
    (('busybox', '1.36'), ('a.example:5000/b', 'latest'))
    """
    head, slash, tail = image.partition("@")[0].rpartition("/")
    name, _, tag = tail.partition(":")
    name = f"{head}{slash}{name}".removeprefix("docker.io/").removeprefix("library/")
    return name, tag or "latest"


def runs(pod: dict) -> bool:
    """Does the Ollama of that Pod run?"""
    container = container_of(pod)
    return bool(container and "running" in status_of(pod, container["name"]).get("state", {}))


def has(models: list[str], model: str) -> bool:
    """Is that model among those?"""
    return any(same(one, model) for one in models)


def _chosen(session: Session) -> str:
    """The context that a bare kubectl takes: a user may have changed the lab's own file."""
    with suppress(OSError, yaml.YAMLError, AttributeError):
        return yaml.safe_load(session.kubeconfig.read_text()).get("current-context", "")
    return ""


def _listed(
    session: Session, word: str, *, namespace: str = "", quiet: bool = True, **query: str
) -> list[dict]:
    try:
        path = session.api.resource(word).path(namespace or session.namespace)
        return session.api.request("GET", path, query=query, timeout_s=5 * ASK_S)["items"]
    except LabError:
        if quiet:
            return []
        raise


def _counting(pods: list[dict], deployments: list[dict], sets: list[dict]) -> list[dict]:
    """Without those that go, and those of an earlier template; the newest first."""
    key = "deployment.kubernetes.io/revision"
    newest = {
        one["metadata"]["uid"]: one["metadata"].get("annotations", {}).get(key, "")
        for one in deployments
    }
    old = {
        one["metadata"]["uid"]
        for one in sets
        for owner in one["metadata"].get("ownerReferences", [])
        if newest.get(owner["uid"], "") != one["metadata"].get("annotations", {}).get(key, "")
    }
    stay = [
        pod
        for pod in pods
        if refs.stays(pod)
        and not old & {owner["uid"] for owner in pod["metadata"].get("ownerReferences", [])}
    ]
    return sorted(stay, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)


def _when(event: dict) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or ""


def _held(session: Session, pods: list[dict]) -> dict[str, list[str]]:
    def ask(pod: dict) -> list[str] | None:
        path = session.api.resource("pods").path(session.namespace, pod["metadata"]["name"])
        try:
            found = session.api.request("GET", f"{path}:11434/proxy/api/tags", timeout_s=ASK_S)
            return [model["name"] for model in found["models"] or []]
        except (LabError, KeyError, TypeError):
            return None

    running = [pod for pod in pods if runs(pod)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = zip(running, pool.map(ask, running), strict=True)
        return {pod["metadata"]["name"]: held for pod, held in answers if held is not None}


def _registry(pods: list[dict]) -> dict[str, int]:
    """The lab's registry serves every image that the lab has, under its public name."""
    found = {}
    for image in {image for pod in pods for image in not_pulled(pod).values()}:
        name, tag = repository(image)
        found[image] = registry.asked_for(catalog.Image(name, (tag,), ""), tag)
    return found


def _logs(session: Session, pods: list[dict], held: dict) -> dict[tuple[str, str], str]:
    def ask(place: tuple[str, str]) -> str:
        path = session.api.resource("pods").path(session.namespace, place[0])
        silent = place[0] not in held and place in mains
        query = {"container": place[1], **(_HEAD if silent else _TAIL)}
        try:
            return session.api.text(f"{path}/log", query=query, timeout_s=ASK_S)
        except LabError:
            return ""

    mains = {(pod["metadata"]["name"], (container_of(pod) or {}).get("name")) for pod in pods}
    places = [(pod["metadata"]["name"], name) for pod in pods for name in _begun(pod)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(places, pool.map(ask, places), strict=True))


def _begun(pod: dict) -> Iterator[str]:
    """Containers that have run, so that there is a log."""
    status = pod.get("status", {})
    for one in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
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
