"""The learner's Namespace: there, as the lab makes it, and one goto or reset of it at a time.

That one is at work is an annotation of the Namespace, which can be changed even while that is
terminating. Its holder renews it every few seconds: a mark that stands still, or whose process
has ended, is taken over, so a kill -9 leaves nothing to tidy up.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import yaml

from labkit.errors import AlreadyExists, ApiSilent, Conflict, LabError, NotFound, TimedOut
from labkit.kube import session as sessions
from labkit.kube.session import Session
from labkit.kube.workloads import MERGE
from labkit.lessons.reset import delete, inventory
from labkit.setup.cluster.outage import asked_again
from labkit.setup.host import paths, pid
from labkit.setup.host.poll import Poll
from labkit.ui.live import Live

MARK = "labkit/at-work"
RENEW_S = 3.0
STALE_S = 12.0
POLL_S = 0.3
LEVEL = "pod-security.kubernetes.io/"


class Hold:
    """The Namespace, while this process alone brings it to a state."""

    def __init__(self, session: Session, what: str) -> None:
        self._session = session
        self._by = f"{pid.name()}.{secrets.token_hex(3)}"
        self._what = what
        self._beat = 0
        self.lost = False
        self._labels: dict[str, str] = {}  # which it has again when it is made anew

    def require(self) -> None:
        """Raise Conflict when another holder has taken over."""
        if self.lost:
            raise Conflict(
                f"another reset of namespace {self._session.namespace} took over",
                f"this one had not renewed its lease for {STALE_S:g} s",
                "wait until the other one is done, then once more",
            )

    def restore(self, timeout_s: float) -> None:
        """The Namespace is as the lab makes it; one that is terminating is created again."""
        found = self._found()
        if found and _is_going(found):
            self._until_gone(found, timeout_s)
            found = None
        if found is None:
            with suppress(AlreadyExists):
                self._make()
        elif misfit(found):
            stale = dict.fromkeys(_levels(found))
            self._patch({"labels": stale | _levels(_declared())})

    def take(self, timeout_s: float) -> None:
        """Until no other reset is at work here. Raises TimedOut, NamespaceNotOurs."""
        poll = Poll(timeout_s, every_s=POLL_S)
        seen, since, last = "", 0.0, ""

        def taken() -> bool:
            nonlocal seen, since, last
            found = self._found()
            if found is None:
                self._make()
                return True
            mark = _mark(found)
            if (now := json.dumps(mark)) != seen:
                seen, since = now, poll.waited_s
            if self._is_free(mark, poll.waited_s - since):
                self._write(found)
                return True
            last = f"{mark['what']} is at work, by {mark['by']}"
            return False

        def away(text: str) -> None:
            nonlocal since
            since = poll.waited_s  # nobody could write their mark meanwhile
            live.show(text)

        with Live("another reset") as live:
            while not poll.is_over:
                with suppress(AlreadyExists, Conflict):  # another one was quicker
                    if asked_again(taken, poll.deadline, repeatable=True, on_wait=away):
                        return
                    live.show(f"waiting: {last}")
                    poll.pause()
        raise TimedOut(
            f"namespace {self._session.namespace} was not free after {timeout_s:g} s",
            last or "another one was quicker each time",
            "end that one, or wait for it; then once more",
        )

    def _is_free(self, mark: dict, still_s: float) -> bool:
        """May this one take it? Its own mark is one whose answer was lost on the way."""
        is_ours = mark.get("by") == self._by
        return not mark or is_ours or pid.is_dead(_process(mark)) or still_s > STALE_S

    def renew(self) -> None:
        """Record that this holder is still at work."""
        with suppress(ApiSilent, NotFound, Conflict):  # then nobody else can say so either
            found = self._found()
            if found is None or (by := _mark(found).get("by")) is None:
                return  # made anew without a mark, by hand
            self.lost = by != self._by
            if not self.lost:
                self._write(found)

    def leave(self) -> None:
        with suppress(LabError):
            found = self._found()
            if found and _mark(found).get("by") == self._by:
                self._patch({"annotations": {MARK: None}})

    def _found(self) -> dict | None:
        found = there(self._session)
        self._labels = found["metadata"]["labels"] if found else self._labels
        return found

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._session.namespace}"

    def _value(self) -> str:
        self._beat += 1
        return json.dumps({"what": self._what, "by": self._by, "beat": self._beat})

    def _write(self, found: dict) -> None:
        version = found["metadata"]["resourceVersion"]  # of two that take it, one gets a Conflict
        self._patch({"annotations": {MARK: self._value()}, "resourceVersion": version})

    def _patch(self, metadata: dict) -> None:
        body = {"metadata": metadata}
        self._session.api.request("PATCH", self._path, body=body, content_type=MERGE)

    def _make(self) -> None:
        item = _declared()
        mine = {key: value for key, value in self._labels.items() if "kubernetes.io/" not in key}
        item["metadata"]["labels"] |= mine
        item["metadata"] |= {"name": self._session.namespace, "annotations": {MARK: self._value()}}
        self._session.api.request("POST", "/api/v1/namespaces", body=item)

    def _until_gone(self, found: dict, timeout_s: float) -> None:
        """Speed up its end: remove its objects' finalizers, and do not wait for its Pods."""
        poll = Poll(timeout_s, every_s=POLL_S)
        uid, name = found["metadata"]["uid"], self._session.namespace
        with Live(f"namespace {name}") as live:
            live.show(f"waiting until namespace {name} is deleted, to create it again")
            while found and found["metadata"]["uid"] == uid:
                for one in inventory.listed(self._session):
                    delete.free(self._session, one)
                    if one.resource.kind == "Pod":
                        delete.delete(self._session, one)
                if found["metadata"].get("finalizers"):
                    self._patch({"finalizers": None})
                conditions = found.get("status", {}).get("conditions", [])
                said = [c["message"] for c in conditions if c["status"] == "True"]
                poll.not_yet(
                    f"namespace {name} not gone after {timeout_s:g} s",
                    "; ".join(said) or "it is Terminating",
                    f"kubectl get namespace {name} --output=yaml",
                )
                found = self._found()


