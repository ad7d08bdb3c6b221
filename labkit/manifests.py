"""Manifests: `lab.apply` makes objects as they declare them, `lab.manifest` shows their text."""

from __future__ import annotations

from pathlib import Path

import yaml

from labkit import kubectl, targets
from labkit.bringup import paths
from labkit.display import echo
from labkit.errors import NotFound, Refused
from labkit.session import Session, current
from labkit.verbs import Done, Output, request, told

APPLY = "application/apply-patch+yaml"


def apply(what: str | Path | dict) -> Done:
    """Makes objects as a manifest declares them, or changes them to be so.

        lab.apply("k8s/steps/03-service")

    `what` is a file, a folder of YAML files, YAML text or a dict; a path that begins with k8s/
    is the lab's own. Equals
    `kubectl apply --server-side -f FILE`. Only in your namespace: raises Refused before
    anything is changed when an object names another one, or belongs to the whole cluster.
    """
    session = current()
    name, items = _manifests(what)
    echo(kubectl.line("apply", server_side=True, filename=name))
    places = [_own_path(session, item) for item in items]
    said = []
    for path, item in zip(places, items, strict=True):
        query = {"fieldManager": "kubectl", "fieldValidation": "Strict"}
        request(session, "PATCH", path, query, item, content_type=APPLY)
        name, resource = item["metadata"]["name"], session.api.resource(item["kind"])
        one = targets.Target("", name, resource, session.namespace)
        said.append(f"{targets.full(one)} serverside-applied")
    return told("\n".join(said))


def manifest(what: str | Path) -> Output:
    """The text of a manifest, or of all of a folder.

        lab.manifest("k8s/steps/03-service")

    Equals `cat FILE`. A path that begins with k8s/ is the lab's own. Raises NotFound.
    """
    text = "---\n".join(_texts(what).values())
    print(text, end="")
    return Output(text)


def load(what: str | Path) -> list[dict]:
    """The objects of a manifest, or of all of a folder. Raises NotFound, Refused (no YAML)."""
    return _manifests(what)[1]


def _texts(what: str | Path) -> dict[str, str]:
    path = Path(what)
    if path.parts[:1] == ("k8s",) and not path.exists():  # a notebook's folder has none
        path = paths.k8s(*path.parts[1:])
    if path.is_dir():
        files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
        return {str(file): file.read_text() for file in files}
    if not path.is_file():
        raise NotFound(f"there is no file {path}", f"looked in {Path.cwd()}", "check the path")
    return {str(path): path.read_text()}


def _manifests(what: str | Path | dict) -> tuple[str, list[dict]]:
    """How kubectl would name it, and the objects in it."""
    if isinstance(what, dict):
        return "-", [what]
    is_text = isinstance(what, str) and ("\n" in what or ": " in what)
    texts = {"-": str(what)} if is_text else _texts(what)
    items = []
    for name, text in texts.items():
        try:
            items += [item for item in yaml.safe_load_all(text) if item]
        except yaml.YAMLError as error:
            raise Refused(f"{name} is no YAML", str(error), "mend that line") from None
    for item in items:
        meta = item.get("metadata") if isinstance(item, dict) else None
        named = isinstance(meta, dict) and isinstance(meta.get("name"), str)
        if not named or not isinstance(item.get("kind"), str):
            saw, hint = str(item)[:80], "it needs kind: and, indented below metadata:, name:"
            raise Refused("that is no Kubernetes object with a name", saw, hint)
    return "-" if is_text else str(what), items


def _own_path(session: Session, item: dict) -> str:
    """Where to apply it, if that is in the learner's namespace."""
    resource = session.api.resource(item["kind"])
    place = item["metadata"].get("namespace", session.namespace)
    if not resource.namespaced or place != session.namespace:
        where = f"namespace {place}" if resource.namespaced else "the whole cluster"
        raise Refused(
            f"{item['kind']} {item['metadata']['name']} is not for your namespace",
            f"it belongs to {where}, and you act in {session.namespace}",
            "leave out metadata.namespace; nothing was applied",
        )
    return resource.path(session.namespace, item["metadata"]["name"])
