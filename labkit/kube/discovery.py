"""The kinds of objects that an API server has, by each of kubectl's words for them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from labkit.errors import LabError, UnknownResource
from labkit.kube import removed_apis

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9])?")


class Resource(NamedTuple):
    """A kind of object, and where the API server keeps its objects."""

    api_version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...] = ()  # what the API server lets one do with it

    def path(self, namespace: str, name: str = "") -> str:
        """The path of one object, or of all of a namespace.

        >>> Resource("apps/v1", "deployments", "Deployment", True).path("lab", "ollama")
        '/apis/apps/v1/namespaces/lab/deployments/ollama'
        >>> Resource("v1", "nodes", "Node", False).path("lab")
        '/api/v1/nodes'
        """
        for part in (namespace, name):
            require_name(part)
        root = "/apis" if "/" in self.api_version else "/api"
        parts = [root, self.api_version]
        parts += ["namespaces", namespace] if self.namespaced else []
        return "/".join([*parts, self.plural, *([name] if name else [])])


def require_name(text: str) -> None:
    """Raise LabError for what would lead a path elsewhere: "..", a slash, a question mark.

    >>> require_name("ollama-7cbf9c48bf-8rzzw"), require_name("")
    (None, None)
    """
    if text and not _NAME.fullmatch(text):
        saw = "letters, digits, and - . : between them"
        raise LabError(f"{text!r} is not a valid name", f"a name has {saw}", "correct the name")


def known(groups: Iterable[dict]) -> tuple[dict[str, Resource], list[Resource]]:
    """Words → what they name, and all that a namespace holds: words are not unique.

    Of the groups of an aggregated discovery; the first to use a word has it.
    """
    found: dict[str, Resource] = {}
    held: list[Resource] = []
    for group in groups:
        version = group["versions"][0]  # the one that the server prefers
        for row, resource in _rows(group, version):
            held += [resource] if resource.namespaced else []
            words = (row["resource"], row["singularResource"], resource.kind)
            for word in (*words, *row.get("shortNames", [])):
                if word:  # an added API may name no singular
                    found.setdefault(word.casefold(), resource)
    return found, held


def served(groups: Iterable[dict]) -> dict[tuple[str, str], Resource]:
    """apiVersion and kind → resource, of every version; of each kind the preferred one first."""
    found: dict[tuple[str, str], Resource] = {}
    for group in groups:
        for version in group["versions"]:
            for _, resource in _rows(group, version):
                found.setdefault((resource.api_version, resource.kind), resource)
    return found


def not_served(api_version: str, kind: str, served: Iterable[tuple[str, str]]) -> UnknownResource:
    """Why there is no such kind in that version: removed, elsewhere, misspelt, or not installed.

    >>> print(not_served("apps/v1", "Deploymnet", [("apps/v1", "Deployment")]))
    UnknownResource: the API server knows no Deploymnet in apps/v1
    saw: near to it: Deployment
    try: kind: Deployment; nothing was applied
    """
    served = list(served)
    elsewhere = next((version for version, known in served if known == kind), "")
    release = removed_apis.release(api_version, kind)
    kinds = {known.casefold(): known for _, known in reversed(served)}
    near = difflib.get_close_matches(kind.casefold(), kinds, n=1, cutoff=0.8)
    gone = f"Kubernetes {release} removed it" if release else ""
    saw = gone or "there is no name like it"
    if elsewhere:
        more = removed_apis.change(kind) if release else ""
        saw = f"{gone}{gone and ', and '}this cluster has it as {elsewhere}"
        hint = f"apiVersion: {elsewhere}{more and f', and {more}'}"
    elif kind == "PodSecurityPolicy":
        hint = "Pod Security takes its place: labels on the Namespace"
    elif near and not release:
        saw, hint = f"near to it: {kinds[near[0]]}", f"kind: {kinds[near[0]]}"
    else:
        hint = "what defines it comes first, a CustomResourceDefinition; kubectl api-resources"
    happened = f"the API server knows no {kind} in {api_version}"
    return UnknownResource(happened, saw, f"{hint}; nothing was applied")


def _rows(group: dict, version: dict) -> Iterator[tuple[dict, Resource]]:
    name = group.get("metadata", {}).get("name", "")
    full = f"{name}/{version['version']}" if name else version["version"]
    for row in version.get("resources", []):
        scope, verbs = row["scope"] == "Namespaced", tuple(row.get("verbs", ()))
        yield row, Resource(full, row["resource"], row["responseKind"]["kind"], scope, verbs)
