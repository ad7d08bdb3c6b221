"""`lab.delete`: objects are deleted, and waited for until they are gone."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import Any

from labkit.errors import Conflict, LabError, NotFound
from labkit.kube import refs
from labkit.kube.results import Done
from labkit.kube.session import Session, current
from labkit.setup.cluster.outage import asked_again
from labkit.setup.host.poll import Poll
from labkit.ui import kubectl_line
from labkit.ui.live import Live, echo

POLL_S = 0.1
_WITH_PODS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}


def delete(*targets: str, ignore_not_found: bool = False, timeout_s: float = 60.0) -> Done:
    """Delete objects, one after the other, and wait until each is gone.

        lab.delete("pod/ollama", ignore_not_found=True)

    Equals `kubectl delete TARGET…`; of what has Pods, with `--cascade=foreground`: it is gone
    when they are. Raises NotFound, and TimedOut after `timeout_s` seconds with what still
    holds it.
    """
    session = current()
    if not targets:
        raise LabError("delete wants an object", "no name", 'lab.delete("pod/ollama")')
    found = [refs.parsed(session, target) for target in targets]
    has_pods = any(one.resource.kind in _WITH_PODS for one in found)
    cascade = "foreground" if has_pods else None
    flags: dict[str, Any] = {"ignore_not_found": ignore_not_found, "cascade": cascade}
    echo(kubectl_line.line("delete", *map(str, found), **flags))
    missing = []
    for one in found:
        try:
            remove(session, one, timeout_s)
        except NotFound:
            if not ignore_not_found:
                raise
            missing.append(str(one))
    if missing:
        print(f"not there: {', '.join(missing)}")
    deleted = ", ".join(str(one) for one in found if str(one) not in missing)
    return Done(f"{deleted} deleted" if deleted else f"not there: {', '.join(missing)}")


def remove(session: Session, target: refs.Target, timeout_s: float) -> None:
    """The same without printing the result. Raises NotFound, TimedOut."""
    deadline = time.monotonic() + timeout_s
    uid = asked_again(lambda: refs.found(session, target), deadline)["metadata"]["uid"]
    policy = "Foreground" if target.resource.kind in _WITH_PODS else "Background"
    body = {"propagationPolicy": policy, "preconditions": {"uid": uid}}

    def order() -> None:
        with suppress(NotFound, Conflict):  # it has gone, or is another one of its name by now
            session.api.request("DELETE", target.path, body=body)

    asked_again(order, deadline, repeatable=True)
    until_gone(session, target, uid, timeout_s)


def until_gone(session: Session, target: refs.Target, uid: str, timeout_s: float) -> None:
    """Wait until the object of this uid no longer exists. Raises TimedOut with what holds it."""
    poll = Poll(timeout_s, every_s=POLL_S)
    look = partial(session.api.request, "GET", target.path)
    with Live(f"delete {target}") as live:
        while True:
            try:
                left = asked_again(look, poll.deadline, on_wait=live.show)["metadata"]
            except NotFound:
                left = {"uid": ""}
            if left["uid"] != uid:  # gone, or already another one of its name
                live.done(f"{target} deleted")
                return
            live.show(f"{target} is going")
            poll.not_yet(
                f"{target} in namespace {target.namespace} not gone after {timeout_s:g} s",
                f"held by: {', '.join(left.get('finalizers', [])) or 'its containers still end'}",
                f'lab.get("{target}"), or once more with a larger timeout_s',
            )
