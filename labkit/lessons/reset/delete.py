"""Deletes objects until they are gone, whatever holds them: finalizers, grace, a dead node."""

from __future__ import annotations

from contextlib import suppress

from labkit.errors import Conflict, NotFound, Refused, TimedOut
from labkit.kube.session import Session
from labkit.kube.workloads import MERGE
from labkit.lessons.reset import inventory
from labkit.lessons.reset.inventory import Found
from labkit.setup.host.poll import Poll
from labkit.ui.live import Live

GRACE_S = 1  # that a Pod has to end by itself
FREE_AFTER_S = 2.0  # then finalizers that nobody takes off are taken off
FORCE_AFTER_S = 10.0  # then a Pod whose node does not answer is forgotten
POLL_S = 0.2

# Kubernetes' own, which its controllers take off: without them something stays behind
_CONTROLLERS = {
    "batch.kubernetes.io/job-tracking",
    "foregroundDeletion",
    "kubernetes.io/pvc-protection",
    "orphan",
    "service.kubernetes.io/load-balancer-cleanup",
}


def clear(session: Session, objects: list[Found], timeout_s: float) -> None:
    """Delete these, and wait until the last one is gone.

    Owners before what they own: they would create it again. Raises TimedOut with what holds them.
    """
    poll = Poll(timeout_s, every_s=POLL_S)
    for one in sorted(objects, key=_depth):
        delete(session, one)
    left = objects
    with Live("delete") as live:
        while left:
            live.show(f"waiting for {_named(left)} to go")
            poll.pause()
            kinds = {one.resource for one in left}
            uids = {one.uid for one in left}
            left = [one for one in inventory.listed(session, kinds) if one.uid in uids]
            if left and poll.is_over:
                raise TimedOut(
                    f"{_named(left)} in namespace {session.namespace} not gone in {timeout_s:g} s",
                    f"held by: {', '.join(_holders(left[0])) or 'containers that still end'}",
                    f"kubectl get {left[0]} --output=yaml",
                )
            if poll.waited_s > FREE_AFTER_S:
                for one in left:
                    free(session, one)
            if poll.waited_s > FORCE_AFTER_S:
                for one in left:
                    delete(session, one, grace_s=0)
        count = f"{len(objects)} object{'s' * (len(objects) != 1)}"
        live.done(f"deleted {count}, {poll.waited_s:.1f} s")


def delete(session: Session, one: Found, grace_s: int = GRACE_S) -> None:
    """Order it gone; nothing where it has gone, or is another one of its name by now."""
    grace = {"gracePeriodSeconds": grace_s} if one.resource.kind == "Pod" else {}
    body = {"preconditions": {"uid": one.uid}, "propagationPolicy": "Background", **grace}
    path = one.resource.path(session.namespace, one.name)
    with suppress(NotFound, Conflict):
        session.api.request("DELETE", path, body=body)


def free(session: Session, one: Found) -> None:
    """Take off the finalizers that no controller of Kubernetes takes off."""
    held = one.item["metadata"].get("finalizers", [])
    left = [name for name in held if name in _CONTROLLERS]
    if left != held:
        body = {"metadata": {"finalizers": left, "uid": one.uid}}
        path = one.resource.path(session.namespace, one.name)
        with suppress(NotFound, Refused):  # gone meanwhile
            session.api.request("PATCH", path, body=body, content_type=MERGE)


def _depth(one: Found) -> tuple[bool, bool]:
    # a Deployment, its ReplicaSet, then the Pods
    return bool(inventory.owners(one)), one.resource.kind == "Pod"


def _holders(one: Found) -> list[str]:
    return one.item["metadata"].get("finalizers", [])


def _named(objects: list[Found]) -> str:
    """
    >>> _named([])
    ''
    """
    more = f" and {len(objects) - 3} more" if len(objects) > 3 else ""
    return f"{', '.join(str(one) for one in objects[:3])}{more}"
