"""What checks look at: each function asks the cluster now, and says what it saw."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import NamedTuple

import labkit
from labkit import gathered, humane, ollama, pods, targets, timelines, verdict
from labkit.errors import LabError, ModelMissing, NotFound, OllamaSaid, Unreachable
from labkit.session import Session

ANSWER_S = 60.0  # a large model may have to be loaded first


class Seen(NamedTuple):
    """What a check saw: did it pass, in what words, and what to try where it did not."""

    passed: bool
    saw: str
    hint: str = ""


def pod_serves(name: str) -> Callable[[Session], Seen]:
    """A check: the Pod is ready, and the Ollama in it answers."""

    def check(session: Session) -> Seen:
        one = targets.parsed(session, f"pod/{name}")
        try:
            pod = targets.found(session, one)
        except NotFound:
            run = f'lab.run("{name}", image="ollama/ollama")'
            return Seen(False, f"there is no {one} in namespace {session.namespace}", run)
        if not targets.ready(pod):
            trouble = verdict.trouble(pod)
            if trouble:
                return Seen(False, f"{one}: {trouble.reason}, {trouble.message}", trouble.hint)
            return Seen(False, f"{one} {verdict.pod_doing(pod, ())}", f'lab.wait("{one}")')
        try:
            with ollama.server(str(one)) as server:
                version = server.get("/api/version")["version"]
        except (Unreachable, OllamaSaid, KeyError, TypeError) as error:
            image = pod["spec"]["containers"][0]["image"]
            hint = f'is {image} an Ollama? lab.logs("{one}")'
            return Seen(False, f"{one} is ready, but no Ollama answers in it: {error!r}", hint)
        return Seen(True, f"{one} is ready, and Ollama {version} answers")

    return check


def pod_answers(name: str) -> Callable[[Session], Seen]:
    """A check: the Ollama in the Pod answers a prompt with the lab's model."""

    def check(session: Session) -> Seen:
        serves = pod_serves(name)(session)
        return answers(f"pod/{name}") if serves.passed else serves

    return check


def local_has_model(session: Session) -> Seen:
    """The local Ollama answers a prompt with the lab's model, which stays in memory as long."""
    loaded = _loaded()
    left_s = 0.0
    if loaded:
        left = humane.moment_of(loaded["expires_at"]) - datetime.datetime.now(datetime.UTC)
        left_s = max(left.total_seconds(), 0)
    return answers(None, keep_alive=f"{min(left_s, 1e9):.0f}s")


def local_is_unloaded(session: Session) -> Seen:
    """The local Ollama answers, and the lab's model is not in its memory."""
    loaded = _loaded()
    if not loaded:
        return Seen(True, "the local Ollama has no model in memory")
    until = humane.since(loaded["expires_at"])
    return Seen(False, f"{loaded['name']} is loaded; it goes {until}", "lab.ps(watch=True)")


def local_stays_loaded(session: Session) -> Seen:
    """The lab's model is in the local Ollama's memory, for half an hour yet at least."""
    loaded = _loaded()
    hint = 'lab.generate("Hello", keep_alive="1h")'
    if not loaded:
        return Seen(False, "the model is not loaded", hint)
    until = humane.since(loaded["expires_at"])
    left = humane.moment_of(loaded["expires_at"]) - datetime.datetime.now(datetime.UTC)
    enough = left > datetime.timedelta(minutes=30)
    return Seen(enough, f"{loaded['name']} is loaded; it goes {until}", hint)


def answers(at: str | None, **more: str) -> Seen:
    """The Ollama there answers a prompt with the lab's model; None: the local one."""
    name = at or "the local Ollama"
    # not /api/generate: what learners asked that is counted in access logs
    body = {"model": labkit.model, "stream": False, **more}
    body["messages"] = [{"role": "user", "content": "What is a Pod?"}]
    try:
        with ollama.server(at) as server:
            answer = server.post("/api/chat", body, timeout_s=ANSWER_S)
    except ModelMissing as error:
        return Seen(False, error.saw, f"lab.pull(at={at!r})" if at else "lab.pull()")
    except (OllamaSaid, Unreachable) as error:
        return Seen(False, f"{error.happened}: {error.saw}", error.hint)
    if not (answer.get("done") and answer.get("message", {}).get("content")):
        return Seen(False, f"{name} gave an empty answer", "ask once more: lab.generate(…)")
    return Seen(True, f"{name} answers with {labkit.model}")


