"""What a Kubernetes object cannot have, told with the field's name before anything is applied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from labkit.errors import Refused

# what tells the entries of a Pod's lists apart
_KEYS = {
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "initContainers": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_TEXT_MAPS = {"annotations", "labels", "matchLabels", "nodeSelector"}
_TEXT_LISTS = {"args", "command"}
_TEXT_MAPS_OF = {  # which elsewhere hold anything
    "ConfigMap": "data",
    "ReplicationController": "spec.selector",
    "Secret": "stringData",
    "Service": "spec.selector",
}


def require_sound(item: dict[str, Any]) -> None:
    """Raise Refused for a number where text is wanted, and for a name that is there twice.

    >>> require_sound({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"port": 11434}})
    Traceback (most recent call last):
    labkit.errors.Refused: Refused: ConfigMap x: data.port has to be text
    saw: it is 11434
    try: put it in quotes: "11434"; nothing was applied
    """
    if not _is_builtin(str(item.get("apiVersion") or "")):
        return
    title = f"{item['kind']} {item['metadata']['name']}"
    for path, value in _texts(item, "", item["kind"]):
        if value is not None and not isinstance(value, str):
            raise Refused(
                f"{title}: {path} has to be text",
                f"it is {_written(value)}",
                f"{_quoted(value)}; nothing was applied",
            )
    for path, name in _twice(item, ""):
        saw = "kubectl apply --server-side refuses that, and other ways lose one of them"
        hint = "keep one of them; nothing was applied"
        raise Refused(f"{title}: {path} has {name} twice", saw, hint)


def _is_builtin(api_version: str) -> bool:
    """
    >>> [_is_builtin(one) for one in ("v1", "apps/v1", "policy.networking.k8s.io/v1", "x.io/v1")]
    [True, True, True, False]
    """
    group = api_version.rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def _texts(value: Any, path: str, kind: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that has to be text, and where it is."""
    for step, inner in _inside(value):
        here = f"{path}{step}" if step.startswith("[") or not path else f"{path}.{step}"
        if isinstance(inner, dict) and (step in _TEXT_MAPS or here == _TEXT_MAPS_OF.get(kind)):
            yield from ((f"{here}.{name}", one) for name, one in inner.items())
        elif isinstance(inner, list) and step in _TEXT_LISTS:
            yield from ((f"{here}[{at}]", one) for at, one in enumerate(inner))
        elif step == "value" and ".env[" in path:
            yield here, inner
        else:
            yield from _texts(inner, here, kind)


def _twice(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each list of a Pod with an entry that is there twice, and the entry's name."""
    for step, inner in _inside(value):
        here = f"{path}{step}" if step.startswith("[") or not path else f"{path}.{step}"
        key = _KEYS.get(step)
        if key and isinstance(inner, list):
            names = [one[key] for one in inner if isinstance(one, dict) and one.get(key)]
            yield from ((here, str(name)) for name in names if names.count(name) > 1)
        yield from _twice(inner, here)


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    """What is in a dict or a list: the step that leads there, and the value."""
    if isinstance(value, dict):
        yield from ((str(name), inner) for name, inner in value.items())
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            name = inner.get("name", at) if isinstance(inner, dict) else at
            yield f"[{name}]", inner


def _written(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) < 60 else f"{text[:60]}…"


def _quoted(value: Any) -> str:
    if isinstance(value, dict | list):
        return "it has to be one text"
    return f'put it in quotes: "{_written(value)}"'
