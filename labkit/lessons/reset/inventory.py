"""What a namespace holds: all its objects, who keeps each, and how two of them differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from labkit.errors import ApiSilent, NotFound, Refused
from labkit.kube.discovery import Resource
from labkit.kube.helm import RELEASE_SECRET
from labkit.kube.session import Session

AT_ONCE = 8

# written into objects after their creation, by controllers
_ANNOTATIONS = re.compile(
    r"deployment\.kubernetes\.io/|pv\.kubernetes\.io/|volume(\.beta)?\.kubernetes\.io/"
    r"|batch\.kubernetes\.io/|endpoints\.kubernetes\.io/|autoscaling\.alpha\.kubernetes\.io/"
    r"|[^/]*\bcni\."  # a network's own notes on a Pod
)
_LABELS = re.compile(r"(batch\.kubernetes\.io/)?(controller-uid|job-name)$|pod-template-hash$")
_ASSIGNED = {  # fields of `spec` that the cluster fills in for one object alone
    "Pod": ("nodeName",),
    "Service": ("clusterIP", "clusterIPs", "healthCheckNodePort"),
    "PersistentVolumeClaim": ("volumeName",),
}
_TOKEN = "kube-api-access-"  # the volume of a service account's token, whose name is drawn


class Found(NamedTuple):
    """An object of the namespace, and its kind."""

    resource: Resource
    item: dict

    def __str__(self) -> str:
        return f"{self.resource.kind.lower()}/{self.name}"

    @property
    def name(self) -> str:
        return self.item["metadata"]["name"]

    @property
    def uid(self) -> str:
        return self.item["metadata"]["uid"]

    @property
    def going(self) -> bool:
        return "deletionTimestamp" in self.item["metadata"]


def listed(session: Session, resources: Iterable[Resource] | None = None) -> list[Found]:
    """Every object of the namespace but events; of these kinds alone where they are given.

    Raises ApiSilent.
    """
    kinds = list(session.api.listable() if resources is None else resources)
    kinds = [kind for kind in kinds if kind.kind != "Event"]

    def of(kind: Resource) -> list[Found]:
        try:
            answer = session.api.request("GET", kind.path(session.namespace))
        except (NotFound, Refused):  # a kind that has gone meanwhile, or is not ours to see
            return []
        except ApiSilent as error:
            # somebody's own API whose server is away; Kubernetes' own must answer
            if error.of_service and "." in kind.api_version and ".k8s.io/" not in kind.api_version:
                return []
            raise
        return [Found(kind, {"kind": kind.kind, **item}) for item in answer["items"]]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = {
            one.uid: one for some in pool.map(of, kinds) for one in some
        }  # two APIs may show it
    return list(found.values())


def identity(api_version: str, item: dict) -> tuple[str, str, str]:
    """Group, kind and name: what no two objects of a namespace have in common.

    >>> identity("apps/v1", {"kind": "Deployment", "metadata": {"name": "ollama"}})
    ('apps', 'Deployment', 'ollama')
    """
    return api_version.rpartition("/")[0], item["kind"], item["metadata"]["name"]


def kept(found: list[Found], wanted: Iterable[Found]) -> set[str]:
    """The uids of what stays when `wanted` does: that, what it owns, and the API server's own."""
    staying = {one.uid for one in wanted} | {one.uid for one in found if is_api_servers(one)}
    services = {one.name for one in found if one.resource.kind == "Service" and one.uid in staying}
    staying |= {
        one.uid for one in found if one.resource.kind == "Endpoints" and one.name in services
    }
    while more := {one.uid for one in found if owners(one) & staying} - staying:
        staying |= more
    return staying


def owners(one: Found) -> set[str]:
    """The uid of the object that made this one and watches over it, if any did."""
    references = one.item["metadata"].get("ownerReferences", [])
    return {reference["uid"] for reference in references if reference.get("controller")}


def is_api_servers(one: Found) -> bool:
    """Is it one of the two objects that every namespace has, unchanged?"""
    if (one.resource.kind, one.name) == ("ConfigMap", "kube-root-ca.crt"):
        return not differences({}, {**pure(one.item), "data": None})
    if (one.resource.kind, one.name) == ("ServiceAccount", "default"):
        return not differences({}, pure(one.item))
    return False


def snapshot(found: list[Found]) -> dict[str, dict]:
    """Name → content of what a user made on purpose, without what differs each time.

    Two namespaces in the same state have equal ones.
    """
    made = [one for one in found if not owners(one) and one.resource.kind != "Endpoints"]
    return {
        str(one): pure(one.item)
        for one in made
        if not is_api_servers(one) and one.item.get("type") != RELEASE_SECRET
    }


def pure(item: dict) -> dict:
    """An object without its status and what the cluster fills in for it alone.

    >>> pure({"kind": "Service", "metadata": {"name": "a", "uid": "1"},
    ...     "spec": {"clusterIP": "10.0.0.1", "ports": []}, "status": {}})
    {'spec': {'ports': []}}
    """
    kind, meta = item.get("kind", ""), item.get("metadata", {})
    left = {key: _plain(value) for key, value in item.items() if key not in _APART}
    left |= {key: value for key, value in _metadata(meta).items() if value}
    spec = left.get("spec", {})
    for field in _ASSIGNED.get(kind, ()):
        spec.pop(field, None)
    if kind == "Service":
        for port in spec.get("ports", []):
            port.pop("nodePort", None)
    return left


_APART = {"apiVersion", "kind", "metadata", "status"}


def _metadata(meta: dict) -> dict:
    notes = meta.get("annotations") or {}
    return {
        "labels": {k: v for k, v in (meta.get("labels") or {}).items() if not _LABELS.match(k)},
        "annotations": {
            key: value
            for key, value in notes.items()
            if not _ANNOTATIONS.match(key) and key != "kubernetes.io/description"
        },
        "finalizers": sorted(meta.get("finalizers", [])),
    }


def _plain(value: object) -> object:
    """A copy without drawn names and marks, at whatever depth."""
    if isinstance(value, list):
        drawn = [isinstance(p, dict) and str(p.get("name", "")).startswith(_TOKEN) for p in value]
        return [_plain(part) for part, is_drawn in zip(value, drawn, strict=True) if not is_drawn]
    if not isinstance(value, dict):
        return value
    return {
        key: _plain(part)
        for key, part in value.items()
        if not _LABELS.match(key) and key != "creationTimestamp"
    }


def differences(wanted: object, found: object, path: str = "") -> list[str]:
    """Where the second differs from the first, in words.

    >>> differences({"spec": {"replicas": 1}}, {"spec": {"replicas": 3, "paused": True}})
    ['spec.paused is True', 'spec.replicas is 3, not 1']
    """
    return list(_differences(wanted, found, path))


def _differences(wanted: object, found: object, path: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            below = f"{path}.{key}" if path else key
            yield from _differences(wanted.get(key), found.get(key), below)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (ours, theirs) in enumerate(zip(wanted, found, strict=True)):
            yield from _differences(ours, theirs, f"{path}[{index}]")
    elif (wanted or None) != (found or None):  # an empty list says what none says
        if found in (None, [], {}):
            yield f"{path} is missing"
        else:
            but = "" if wanted in (None, [], {}) else f", not {_short(wanted)}"
            yield f"{path} is {_short(found)}{but}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
