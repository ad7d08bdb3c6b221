"""What a diagnosis is made from: a namespace's objects and words, as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from labkit.kube import pod_status
from labkit.ollama.model_name import same
from labkit.setup.cluster import labs

# words of a command that sends requests to a server; the image's own is `serve`
CLIENT_WORDS = ("pull", "push", "run", "create", "list", "ls", "ps", "show", "stop", "rm", "cp")
_NOT_OLLAMA = ("exporter", "proxy", "webui", "web-ui", "-ui", "metrics", "operator", "gateway")
_NOT_PULLED = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName")


@dataclass(frozen=True)
class Facts:
    """The state of the cluster now, as plain data; `error` is what a command reported before.

    `pods`: those that count, none that is terminating, none of a Deployment's earlier template.
    `held`: Pod → the models that its Ollama has; without the Pods whose Ollama is silent.
    `forever`: Pod → the models that its Ollama never unloads.
    `answers`: Pod → HTTP status, where its port 11434 answered with an error.
    `logs`: (Pod, container) → words. `refused`: Pod → what the model mirror did not have for it.
    `elsewhere`: what is where a line may have landed. `context`: the lab's, and `chosen`: the one
    that kubectl takes now. `images`: names, without tags, that the lab knows. `registry`: image →
    the HTTP status of the lab's registry when it is asked for it, 0 when it is silent; nothing
    where the lab has none. `releases`: the metadata of Helm's Secrets, never their content.
    `unread`: what the user may not list. `model`: the lab's, "" outside of the workshop.
    `taken`: when, which ages are counted from; "" is now.
    """

    namespace: str = labs.LEARNER
    model: str = ""
    error: str = ""
    pods: list[dict] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)
    services: list[dict] = field(default_factory=list)
    deployments: list[dict] = field(default_factory=list)
    replicasets: list[dict] = field(default_factory=list)
    statefulsets: list[dict] = field(default_factory=list)
    daemonsets: list[dict] = field(default_factory=list)
    jobs: list[dict] = field(default_factory=list)
    claims: list[dict] = field(default_factory=list)
    policies: list[dict] = field(default_factory=list)
    releases: list[dict] = field(default_factory=list)
    nodes: list[dict] = field(default_factory=list)
    held: dict[str, list[str]] = field(default_factory=dict)
    forever: dict[str, list[str]] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)
    images: tuple[str, ...] = ()
    registry: dict[str, int] = field(default_factory=dict)
    context: str = ""
    chosen: str = ""
    unread: list[str] = field(default_factory=list)
    taken: str = ""

    @property
    def workloads(self) -> Iterator[tuple[str, dict]]:
        """Each object that makes Pods, with kubectl's word for its kind."""
        yield from (("deployment", one) for one in self.deployments)
        yield from (("statefulset", one) for one in self.statefulsets)
        yield from (("daemonset", one) for one in self.daemonsets)
        yield from (("job", one) for one in self.jobs)
        yield from (("replicaset", one) for one in self.replicasets)

    def hides(self, word: str) -> bool:
        """May the user not list these? Then that there are none says nothing."""
        return any(one.startswith(f"{word}: ") for one in self.unread)

    def told(self, item: dict) -> list[dict]:
        """The events of an object, the oldest first."""
        uid = item["metadata"].get("uid")
        return [event for event in self.events if event["involvedObject"].get("uid") == uid]

    def said(self, item: dict, *reasons: str) -> list[str]:
        """The messages of an object's events with one of these reasons, the oldest first."""
        return [one.get("message", "") for one in self.told(item) if one.get("reason") in reasons]

    def log_of(self, pod: dict, container: str) -> str:
        """What one container of a Pod wrote; empty where that is not known."""
        return self.logs.get((pod["metadata"]["name"], container), "")

    def log(self, pod: dict) -> str:
        """What all containers of a Pod wrote."""
        name = pod["metadata"]["name"]
        return "\n".join(text for (of, _), text in self.logs.items() if of == name)


def inits(pod: dict) -> list[dict]:
    """Init containers that end before the others begin."""
    return [one for one in pod["spec"].get("initContainers", []) if not _stays(one)]


def mains(pod: dict) -> list[dict]:
    """Containers that run at the same time: the main ones, then the sidecars."""
    every = pod["spec"].get("initContainers", [])
    return [*pod["spec"]["containers"], *(one for one in every if _stays(one))]


def containers(pod: dict) -> list[dict]:
    """All containers of a Pod, init containers first."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def container_of(pod: dict) -> dict | None:
    """The container of a Pod that is an Ollama, by its image's name; None where there is none.

    >>> spec = {"containers": [{"image": "a/ollama-exporter:1"}, {"image": "ollama/ollama"}]}
    >>> container_of({"spec": spec})["image"]
    'ollama/ollama'
    """
    return next((one for one in mains(pod) if _is_ollama(one)), None)


def words(container: dict) -> str:
    """The command line of a container, as its manifest has it."""
    return " ".join(map(str, [*container.get("command", []), *container.get("args", [])]))


def env(container: dict) -> dict[str, str]:
    """The environment that its manifest gives it as plain values."""
    return {one["name"]: one.get("value", "") for one in container.get("env", [])}


def status_of(pod: dict, name: str) -> dict:
    """The status of one container; {} before there is any."""
    return next((one for one in pod_status.statuses(pod) if one["name"] == name), {})


def not_pulled(pod: dict) -> dict[str, str]:
    """Container → image, of those whose image cannot be had."""
    waits = {
        one["name"]: one.get("state", {}).get("waiting", {}).get("reason")
        for one in pod_status.statuses(pod)
    }
    return {
        one["name"]: one["image"]
        for one in containers(pod)
        if waits.get(one["name"]) in _NOT_PULLED
    }


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


def _stays(container: dict) -> bool:
    """Is it a sidecar, which runs beside the main containers?"""
    return container.get("restartPolicy") == "Always"


def _is_ollama(container: dict) -> bool:
    name = repository(container.get("image", ""))[0].rpartition("/")[2].lower()
    if "ollama" not in name or any(word in name for word in _NOT_OLLAMA):
        return False
    return not _only_asks(container)


def _only_asks(container: dict) -> bool:
    """Does it run one of Ollama's words for clients, and no server?"""
    line = [str(word) for word in [*container.get("command", []), *container.get("args", [])]]
    first = line[1:2] if line[:1] and line[0].rpartition("/")[2] == "ollama" else line[:1]
    return first != [] and first[0] in CLIENT_WORDS
