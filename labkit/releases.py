"""Helm's own records of the lab's release: do they fit a step's state; and the release itself."""

from __future__ import annotations

import base64
import gzip
import json

from labkit import declared, helm
from labkit.contents import RELEASE_SECRET, Found
from labkit.session import Session
from labkit.steps import State

ROLLED_BACK = "Rollback to 1"


def records(found: list[Found]) -> list[Found]:
    """The Secrets in which Helm keeps the revisions of the lab's release, oldest first."""
    return sorted(
        (
            one
            for one in found
            if one.item.get("type") == RELEASE_SECRET and _label(one, "name") == declared.RELEASE
        ),
        key=lambda one: int(_label(one, "version") or 0),
    )


def misfit(found: list[Found], state: State) -> str:
    """Why the release is not the one of this state; empty when it is."""
    kept = records(found)
    if not kept:
        return "is missing"
    if status(kept[-1]) != "deployed":
        return f"is {status(kept[-1])}"
    newest = read(kept[-1].item)
    if newest.get("config") != _nested(declared.values(state)):
        return "has other values"
    if rolled_back(found) != state.rolled_back or (len(kept) > 1 and not state.rolled_back):
        return "has another history"
    return ""


def status(record: Found) -> str:
    """Helm's word for what became of a revision: deployed, failed, pending-install …"""
    return _label(record, "status")


def rolled_back(found: list[Found]) -> bool:
    """Is the newest revision of the release one that `helm rollback` made?"""
    kept = records(found)
    return bool(kept) and read(kept[-1].item).get("info", {}).get("description") == ROLLED_BACK


def install(session: Session, state: State, timeout_s: float) -> None:
    """Makes the release, with the real helm, where there is none."""
    values, chart = declared.values(state), {"repo": declared.repository()}
    helm.helm_upgrade(declared.RELEASE, declared.CHART, **chart, values=values, timeout_s=timeout_s)
    if state.rolled_back:
        more = {**values, "replicaCount": 2}
        helm.helm_upgrade(declared.RELEASE, declared.CHART, **chart, values=more)
        words = ["rollback", declared.RELEASE, "1", "--wait", "--timeout=120s"]
        helm.ran(words, "helm rollback", timeout_s)


def read(secret: dict) -> dict:
    """What Helm wrote into it: the chart, the values, the state; {} where that cannot be read."""
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        return json.loads(gzip.decompress(packed))
    except (KeyError, ValueError, OSError, EOFError):
        return {}


def _label(one: Found, name: str) -> str:
    return (one.item["metadata"].get("labels") or {}).get(name, "")


def _nested(values: dict[str, object]) -> dict:
    """
    >>> _nested({"ollama.insecure": True, "ollama.models.pull": ["a"], "replicaCount": 3})
    {'ollama': {'insecure': True, 'models': {'pull': ['a']}}, 'replicaCount': 3}
    """
    whole: dict = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place = whole
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return whole
