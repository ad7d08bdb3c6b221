"""What is left to do to a namespace's objects: what it holds, compared with what it should hold."""

from __future__ import annotations

from typing import Any, NamedTuple

from labkit.errors import Refused
from labkit.kube import pod_status
from labkit.kube.session import Session
from labkit.lessons import desired_objects
from labkit.lessons.desired_state import State
from labkit.lessons.reset import helm_state, inventory
from labkit.lessons.reset.fill import Change
from labkit.lessons.reset.inventory import Found
from labkit.ui import units


class Plan(NamedTuple):
    """What is left to do to a namespace's objects."""

    goes: dict[str, tuple[Found, str]]  # uid → what is to go, and why
    makes: list[dict[str, Any]]
    release: str  # why the release is to be made; or empty

    def changes(self) -> list[Change]:
        # what goes with its owner needs no line of its own
        shown = [(one, why) for one, why in self.goes.values() if not _follows(one, self.goes)]
        gone = [Change("delete", str(one), why) for one, why in shown]
        again = {change.target for change in gone}
        names = [f"{item['kind'].lower()}/{item['metadata']['name']}" for item in self.makes]
        new = [Change("create", n, "again" if n in again else "is missing") for n in names]
        name = f"release/{desired_objects.RELEASE}"
        return gone + new + ([Change("install", name, self.release)] if self.release else [])


def _follows(one: Found, goes: dict[str, tuple[Found, str]]) -> bool:
    services = {it.name for it, _ in goes.values() if it.resource.kind == "Service"}
    is_services = one.resource.kind == "Endpoints" and one.name in services
    return bool(is_services or inventory.owners(one) & goes.keys())


def compared(here: Session, state: State, items: list[dict[str, Any]]) -> Plan:
    """Compare what the namespace holds with what it should hold."""
    found = inventory.listed(here)
    there = {inventory.identity(one.resource.api_version, one.item): one for one in found}
    goes: dict[str, tuple[Found, str]] = {}
    stays, makes, release = [], [], ""
    for item in items:
        one = there.get(inventory.identity(item["apiVersion"], item))
        unlike = _unlike(here, state, item, one.item) if one else ""
        if one and not unlike:
            stays.append(one)
            goes |= _misshapen(here, state, one, found)
            continue
        makes.append(item)
        if one:
            goes[one.uid] = one, unlike
    if state.release is not None:
        release = helm_state.misfit(found, state) or (
            "its objects are not its chart's" * bool(makes)
        )
        stays, makes = ([], []) if release else ([*stays, *helm_state.records(found)], makes)
    staying = inventory.kept(found, stays)
    for one in found:
        if one.uid not in staying:
            goes.setdefault(one.uid, (one, "no part of this step"))
    return Plan(goes, makes, release)


def _misshapen(
    here: Session, state: State, owner: Found, found: list[Found]
) -> dict[str, tuple[Found, str]]:
    """The Pods of a Deployment that are not as its template says: a user changed one alone."""
    if owner.resource.kind != "Deployment":
        return {}
    sets = {one.uid for one in found if owner.uid in inventory.owners(one)}
    goes = {}
    template = {"apiVersion": "v1", "kind": "Pod", **owner.item["spec"]["template"]}
    for pod in found:
        is_ours = pod.resource.kind == "Pod" and inventory.owners(pod) & sets and not pod.going
        if is_ours and (unlike := _unlike(here, state, template, pod.item)):
            goes[pod.uid] = pod, unlike
    return goes


def _unlike(here: Session, state: State, item: dict[str, Any], there: dict[str, Any]) -> str:
    """How an object differs from one that would be made now; empty when it does not.

    The API server returns what it would create: with its defaults, without what others have set.
    """
    if "deletionTimestamp" in there["metadata"]:
        return "it is going"
    resource = here.api.resource(item["kind"])
    meta = {**item.get("metadata", {}), "generateName": "labkit-"}  # its own name is taken
    meta.pop("name", None)
    query = {"dryRun": "All", "fieldManager": "labkit"}
    try:
        path = resource.path(here.namespace)
        made = here.api.request("POST", path, query=query, body={**item, "metadata": meta})
    except Refused as error:
        return f"it would be refused now: {error.saw}"
    unlike = inventory.differences(inventory.pure(made), inventory.pure(there))
    status = there.get("status", {})
    if item["kind"] == "Pod":
        restarts = pod_status.restarts(there)
        if status.get("phase") in ("Failed", "Succeeded"):
            unlike.append("it has ended")
        elif restarts and state.ready:
            unlike.append(f"it has restarted {units.count(restarts, 'time')}")
        elif state.ready and _was_ready(status):
            unlike.append("it was ready, and is not ready now")
    failed = [c for c in status.get("conditions", []) if c["type"] == "Failed"]
    return (unlike + ["it has failed" for _ in failed] + [""])[0]


def _was_ready(status: dict[str, Any]) -> bool:
    """Of a Pod that is not ready: was it once? It may have no controller left to restart it.

    >>> started = {"state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}}}
    >>> ready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    >>> _was_ready({"conditions": [ready], "containerStatuses": [started]})
    False
    >>> later = {**ready, "lastTransitionTime": "2026-01-01T00:01:00Z"}
    >>> _was_ready({"conditions": [later], "containerStatuses": [started]})
    True
    """
    began = [
        one["state"]["running"]["startedAt"]
        for one in pod_status.statuses({"status": status}, init=False)
        if "running" in one.get("state", {})
    ]
    return any(
        one["type"] == "Ready"
        and one["status"] == "False"
        and one["lastTransitionTime"] > max(began)
        for one in status.get("conditions", [])
        if began
    )