def _loaded() -> dict | None:
    with ollama.server() as server:
        found = server.get("/api/ps")["models"] or []
    return next((m for m in found if ollama.same(m["name"], labkit.model)), None)


def pod_is_empty(name: str) -> Callable[[Session], Seen]:
    """A check: the Ollama in the Pod answers, and has no model."""

    def check(session: Session) -> Seen:
        serves = pod_serves(name)(session)
        if not serves.passed:
            return serves
        held = models(f"pod/{name}")
        if held:
            hint = f'lab.delete("pod/{name}"), then run it again'
            return Seen(False, f"pod/{name} has {', '.join(held)}", hint)
        return Seen(True, f"pod/{name} is ready and has no model")

    return check


def deployment_ready(count: int = 1) -> Callable[[Session], Seen]:
    """A check: Deployment `ollama` has that many Pods, all ready."""

    def check(session: Session) -> Seen:
        one = targets.parsed(session, "deployment/ollama")
        try:
            found = targets.pods_of(session, one)
        except (NotFound, Unreachable) as error:
            return Seen(False, f"{error.happened}: {error.saw}", error.hint)
        found = list(filter(targets.stays, found))  # as the Deployment counts its replicas
        ready = [pod for pod in found if targets.ready(pod)]
        saw = f"{one} has {len(ready)} ready Pods of {len(found)}"
        if len(ready) == len(found) == count:
            return Seen(True, saw)
        for pod in found:
            trouble = verdict.trouble(pod)
            if trouble:
                return Seen(False, f"{saw}; {trouble.reason}: {trouble.message}", trouble.hint)
        hint = f'lab.scale("{one}", replicas={count}), lab.rollout("{one}")'
        return Seen(False, f"{saw}, wanted {count}", hint)

    return check


def service_reaches_ollama(session: Session) -> Seen:
    """A request to Service `ollama` is answered by an Ollama."""
    try:
        with ollama.server("service/ollama") as server:
            answer = server.get("/")
    except LabError as error:
        return Seen(False, f"{error.happened}: {error.saw}", error.hint)
    if answer != "Ollama is running":
        return Seen(False, f"somebody else answers: {str(answer)[:60]}", "which port is Ollama's?")
    return Seen(True, "an Ollama answers behind service/ollama")


def some_pod_has_model(session: Session) -> Seen:
    """At least one Pod of Deployment `ollama` has the lab's model."""
    has, lacks = _who_has(session)
    if not has:
        saw = f"none of {len(lacks)} Pods has {labkit.model}"
        return Seen(False, saw, 'lab.pull(at="deployment/ollama")')
    return Seen(True, f"{has[0]} has {labkit.model}")


def service_answers(session: Session) -> Seen:
    """Service `ollama` answers a prompt with the lab's model."""
    reached = service_reaches_ollama(session)
    return answers("service/ollama") if reached.passed else reached


def service_has_an_endpoint(session: Session) -> Seen:
    """Service `ollama` is there, and has the address of a ready Pod behind it."""
    one = targets.parsed(session, "service/ollama")
    try:
        targets.found(session, one)
    except NotFound as error:
        return Seen(False, error.happened, error.hint)
    query = {"labelSelector": f"kubernetes.io/service-name={one.name}"}
    path = session.api.resource("endpointslices").path(session.namespace)
    slices = session.api.request("GET", path, query=query)["items"]
    ends = [end for item in slices for end in item.get("endpoints") or []]
    ready = [end for end in ends if end.get("conditions", {}).get("ready")]
    saw = f"{one} has {len(ready)} ready addresses of {len(ends)}"
    return Seen(bool(ready), saw, "do the Pods carry the label that it selects?")


def service_has_answered(session: Session) -> Seen:
    """Service `ollama` answers with the lab's model, and somebody has asked it a prompt."""
    found = pods.answers(session, "deployment/ollama", "/api/generate")
    asked = [status for statuses in found.values() for status in statuses]
    if not any(status < "400" for status in asked):
        saw = f"{len(found)} Pods have answered no prompt yet, of {len(asked)}"
        return Seen(False, saw, 'lab.generate("…", at="service/ollama")')
    return service_answers(session)


