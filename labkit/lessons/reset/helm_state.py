"""Helm's own records of the lab's release: do they fit a step's state; and the release itself."""

from __future__ import annotations

from labkit.kube import helm, helm_values
from labkit.kube.session import Session
from labkit.lessons import desired_objects
from labkit.lessons.desired_state import ROLLED_BACK, State
from labkit.lessons.reset.inventory import Found


def records(found: list[Found]) -> list[Found]:
    """The Secrets in which Helm keeps the revisions of the lab's release, oldest first."""
    secrets = {one.name: one for one in found if one.item.get("type") == helm.RELEASE_SECRET}
    kept = helm.records((one.item for one in secrets.values()), desired_objects.RELEASE)
    return [secrets[item["metadata"]["name"]] for item in kept]


def misfit(found: list[Found], state: State) -> str:
    """Why the release is not the one of this state; empty when it is."""
    kept = [one.item for one in records(found)]
    if not kept:
        return "is missing"
    newest = kept[-1]
    if helm.status(newest) != "deployed":
        return f"is {helm.status(newest)}"
    if helm.read(newest).get("config") != helm_values.nested(desired_objects.values(state)):
        return "has other values"
    rolled_back = helm.description(newest) == ROLLED_BACK and helm.has_changed(kept)
    if rolled_back != state.rolled_back or (len(kept) > 1 and not state.rolled_back):
        return "has another history"
    return ""


def install(session: Session, state: State, timeout_s: float) -> None:
    """Install the release, with the real helm, where there is none."""
    values, chart = desired_objects.values(state), {"repo": desired_objects.repository()}
    helm.helm_upgrade(
        desired_objects.RELEASE, desired_objects.CHART, **chart, values=values, timeout_s=timeout_s
    )
    if state.rolled_back:
        more = {**values, "replicaCount": 2}
        helm.helm_upgrade(desired_objects.RELEASE, desired_objects.CHART, **chart, values=more)
        words = ["rollback", desired_objects.RELEASE, "1", "--wait", "--timeout=120s"]
        helm.ran(words, "helm rollback", timeout_s)
