"""`lab.get` and `lab.events`: tables that the API server makes for kubectl."""

from __future__ import annotations

from typing import Any

from labkit.errors import NotFound
from labkit.kube import refs
from labkit.kube.session import Session, current
from labkit.ui import kubectl_line, units
from labkit.ui.live import echo
from labkit.ui.table import Table

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def get(what: str, *, selector: str | None = None, all_namespaces: bool = False) -> Table:
    """Return a table of objects with kubectl's own columns; `.items` are the whole objects.

        lab.get("pods")
        lab.get("deployment/ollama").items[0]["status"]

    Equals `kubectl get WHAT`. Raises UnknownResource, NotFound.
    """
    session = current()
    refs.require_plain(what)
    echo(kubectl_line.line("get", what, selector=selector, all_namespaces=all_namespaces))
    word, _, name = what.partition("/")
    resource = session.api.resource(word)
    path = resource.path(session.namespace, name)
    everywhere = all_namespaces and resource.namespaced
    if everywhere:
        path = path.replace(f"/namespaces/{session.namespace}/", "/", 1)
    here = f" in namespace {session.namespace}" if resource.namespaced and not everywhere else ""
    query = {"labelSelector": selector} if selector else {}
    try:
        table = _table(session, path, query, empty=f"No resources found{here}")
    except NotFound as error:
        if not (name and resource.namespaced):
            raise
        one = refs.Target(word, name, resource, session.namespace)
        raise refs.missing(session, one, error.saw) from None
    if everywhere:
        spaces = [item["metadata"]["namespace"] for item in table.items]
        rows = [[space, *row] for space, row in zip(spaces, table.rows, strict=True)]
        return Table(["NAMESPACE", *table.columns], rows, items=table.items)
    return table


def events(target: str | None = None) -> Table:
    """Return the events of your namespace, or of one object; the oldest first.

        lab.events("pod/ollama")

    Equals `kubectl events --for=TARGET`, without the events of earlier objects of that name: a
    caption counts those. Where there is no such object now, all of them are shown. Raises NotFound
    where there are none either.
    """
    session = current()
    one = refs.parsed(session, target) if target else None
    echo(kubectl_line.line("events", **({"for": str(one)} if one else {})))
    query = {}
    if one:
        fields = f"involvedObject.kind={one.resource.kind},involvedObject.name={one.name}"
        query = {"fieldSelector": fields}
    table = _table(session, session.api.resource("events").path(session.namespace), query)
    found = sorted(zip(table.items, table.rows, strict=True), key=lambda pair: _when(pair[0]))
    shown, caption = found, ""
    uid = _uid(session, one) if one else ""
    if one and not (uid or found):
        raise refs.missing(session, one, "it has no events either")
    if one and uid:
        # the kubelet names a node's own events by the node's name
        shown = [pair for pair in found if pair[0]["involvedObject"].get("uid") in (uid, one.name)]
        if earlier := len(found) - len(shown):
            events_of = f"{units.count(earlier, 'event')} of earlier {one.resource.kind}s"
            caption = f"not shown: {events_of} of this name"
    rows, items = [row for _, row in shown], [item for item, _ in shown]
    return Table(table.columns, rows, items=items, caption=caption, empty=caption or "No events")


def _uid(session: Session, one: refs.Target) -> str:
    """The uid of the object that has this name now; empty when there is none."""
    try:
        uid: str = refs.found(session, one)["metadata"]["uid"]
    except NotFound:
        return ""
    return uid


def _table(session: Session, path: str, query: dict[str, Any], empty: str = "No events") -> Table:
    """The columns and cells that the API server makes for kubectl."""
    query = {**query, "includeObject": "Object"}
    found = session.api.request("GET", path, query=query, accept=TABLE)
    columns = found["columnDefinitions"]
    shown = [index for index, column in enumerate(columns) if not column.get("priority")]
    rows = found.get("rows") or []
    return Table(
        [columns[index]["name"].upper() for index in shown],
        [[_cell(row["cells"][index]) for index in shown] for row in rows],
        items=[row["object"] for row in rows],
        empty=empty,
    )


def _cell(value: object) -> str:
    return "<none>" if value in (None, "") else str(value)


def _when(event: dict[str, Any]) -> str:
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
    )