def some_answered_some_refused(session: Session) -> Seen:
    """The access logs of Deployment `ollama`: a Pod that answered, and one that refused."""
    found = pods.answers(session, "deployment/ollama", "/api/generate")
    answered = [name for name, statuses in found.items() if statuses and max(statuses) < "400"]
    refused = [name for name, statuses in found.items() if statuses and min(statuses) >= "400"]
    counted = ", ".join(f"{name} {len(statuses)} times" for name, statuses in found.items())
    saw = f"{len(answered)} Pods answered all they were asked, {len(refused)} refused all"
    if answered and refused:
        return Seen(True, saw)
    return Seen(False, f"{saw}; asked: {counted}", "ask thirty times, a connection each")


def every_pod_answers(session: Session) -> Seen:
    """Each Pod of Deployment `ollama` has the lab's model and answers with it."""
    has, lacks = _who_has(session)
    if not (has or lacks):
        return Seen(
            False, "no Pod of deployment/ollama is ready", 'lab.rollout("deployment/ollama")'
        )
    if lacks:
        saw = f"{len(lacks)} of {len(has) + len(lacks)} Pods lack {labkit.model}"
        return Seen(False, f"{saw}: {', '.join(lacks)}", f'lab.pull(at="pod/{lacks[0]}")')
    for name in has:
        answer = answers(f"pod/{name}")
        if not answer.passed:
            return answer
    return Seen(True, f"all {len(has)} Pods answer with {labkit.model}")


def every_pod_was_given_model(session: Session) -> Seen:
    """Each Pod of Deployment `ollama` is a bare Ollama, and answers with the lab's model."""
    everywhere = every_pod_answers(session)
    if not everywhere.passed:
        return everywhere
    for pod in targets.pods_of(session, targets.parsed(session, "deployment/ollama")):
        name, way = pod["metadata"]["name"], _way(pod)
        if way:
            return Seen(False, f"{name} brings the model itself: {way}", "a bare Deployment")
    return Seen(True, everywhere.saw)


def of_release(check: Callable[[Session], Seen], *, rolled_back: bool = False) -> Callable:
    """A check: the same, of what Helm has deployed as release `ollama`, or rolled back to."""

    def of(session: Session) -> Seen:
        from labkit import contents, releases  # which read steps, and these name this check

        found = contents.listed(session, [session.api.resource("secrets")])
        kept = releases.records(found)
        status = releases.status(kept[-1]) if kept else ""
        if status != "deployed":
            saw = f"release ollama is {status}" if kept else "there is no release ollama"
            return Seen(False, saw, "helm list --all; helm upgrade --install")
        if rolled_back and not releases.rolled_back(found):
            saw = f"release ollama has {len(kept)} revisions, and the last is no rollback"
            return Seen(False, saw, "helm history ollama; helm rollback ollama 1")
        return check(session)

    return of


def a_new_pod_lacks_model(session: Session) -> Seen:
    """Of four Pods of Deployment `ollama`, one at least lacks the model."""
    four = deployment_ready(4)(session)
    if not four.passed:
        return four
    has, lacks = _who_has(session)
    return Seen(bool(lacks), f"{len(has)} Pods have the model, {len(lacks)} lack it", "begin anew")


def config_names_model(session: Session) -> Seen:
    """ConfigMap `model` is there, and names the lab's model."""
    one = targets.parsed(session, "configmap/model")
    try:
        named = targets.found(session, one).get("data", {}).get("MODEL", "")
    except NotFound as error:
        return Seen(False, error.saw, error.hint)
    return Seen(named == labkit.model, f"{one} names {named or 'nothing'}", f"it is {labkit.model}")


def hook_failed(session: Session) -> Seen:
    """A Pod of Deployment `ollama` has lost the race of its hook: an event says so."""
    path = session.api.resource("events").path(session.namespace)
    query = {"fieldSelector": "reason=FailedPostStartHook"}
    try:
        there = targets.pods_of(session, targets.parsed(session, "deployment/ollama"))
    except (NotFound, Unreachable) as error:
        return Seen(False, error.happened, error.hint)
    uids = {pod["metadata"]["uid"] for pod in there}  # events outlive the Pods they tell of
    found = session.api.request("GET", path, query=query)["items"]
    found = [event for event in found if event["involvedObject"]["uid"] in uids]
    lost = sum(event.get("count") or 1 for event in found)
    if not lost:
        return Seen(False, "no hook has failed", 'lab.apply("k8s/steps/05-hook-naive")')
    return Seen(True, f"a hook has failed {lost} times")


