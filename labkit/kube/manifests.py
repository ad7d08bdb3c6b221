"""Manifests as objects: from a file, a folder, YAML text or a dict; Lists taken apart."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.errors import NotFound, Refused
from labkit.kube import manifest_checks, yaml_text
from labkit.setup.host import paths

_STEPS = 'lab.apply("k8s/steps/03-service"): a folder or a file, by its path'
_SUFFIXES = (".json", ".yaml", ".yml")  # those that kubectl takes


def read(what: str | Path | dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """How kubectl would name it, and the objects in it. Raises NotFound, Refused."""
    if isinstance(what, dict):
        name, documents = "-", [what]
    else:
        is_text = isinstance(what, str) and ("\n" in what or ": " in what)
        texts = {"-": str(what)} if is_text else files(what)
        name = "-" if is_text else str(place(what))
        documents = [one for file, text in texts.items() for one in yaml_text.documents(text, file)]
    items = [item for one in documents if one for item in _flat(one)]
    for item in items:
        _require_object(item)
        manifest_checks.require_sound(item)
    return name, items


def place(what: str | Path) -> Path:
    """Where that file or folder is; k8s/… is the lab's own, which a notebook's folder lacks."""
    path = Path(what)
    is_own = path.parts[:1] == ("k8s",) and not path.exists()
    return paths.k8s(*path.parts[1:]) if is_own else path


def files(what: str | Path) -> dict[str, str]:
    """Path → text, of a file or of all in a folder; k8s/… is the lab's own. Raises NotFound."""
    path = place(what)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
        return {str(file): file.read_text() for file in found}
    if not path.is_file():
        raise _missing(what, path)
    return {str(path): path.read_text()}


def _missing(what: str | Path, path: Path) -> NotFound:
    names = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, sorted(names), n=1, cutoff=0.75)
    hint = f"{Path(what).with_name(near[0])} in place of {what}" if near else _STEPS
    if paths.k8s("steps", path.name).exists() and not near:
        hint = f"k8s/steps/{path.name} in place of {what}"
    return NotFound(f"there is no file {path}", f"looked in {Path.cwd()}", hint)


def text(what: str | Path) -> str:
    """The text of a file, or of all in a folder, one after the other. Raises NotFound."""
    return "---\n".join(files(what).values())


def _flat(item: Any) -> Iterator[Any]:
    """The objects of a List, and of Lists in it; its kind names theirs where they say none.

    >>> bare = {"metadata": {"name": "x"}}
    >>> list(_flat({"apiVersion": "v1", "kind": "PodList", "items": [bare]}))
    [{'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': 'x'}}]
    """
    kind = item.get("kind") if isinstance(item, dict) else None
    if not isinstance(kind, str) or not kind.endswith("List") or "items" not in item:
        yield item
        return
    for one in item["items"] if isinstance(item["items"], list) else [item["items"]]:
        if isinstance(one, dict) and kind != "List" and not one.get("kind"):
            one = {"apiVersion": item.get("apiVersion"), "kind": kind.removesuffix("List"), **one}
        yield from _flat(one)


def _require_object(item: Any) -> None:
    meta = item.get("metadata") if isinstance(item, dict) else None
    named = isinstance(meta, dict) and isinstance(meta.get("name"), str)
    if not named or not isinstance(item.get("kind"), str):
        saw, hint = str(item)[:80], "it needs kind: and, indented below metadata:, name:"
        if isinstance(meta, dict) and meta.get("name") is not None:
            hint = "a name that looks like a number or a yes is put in quotes"
        raise Refused("that is not a Kubernetes object with a name", saw, hint)
