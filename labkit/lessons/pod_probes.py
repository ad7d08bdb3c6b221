"""What checks look at in one Ollama, a Pod's or the local one: does it serve, and answer?"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import nullcontext

import labkit
from labkit.errors import ModelMissing, NotFound, OllamaSaid, Unreachable
from labkit.kube import pod_logs, pod_status, refs
from labkit.kube.proxy import Connection
from labkit.kube.session import Session
from labkit.lessons.seen import Seen
from labkit.ollama import access_log, client, models
from labkit.ollama.model_name import same
from labkit.setup.host import speed
from labkit.ui import units

ANSWER_S = 60.0  # a large model may have to be loaded first
HOUR = datetime.timedelta(minutes=61)  # the clocks of two machines may differ


def pod_serves(name: str) -> Callable[[Session], Seen]:
    """A check: the Pod is ready, and the Ollama in it answers."""

    def check(session: Session) -> Seen:
        one = refs.parsed(session, f"pod/{name}")
        try:
            pod = refs.found(session, one)
        except NotFound:
            run = f'lab.run("{name}", image="ollama/ollama")'
            return Seen(False, f"there is no {one} in namespace {session.namespace}", run)
        if not refs.ready(pod):
            trouble = pod_status.trouble(pod)
            if trouble:
                return Seen(False, f"{one}: {trouble.reason}, {trouble.message}", trouble.hint)
            return Seen(False, f"{one} {pod_status.pod_doing(pod, ())}", f'lab.wait("{one}")')
        try:
            with client.server(str(one)) as server:
                version = server.get("/api/version")["version"]
        except (Unreachable, OllamaSaid, KeyError, TypeError) as error:
            image = pod["spec"]["containers"][0]["image"]
            hint = f'lab.logs("{one}") shows whether {image} is an Ollama'
            return Seen(False, f"{one} is ready, but no Ollama answers in it: {error!r}", hint)
        return Seen(True, f"{one} is ready, and Ollama {version} answers")

    return check


def pod_answers(name: str) -> Callable[[Session], Seen]:
    """A check: the Ollama in the Pod answers a prompt with the lab's model."""

    def check(session: Session) -> Seen:
        serves = pod_serves(name)(session)
        return answers(f"pod/{name}") if serves.passed else serves

    return check


def pod_answered_inside(name: str) -> Callable[[Session], Seen]:
    """A check: the Ollama in the Pod answers, and a command inside of the Pod has asked it."""

    def check(session: Session) -> Seen:
        answered = pod_answers(name)(session)
        if not answered.passed:
            return answered
        given = access_log.prompts(pod_logs.written(session, name), from_inside=True)
        if not any(status < "400" for status in given):
            saw = f"{answered.saw}, and no command inside of it has asked it"
            line = 'ollama run --insecure --nowordwrap $MODEL "What is a Pod?"'
            return Seen(False, saw, f"kubectl exec {name} -- {line}")
        return Seen(True, f"{answered.saw}; a command inside of it was answered too")

    return check


def pod_is_new(name: str) -> Callable[[Session], Seen]:
    """A check: the Ollama in the Pod answers; the Pod has no model, and has never had one."""

    def check(session: Session) -> Seen:
        serves = pod_serves(name)(session)
        if not serves.passed:
            return serves
        held = models.names(f"pod/{name}")
        if held:
            hint = f'lab.delete("pod/{name}"), then run it again'
            return Seen(False, f"pod/{name} has {', '.join(held)}", hint)
        pod = refs.found(session, refs.parsed(session, f"pod/{name}"))
        restarts = pod_status.restarts(pod)
        if restarts or _has_pulled(session, name):
            why = f"its container has restarted ({restarts})" if restarts else "it had a model"
            saw = f"pod/{name} has no model, but it is not a new Pod: {why}"
            return Seen(False, saw, f'lab.delete("pod/{name}"), then run it again')
        return Seen(True, f"pod/{name} is a new Pod, is ready, and has no model")

    return check


def local_has_model(session: Session) -> Seen:
    """The local Ollama answers a prompt with the lab's model, which stays in memory as long."""
    loaded = _loaded()
    left_s = 0.0
    if loaded:
        left = units.moment_of(loaded["expires_at"]) - datetime.datetime.now(datetime.UTC)
        left_s = max(left.total_seconds(), 0)
    return answers(None, keep_alive=f"{min(left_s, 1e9):.0f}s")


def local_is_unloaded(session: Session) -> Seen:
    """The local Ollama has the lab's model on its disk, and not in its memory."""
    loaded = _loaded()
    if not loaded:
        if not any(same(name, labkit.model) for name in models.names(None)):
            saw = f"the local Ollama does not have {labkit.model}, so it cannot unload it"
            return Seen(False, saw, "lab.pull()")
        return Seen(True, f"{labkit.model} is on the disk, and not in memory")
    until = units.since(loaded["expires_at"])
    return Seen(False, f"{loaded['name']} is loaded, and is unloaded {until}", "lab.ps(watch=True)")


def local_stays_loaded(session: Session) -> Seen:
    """The lab's model is in the local Ollama's memory, for 30 to 60 minutes from now."""
    loaded = _loaded()
    hint = 'lab.generate("Hello", keep_alive="1h")'
    if not loaded:
        return Seen(False, "the model is not loaded", hint)
    until = units.since(loaded["expires_at"])
    left = units.moment_of(loaded["expires_at"]) - datetime.datetime.now(datetime.UTC)
    if left > HOUR:
        saw = f"{loaded['name']} is loaded for longer than an hour"
        return Seen(False, saw, hint)
    return Seen(left > HOUR / 2, f"{loaded['name']} is loaded, and is unloaded {until}", hint)


def answers(at: str | None, server: Connection | None = None, **more: str) -> Seen:
    """The Ollama there answers a prompt with the lab's model; None: the local one.

    `server`: a connection to it that is open already, and stays so.
    """
    name = at or "the local Ollama"
    # not /api/generate: what learners asked that is counted in access logs
    body = {"model": labkit.model, "stream": False, **more}
    body["messages"] = [{"role": "user", "content": "What is a Pod?"}]
    try:
        with nullcontext(server) if server else client.server(at) as opened:
            answer = opened.post("/api/chat", body, timeout_s=speed.deadline(ANSWER_S))
    except ModelMissing as error:
        return Seen(False, error.saw, f"lab.pull(at={at!r})" if at else "lab.pull()")
    except (OllamaSaid, Unreachable) as error:
        return Seen(False, f"{error.happened}: {error.saw}", error.hint)
    if not (answer.get("done") and answer.get("message", {}).get("content")):
        again = f'lab.generate("Hello", at="{at}")' if at else 'lab.generate("Hello")'
        return Seen(False, f"{name} gave an empty answer", f"{again}: ask once more")
    return Seen(True, f"{name} answers with {labkit.model}")


def _has_pulled(session: Session, name: str) -> bool:
    """By its access log: was a model pulled into the Ollama that runs in this Pod now?"""
    return bool(access_log.statuses(pod_logs.written(session, name), "/api/pull"))


def _loaded() -> dict | None:
    with client.server() as server:
        found = server.get("/api/ps")["models"] or []
    return next((m for m in found if same(m["name"], labkit.model)), None)