def pods_bring_model(count: int = 1, by: str = "") -> Callable[[Session], Seen]:
    """A check: so many Pods of Deployment `ollama`, each Ready only when it had the model.

    `by`: the way in which they bring it: baked, hook, init, sidecar or store; any without it.
    """

    def check(session: Session) -> Seen:
        enough = deployment_ready(count)(session)
        if not enough.passed:
            return enough
        everywhere = every_pod_answers(session)
        if not everywhere.passed:
            return everywhere
        for pod in targets.pods_of(session, targets.parsed(session, "deployment/ollama")):
            name, way = pod["metadata"]["name"], _way(pod)
            if by and way != by:
                saw = f"{name} brings the model in another way: {way or 'none of its own'}"
                return Seen(False, saw, f'lab.manifest("k8s/steps/05-{by}")')
            had_at, ready_at = timelines.model_at(session, pod), timelines.ready_at(pod)
            # Kubernetes writes whole seconds
            late_s = (had_at - ready_at).total_seconds() - 1 if had_at and ready_at else 0
            if late_s > 0:
                saw = f"{name} had been Ready for {late_s:.0f} s when the model came"
                return Seen(False, saw, "who brought it? A Pod that comes at night has nobody")
        return Seen(True, f"{everywhere.saw}, and each had it before it was Ready")

    return check


def _way(pod: dict) -> str:
    """How a Pod comes by its model; empty when somebody has to bring it.

    >>> _way({"spec": {"initContainers": [{"restartPolicy": "Always"}], "containers": [{}]}})
    'sidecar'
    """
    spec = pod["spec"]
    if any("persistentVolumeClaim" in volume for volume in spec.get("volumes", [])):
        return "store"
    for container in spec.get("initContainers", []):
        return "sidecar" if container.get("restartPolicy") == "Always" else "init"
    if any("postStart" in one.get("lifecycle", {}) for one in spec["containers"]):
        return "hook"
    baked = any(
        one["name"] == "OLLAMA_MODELS" for c in spec["containers"] for one in c.get("env", [])
    )
    return "baked" if baked else ""


def parallel(count: int) -> Callable[[Session], Seen]:
    """A check: Deployment `ollama` answers that many prompts at a time, by its own log."""

    def check(session: Session) -> Seen:
        everywhere = every_pod_answers(session)
        if not everywhere.passed:
            return everywhere
        path = session.api.resource("pods").path(session.namespace)
        for pod in targets.pods_of(session, targets.parsed(session, "deployment/ollama")):
            name = pod["metadata"]["name"]
            if not targets.ready(pod):
                saw = f"pod/{name} {verdict.pod_doing(pod, ())}"
                return Seen(False, saw, 'lab.rollout("deployment/ollama")')
            log = session.api.text(f"{path}/{name}/log")
            found = re.search(r"OLLAMA_NUM_PARALLEL:(\d+)", log)
            said = int(found[1]) if found else 0
            if said != count:
                saw = f"{name} says OLLAMA_NUM_PARALLEL:{said}"
                hint = f"kubectl set env deployment/ollama OLLAMA_NUM_PARALLEL={count}"
                return Seen(False, saw, hint)
        return Seen(True, f"{everywhere.saw}, {count} prompts at a time")

    return check


def pulls_failed_under_200(session: Session) -> Seen:
    """The model mirror had no such model, and Deployment `ollama` answered 200 all the same."""
    found = targets.pods_of(session, targets.parsed(session, "deployment/ollama"))
    refused = sum(map(len, gathered.refused(session, found).values()))
    given = pods.answers(session, "deployment/ollama", "/api/pull").values()
    good = sum(status == "200" for statuses in given for status in statuses)
    saw = f"{refused} pulls of a model that there is not, {good} answers to pulls with status 200"
    hint = 'lab.hey("http://ollama:11434/api/pull", n=4, c=2, body=wrong)'
    return Seen(min(refused, good) >= 4, saw, hint)


def models(at: str) -> list[str]:
    """The names of the models that an Ollama has on its disk."""
    with ollama.server(at) as server:
        return [model["name"] for model in server.get("/api/tags")["models"] or []]


def _who_has(session: Session) -> tuple[list[str], list[str]]:
    """The ready Pods of Deployment `ollama` that have the lab's model, and those that lack it."""
    try:
        found = targets.pods_of(session, targets.parsed(session, "deployment/ollama"))
    except (NotFound, Unreachable):
        return [], []
    has, lacks = [], []
    for pod in filter(targets.ready, found):
        name = pod["metadata"]["name"]
        held = models(f"pod/{name}")
        (has if any(ollama.same(one, labkit.model) for one in held) else lacks).append(name)
    return has, lacks
