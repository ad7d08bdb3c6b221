"""What checks look at in Deployment `ollama`: how many Pods, and what they have and answer."""

from __future__ import annotations

import datetime
import re
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import labkit
from labkit.diagnosis import gathering
from labkit.errors import NotFound, Refused, Unreachable
from labkit.kube import helm, pod_logs, pod_status, refs
from labkit.kube.session import Session
from labkit.lessons import pod_probes
from labkit.lessons.desired_state import ROLLED_BACK
from labkit.lessons.seen import Seen
from labkit.ollama import access_log, client, models, timeline
from labkit.ollama.model_name import same
from labkit.setup.cluster import slow_model
from labkit.ui import units

AT_ONCE = 4


class PodModel(NamedTuple):
    """A ready Pod: when its Ollama had the lab's model (None: it lacks it), and if it answered."""

    pod: dict
    had_at: datetime.datetime | None
    answer: Seen | None = None

    @property
    def name(self) -> str:
        return self.pod["metadata"]["name"]


def deployment_ready(count: int = 1) -> Callable[[Session], Seen]:
    """A check: Deployment `ollama` has that many Pods, all ready."""

    def check(session: Session) -> Seen:
        one = refs.parsed(session, "deployment/ollama")
        try:
            found = refs.pods_of(session, one)
        except (NotFound, Unreachable) as error:
            return Seen(False, f"{error.happened}: {error.saw}", error.hint)
        found = list(filter(refs.stays, found))  # as the Deployment counts its replicas
        ready = [pod for pod in found if refs.ready(pod)]
        saw = f"{one}: {len(ready)} of {units.count(len(found), 'Pod')} ready"
        if len(ready) == len(found) == count:
            return Seen(True, saw)
        for pod in found:
            trouble = pod_status.trouble(pod)
            if trouble:
                return Seen(False, f"{saw}; {trouble.reason}: {trouble.message}", trouble.hint)
        hint = f'lab.scale("{one}", replicas={count}), lab.rollout("{one}")'
        return Seen(False, f"{saw}, wanted {count}", hint)

    return check


def deployment_serves(session: Session) -> Seen:
    """Deployment `ollama` has one Pod, which it made itself and in which an Ollama answers."""
    one = deployment_ready()(session)
    if not one.passed:
        return one
    for pod in filter(refs.stays, pods(session)):
        name, owners = pod["metadata"]["name"], pod["metadata"].get("ownerReferences", [])
        if not any(owner["kind"] == "ReplicaSet" for owner in owners):
            saw = f"pod/{name} has the Deployment's label, and the Deployment has not made it"
            return Seen(False, saw, f'lab.delete("pod/{name}"); lab.rollout("deployment/ollama")')
        serves = pod_probes.pod_serves(name)(session)
        if not serves.passed:
            return serves
    return one


def some_pod_has_model(session: Session) -> Seen:
    """At least one Pod of Deployment `ollama` has the lab's model."""
    found = pod_models(session)
    has = [one.name for one in found if one.had_at]
    if not has:
        saw = f"{units.count(len(found), 'ready Pod')}, none with {labkit.model}"
        return Seen(False, saw, 'lab.pull(at="deployment/ollama")')
    return Seen(True, f"{has[0]} has {labkit.model}")


def pods_answer(count: int) -> Callable[[Session], Seen]:
    """A check: Deployment `ollama` has that many Pods, all ready, and each answers."""

    def check(session: Session) -> Seen:
        enough = deployment_ready(count)(session)
        return every_pod_answers(session) if enough.passed else enough

    return check


def every_pod_has_both(session: Session) -> Seen:
    """Each Pod of Deployment `ollama` answers with the lab's model, and has the slow one too."""
    everywhere = every_pod_answers(session)
    if not everywhere.passed:
        return everywhere
    for one in pods(session):
        name = one["metadata"]["name"]
        held = models.names(f"pod/{name}") if refs.ready(one) else [slow_model.NAME]
        if not any(same(model, slow_model.NAME) for model in held):
            saw = f"{name} has {labkit.model}, and lacks {slow_model.NAME}"
            return Seen(False, saw, f'lab.pull("{slow_model.NAME}", at="pod/{name}")')
    return Seen(True, f"{everywhere.saw}, and has {slow_model.NAME}")


def all_ready(check: Callable[[Session], Seen]) -> Callable[[Session], Seen]:
    """A check: the same, where each Pod that Deployment `ollama` wants is ready."""

    def ready(session: Session) -> Seen:
        one = refs.parsed(session, "deployment/ollama")
        try:
            wanted = refs.found(session, one)["spec"].get("replicas", 1)
        except NotFound as error:
            return Seen(False, error.happened, error.hint)
        enough = deployment_ready(max(wanted, 1))(session)
        return check(session) if enough.passed else enough

    return ready


def every_pod_answers(session: Session) -> Seen:
    """Each Pod of Deployment `ollama` has the lab's model and answers with it."""
    return all_answer(pod_models(session, ask=True))


def all_answer(found: list[PodModel]) -> Seen:
    """Each of these Pods has the lab's model, and has answered with it."""
    if not found:
        return Seen(
            False, "no Pod of deployment/ollama is ready", 'lab.rollout("deployment/ollama")'
        )
    lacks = [one.name for one in found if not one.had_at]
    if lacks:
        saw = f"{len(lacks)} of {units.count(len(found), 'Pod')} without {labkit.model}"
        return Seen(False, f"{saw}: {', '.join(lacks)}", f'lab.pull(at="pod/{lacks[0]}")')
    for one in found:
        if one.answer and not one.answer.passed:
            return one.answer
    return Seen(True, f"every Pod answers with {labkit.model} ({units.count(len(found), 'Pod')})")


