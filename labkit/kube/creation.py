"""Objects made in the learner's namespace, as `kubectl create` and `kubectl run` make them."""

from __future__ import annotations

from typing import Any

from labkit.errors import AlreadyExists, NotFound
from labkit.kube import deletion, refs
from labkit.kube.results import Done, told
from labkit.kube.session import Session

GONE_S = 60.0

_warned: set[str] = set()  # in this kernel


def created(session: Session, item: dict[str, Any]) -> Done:
    """Create one object in the learner's namespace, as `kubectl create` does."""
    resource = session.api.resource(item["kind"])
    path = resource.path(session.namespace)
    make(session, path, "kubectl-create", item)
    one = refs.Target(item["kind"].lower(), item["metadata"]["name"], resource, path)
    return told(f"{refs.full(one)} created")


def make(session: Session, path: str, manager: str, item: dict[str, Any]) -> None:
    """One more try where what is there already is about to go: `kubectl run --rm` leaves it so."""
    query = {"fieldManager": manager}
    try:
        request(session, "POST", path, query, item)
    except AlreadyExists as error:
        resource = session.api.resource(item["kind"])
        name = item["metadata"]["name"]
        one = refs.Target(item["kind"].lower(), name, resource, session.namespace)
        try:
            there = refs.found(session, one)
        except NotFound:
            there = {}
        if there and refs.stays(there):
            hint = f'lab.delete("{one}"), then run this cell again'
            raise AlreadyExists(f"{one} is there already", error.saw, hint) from None
        if there:
            deletion.until_gone(session, one, there["metadata"]["uid"], GONE_S)
        request(session, "POST", path, query, item)


def request(
    session: Session,
    method: str,
    path: str,
    query: dict[str, Any],
    body: dict[str, Any],
    *,
    content_type: str = "application/json",
) -> dict[str, Any]:
    """The API server's answer to something that changes an object.

    Its warnings are printed, each text once: the next cells would only repeat it.
    """
    return session.api.request(
        method, path, query=query, body=body, content_type=content_type, on_warning=_warn
    )


def _warn(text: str) -> None:
    if text not in _warned:
        _warned.add(text)
        print(f"Warning: {text}")
