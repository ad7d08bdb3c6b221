"""kubectl's words for objects: "pod/ollama", "service/ollama", a bare "ollama" for a Pod."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from labkit.errors import LabError, NotFound, Unreachable

if TYPE_CHECKING:
    from labkit.kube.discovery import Resource
    from labkit.kube.session import Session

_MADE_ONCE = ("Deployment", "Service")  # each by a cell; a person has deleted it, perhaps
_AROUND = " \t\"'\u201c\u201d\u201e\u2018\u2019"  # spaces and quotes, pasted with a name
_ADDRESS = re.compile(r"(\w+)://|localhost\b|127\.|(?P<name>[\w-]+):\d+$")


class Target(NamedTuple):
    """One object: the word that was used for its kind, its name, and its resource."""

    word: str
    name: str
    resource: Resource
    namespace: str

    def __str__(self) -> str:
        return f"{self.word}/{self.name}"

    @property
    def path(self) -> str:
        return self.resource.path(self.namespace, self.name)


def parsed(session: Session, text: str) -> Target:
    """The object that this text names. Raises UnknownResource, and LabError on a bad name."""
    require_plain(text)
    if address := _ADDRESS.match(text):
        saw = "it wants a kind and a name in the cluster, not an address"
        meant = f"service/{address['name'] or 'ollama'}"
        raise LabError(f"{text!r} names no object", saw, f'"{meant}" in place of "{text}"')
    word, slash, name = text.rpartition("/")
    word = word if slash else "pod"
    if not (word and name) or "/" in word:
        raise LabError(
            f"{text!r} names no object", "it wants a kind and a name", 'such as "pod/ollama"'
        )
    resource = session.api.resource(word)
    if not resource.namespaced:
        raise LabError(
            f"{word}/{name} belongs to the whole cluster",
            f"{resource.kind} is not part of a namespace, and you act in {session.namespace}",
            f"kubectl get {word}/{name} in a terminal looks at it",
        )
    return Target(word, name, resource, session.namespace)


def require_plain(text: str) -> None:
    """Raise LabError for what was pasted with a name, and for two words in place of a path."""
    if (plain := text.strip(_AROUND)) != text and plain:
        saw = "a space or a quote stands before or after it"
        raise LabError(f"{text!r} names no object", saw, f'"{plain}" in place of "{text}"')
    if len(words := plain.split()) > 1:
        saw = "a slash is between a kind and a name"
        meant = f"{words[0]}/{words[1]}"
        raise LabError(f"{text!r} names no object", saw, f'"{meant}" in place of "{text}"')


def full(target: Target) -> str:
    """As kubectl prints it: with the group, where the kind is in one: "deployment.apps/ollama"."""
    group = target.resource.api_version.rpartition("/")[0]
    kind = target.resource.kind.lower() + (f".{group}" if group else "")
    return f"{kind}/{target.name}"


def found(session: Session, target: Target) -> dict:
    """The object. Raises NotFound in words of the target."""
    try:
        return session.api.request("GET", target.path)
    except NotFound as error:
        raise missing(session, target, error.saw) from None


def missing(session: Session, target: Target, saw: str, hint: str = "") -> NotFound:
    """The error of an object that is not there, with the one of its kind that was perhaps meant."""
    names: list[str] = []
    with suppress(LabError):  # not ours to list, or no API server: the name is missing all the same
        place = target.resource.path(target.namespace)
        items = session.api.request("GET", place, query={})["items"]
        names = [item["metadata"]["name"] for item in items if stays(item)]
    there = f'lab.get("{target.word}") shows what is there'
    if target.resource.kind in _MADE_ONCE:
        there = f"run the cell that creates {target} again; {there}"
    hint = hint or there
    if near := _nearest(target.name, names):
        saw = f"{saw}; there is {target.word}/{near}"
        hint = f"{target.word}/{near} in place of {target}"
    return NotFound(f"there is no {target} in namespace {target.namespace}", saw, hint)


def _nearest(name: str, names: list[str]) -> str:
    """The one that differs by its case or by a letter or two.

    >>> _nearest("olama", ["ollama", "client"]), _nearest("Ollama", ["ollama"])
    ('ollama', 'ollama')
    >>> _nearest("mine", ["ollama"])
    ''
    """
    known = {one.casefold(): one for one in names}
    near = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.75)
    return known[near[0]] if near else ""


def pod_of(session: Session, target: Target) -> str:
    """The Pod that `kubectl exec TARGET` takes: the target, or a ready one of its Pods.

    Raises NotFound, and Unreachable when it has no Pod.
    """
    if target.resource.kind == "Pod":
        return found(session, target)["metadata"]["name"]
    pods = pods_of(session, target)
    return min(pods, key=lambda pod: (not ready(pod), pod["metadata"]["name"]))["metadata"]["name"]


def pods_of(session: Session, target: Target, item: dict | None = None) -> list[dict]:
    """The Pods that a Service or a workload selects; of a Pod, itself.

    `item` is the object, where it is known. Raises NotFound, and Unreachable when it has no Pod.
    """
    item = item or found(session, target)
    if target.resource.kind == "Pod":
        return [item]
    labels = selector(item)
    query = {"labelSelector": labels}
    path = session.api.resource("pods").path(target.namespace)
    pods = session.api.request("GET", path, query=query)["items"] if labels else []
    if not pods:
        raise Unreachable(
            f"{target} in namespace {target.namespace} has no Pod",
            f"no Pod has the labels {labels or '(it selects none)'}",
            f'lab.get("pods"), lab.events("{target}")',
        )
    return pods


def selector(item: dict) -> str:
    """The labels that a Service or a workload selects, as kubectl takes them.

    >>> selector({"spec": {"selector": {"matchLabels": {"app": "ollama"}}}})
    'app=ollama'
    """
    found = item.get("spec", {}).get("selector") or {}
    labels = found.get("matchLabels", {} if "matchExpressions" in found else found)
    return ",".join(f"{key}={value}" for key, value in labels.items())


def stays(item: dict) -> bool:
    """Is it not about to go? A Pod can take half a minute to end its answers.

    >>> stays({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    False
    """
    return "deletionTimestamp" not in item["metadata"]


def ready(pod: dict) -> bool:
    """Does the Pod's condition Ready say so, and is it not about to go?

    >>> ready({"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    True
    """
    conditions = pod.get("status", {}).get("conditions", [])
    return stays(pod) and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
