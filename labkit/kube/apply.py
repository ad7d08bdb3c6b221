"""Manifests: `lab.apply` makes objects as they declare them, `lab.manifest` shows their text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from labkit.errors import LabError, Refused, UnknownResource
from labkit.kube import manifest_text, manifests, refs
from labkit.kube.creation import request
from labkit.kube.results import Done, Output, told
from labkit.kube.session import Session, current
from labkit.setup.host import speed
from labkit.setup.host.poll import Poll
from labkit.ui import kubectl_line
from labkit.ui.live import echo

if TYPE_CHECKING:
    from labkit.kube.discovery import Resource

APPLY = "application/apply-patch+yaml"
SERVED_S = 10.0  # an API server serves a new kind about a second after its definition
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def apply(what: str | Path | dict[str, Any]) -> Done:
    """Create the objects that a manifest declares, or change them to what it declares.

        lab.apply("k8s/steps/03-service")

    `what` is a file, a folder of YAML and JSON files, YAML text or a dict; a path that begins
    with k8s/ is the lab's own. Equals `kubectl apply --server-side -f FILE`. Only in your
    namespace: before anything is changed it raises Refused when an object names another one or
    belongs to the whole cluster, when a key or a name is there twice, or a field that has to be
    text is none; UnknownResource when this cluster has no such kind in that version. A kind whose
    CustomResourceDefinition was made a moment ago is waited for.
    """
    session = current()
    name, items = manifests.read(what)
    if not items:
        raise Refused("there is no object in it", f"looked in {name}", "a manifest has kind: …")
    line = kubectl_line.line("apply", server_side=True, filename=name)
    if name == "-":
        text = what if isinstance(what, str) else yaml.safe_dump(what, sort_keys=False)
        line = kubectl_line.with_input(line, text)
    echo(line)
    return applied(session, items)


def applied(session: Session, items: list[dict[str, Any]]) -> Done:
    """The same of objects, without printing a line."""
    resources = [_own_resource(session, item) for item in items]
    said = []
    for resource, item in zip(resources, items, strict=True):
        one = refs.Target("", item["metadata"]["name"], resource, session.namespace)
        query = {"fieldManager": "kubectl", "fieldValidation": "Strict"}
        request(session, "PATCH", one.path, query, item, content_type=APPLY)
        said.append(f"{refs.full(one)} serverside-applied")
    return told("\n".join(said))


def manifest(
    what: str | Path, *, against: str | Path | None = None, find: str | Sequence[str] = ()
) -> Output:
    """Return the text of a manifest, or of all manifests in a folder.

        lab.manifest("k8s/steps/03-service")
        lab.manifest("k8s/steps/05-hook", against="k8s/steps/05-plain")

    With `against`, `>` marks the lines that the other one does not have, and with `find` the lines
    that have one of these words; what is far from a mark is folded. Equals `cat FILE`, `diff FILE
    OTHER` and `grep WORD FILE`. A path that begins with k8s/ is the lab's own. Raises NotFound.
    """
    text = manifests.text(what)
    words = [find] if isinstance(find, str) else list(find)
    lines = text.splitlines()
    if against is not None:
        marks = manifest_text.unlike(lines, manifests.text(against).splitlines())
    else:
        marks = [any(word in line for word in words) for line in lines]
    manifest_text.show(lines, marks)
    return Output(text)


def load(what: str | Path) -> list[dict[str, Any]]:
    """The objects of a manifest, or of all of a folder. Raises NotFound, Refused (no YAML)."""
    return manifests.read(what)[1]


def _served(session: Session, api_version: str, kind: str) -> Resource:
    """That kind; of one whose CustomResourceDefinition was made a moment ago, when it is served."""
    poll = Poll(speed.deadline(SERVED_S), every_s=0.2)
    while True:
        try:
            return session.api.kind(api_version, kind)
        except UnknownResource:
            if not _is_defined(session, api_version, kind) or poll.is_over:
                raise
        poll.pause()


def _is_defined(session: Session, api_version: str, kind: str) -> bool:
    """Has the cluster a definition of it, as far as one may look?"""
    group, _, version = api_version.partition("/")
    if not version or "." not in group:  # one of Kubernetes' own, which none defines
        return False
    try:
        found = session.api.request("GET", _DEFINITIONS, query={})["items"]
    except LabError:
        return False
    return any(
        (one["spec"]["group"], one["spec"]["names"]["kind"]) == (group, kind)
        and any(each["name"] == version and each["served"] for each in one["spec"]["versions"])
        for one in found
    )


def _own_resource(session: Session, item: dict[str, Any]) -> Resource:
    """What it is, in the version that it is written in, if that is in the learner's namespace."""
    if not isinstance(item.get("apiVersion"), str):
        preferred = session.api.resource(item["kind"]).api_version
        raise Refused(
            f"{item['kind']} {item['metadata']['name']} has no apiVersion",
            f"this cluster has {item['kind']} as {preferred}",
            f"apiVersion: {preferred}; nothing was applied",
        )
    resource = _served(session, item["apiVersion"], item["kind"])
    place = item["metadata"].get("namespace") or session.namespace
    if resource.namespaced and place == session.namespace:
        return resource
    if resource.namespaced:
        where, hint = f"namespace {place}", "leave out metadata.namespace"
    elif item["kind"] == "Namespace":
        where, hint = "the whole cluster", "take it out of the file: your namespace is there"
    else:
        where, hint = "the whole cluster", "take it out of the file: who runs the cluster makes it"
        if item["kind"] == "CustomResourceDefinition":
            hint += ", by kubectl apply; lab.apply waits until it is served"
    raise Refused(
        f"{item['kind']} {item['metadata']['name']} is not for your namespace",
        f"it belongs to {where}, and you act in {session.namespace}",
        f"{hint}; nothing was applied",
    )