def a_new_pod_lacks_model(session: Session) -> Seen:
    """Of four Pods of Deployment `ollama`, the newest lacks the model, and the others have it."""
    four = deployment_ready(4)(session)
    if not four.passed:
        return four
    found = pod_models(session)
    lacks = [one for one in found if not one.had_at]
    saw = f"with the model: {len(found) - len(lacks)} of {units.count(len(found), 'Pod')}"
    if len(lacks) != 1:
        hint = "three Pods with the model first, then the fourth"
        return Seen(False, f"{saw}, and only the newest should be without it", hint)
    (new,) = lacks
    newest = max(one.pod["metadata"]["creationTimestamp"] for one in found)
    if new.pod["metadata"]["creationTimestamp"] < newest:
        return Seen(False, f"{saw}; {new.name} lacks it, and is not the newest", "pull it there")
    return Seen(True, f"{saw}; the newest, {new.name}, lacks it")


def parallel(count: int) -> Callable[[Session], Seen]:
    """A check: Deployment `ollama` answers that many prompts at a time, by its own log."""

    def check(session: Session) -> Seen:
        one = deployment_ready(1)(session)  # two Pods answer two prompts at a time anyway
        everywhere = every_pod_has_both(session) if one.passed else one
        if not everywhere.passed:
            return everywhere
        for pod in pods(session):
            name = pod["metadata"]["name"]
            if not refs.ready(pod):
                saw = f"pod/{name} {pod_status.pod_doing(pod, ())}"
                return Seen(False, saw, 'lab.rollout("deployment/ollama")')
            log = pod_logs.written(session, name)
            found = re.search(r"OLLAMA_NUM_PARALLEL:(\d+)", log)
            said = int(found[1]) if found else 0
            if said != count:
                saw = f"{name} reports OLLAMA_NUM_PARALLEL:{said}"
                hint = f"kubectl set env deployment/ollama OLLAMA_NUM_PARALLEL={count}"
                return Seen(False, saw, hint)
        return Seen(True, f"{everywhere.saw}, {units.count(count, 'prompt')} at a time")

    return check


def pulls_failed_under_200(session: Session) -> Seen:
    """The model mirror had no such model, and Deployment `ollama` answered 200 all the same."""
    found = pods(session)
    failed = sum(map(len, gathering.refused(session, found).values()))
    given = access_log.answers(session, "deployment/ollama", "/api/pull").values()
    told = sum(status >= "500" for statuses in given for status in statuses)
    # each of the failed pulls has one answer: what was not an error there came under 200
    under = max(failed - told, 0)
    saw = f"failed pulls with status 200: {under}, with an error status: {told}"
    hint = 'lab.hey("http://ollama:11434/api/pull", n=4, c=2, body=wrong)'
    return Seen(under >= 4, saw, hint)


def of_release(
    check: Callable[[Session], Seen],
    *,
    rolled_back: bool = False,
    values: dict[str, object] | None = None,
) -> Callable:
    """A check: the same, of what Helm has deployed as release `ollama`.

    `rolled_back`: to revision 1, after a change. `values`: those that the release was given.
    """

    def of(session: Session) -> Seen:
        path = session.api.resource("secrets").path(session.namespace)
        try:
            secrets = session.api.request("GET", path)["items"]
        except (NotFound, Refused):
            secrets = []
        kept = helm.records(secrets, "ollama")
        status = helm.status(kept[-1]) if kept else ""
        if status != "deployed":
            saw = f"release ollama is {status}" if kept else "there is no release ollama"
            return Seen(False, saw, "helm history ollama; helm upgrade --install")
        if rolled_back and helm.description(kept[-1]) != ROLLED_BACK:
            saw = f"release ollama has {units.count(len(kept), 'revision')}, "
            saw += "and the last is not a rollback"
            return Seen(False, saw, "helm history ollama; helm rollback ollama 1")
        if rolled_back and not helm.has_changed(kept):
            saw = f"release ollama has {units.count(len(kept), 'revision')} with the same values: "
            saw += "it was rolled back without a change"
            hint = "helm upgrade with replicaCount=2, then helm rollback ollama 1"
            return Seen(False, saw, hint)
        given = helm.read(kept[-1]).get("config") or {}
        for name, value in (values or {}).items():
            if str(given.get(name)) != str(value):
                saw = f"the release's own value {name} is {given.get(name, 'not set')}"
                return Seen(False, saw, f"helm upgrade with {name}={value}: helm get values ollama")
        seen = check(session)
        if not seen.passed and (given := helm.list_as_text(kept[-1])):
            saw = f"{seen.saw}; Helm took {given} for text, not for a list"
            return Seen(False, saw, f"--set-json {shlex.quote(given)}, or a values file")
        return seen

    return of


def pods(session: Session) -> list[dict]:
    """The Pods of Deployment `ollama`. Raises NotFound, Unreachable when it has none."""
    return refs.pods_of(session, refs.parsed(session, "deployment/ollama"))


def pod_models(session: Session, *, ask: bool = False) -> list[PodModel]:
    """Who of the ready Pods of Deployment `ollama` has the lab's model; `ask`: and answers?

    All at the same time, each over one connection.
    """
    try:
        found = list(filter(refs.ready, pods(session)))
    except (NotFound, Unreachable):
        return []

    def of(pod: dict) -> PodModel:
        name = f"pod/{pod['metadata']['name']}"
        with client.server(name) as server:
            had_at = timeline.had_model(server)
            answer = pod_probes.answers(name, server) if ask and had_at else None
            return PodModel(pod, had_at, answer)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(of, found))