def there(session: Session) -> dict | None:
    """The Namespace; None where there is none. Raises NamespaceNotOurs."""
    try:
        found = session.api.request("GET", f"/api/v1/namespaces/{session.namespace}")
    except NotFound:
        return None
    sessions.guard(found)
    return found


@contextmanager
def alone(session: Session, what: str, timeout_s: float) -> Iterator[Hold]:
    """The namespace is there, and this process alone brings it to a state.

    Raises NamespaceNotOurs, TimedOut (another one did not end).
    """
    hold, over = Hold(session, what), threading.Event()
    hold.take(timeout_s)

    def renew() -> None:
        while not over.wait(RENEW_S):
            hold.renew()

    threading.Thread(target=renew, daemon=True).start()
    try:
        yield hold
    finally:
        over.set()
        hold.leave()


def misfit(found: dict | None) -> str:
    """Why the Namespace is not as the lab makes it; empty when it is."""
    if found is None:
        return "is missing"
    if _is_going(found):
        return "is going"
    # somebody tried what "restricted" refuses
    return "" if _levels(found) == _levels(_declared()) else "has other Pod Security levels"


def _is_going(found: dict) -> bool:
    return "deletionTimestamp" in found["metadata"]


def _levels(found: dict) -> dict[str, str]:
    labels = found["metadata"].get("labels", {})
    return {key: value for key, value in labels.items() if key.startswith(LEVEL)}


def _declared() -> dict:
    """The learner's Namespace, as `./lab up` makes it."""
    return next(yaml.safe_load_all(paths.k8s("cluster", "namespaces.yaml").read_text()))


def _mark(found: dict) -> dict:
    try:
        mark = json.loads(found["metadata"].get("annotations", {}).get(MARK, "{}"))
        return mark if {"what", "by"} <= mark.keys() else {}
    except (ValueError, AttributeError):  # somebody has written into it
        return {}


def _process(mark: dict) -> str:
    return mark["by"].rpartition(".")[0]
