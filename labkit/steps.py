"""The steps of the notebooks: each one's name, title, and the check that asks for it."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Callable
from typing import NamedTuple

import labkit
from labkit import humane, ollama, targets, verdict
from labkit.errors import ModelMissing, NotFound, OllamaSaid, UnknownStep, Unreachable
from labkit.session import Session


class Seen(NamedTuple):
    """What a check saw: did it pass, in what words, and what to try where it did not."""

    passed: bool
    saw: str
    hint: str = ""


class Step(NamedTuple):
    """One section of a notebook that changes something and ends in a check."""

    id: str
    title: str
    check: Callable[[Session], Seen]


def named(name: str) -> list[Step]:
    """The step of that name, or all steps of the notebook of that name, in order.

    >>> [step.id for step in named("00-start")]
    ['00-start/run', '00-start/pull', '00-start/your-turn']

    Raises UnknownStep with the names that come near.
    """
    found = [step for step in STEPS if name in (step.id, step.id.partition("/")[0])]
    if not found:
        names = [step.id for step in STEPS]
        near = difflib.get_close_matches(name, names) or names
        saw, hint = f"steps: {', '.join(near)}", f'lab.check("{near[0]}")'
        raise UnknownStep(f"no step is called {name!r}", saw, hint)
    return found


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
        return _answers(f"pod/{name}") if serves.passed else serves

    return check


def local_has_model(session: Session) -> Seen:
    """The local Ollama answers a prompt with the lab's model."""
    return _answers(None)


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


def _answers(at: str | None) -> Seen:
    name = at or "the local Ollama"
    body = {"model": labkit.model, "prompt": "What is a Pod?", "stream": False}
    try:
        with ollama.server(at) as server:
            answer = server.post("/api/generate", body)
    except ModelMissing as error:
        return Seen(False, error.saw, f"lab.pull(at={at!r})" if at else "lab.pull()")
    except (OllamaSaid, Unreachable) as error:
        return Seen(False, f"{error.happened}: {error.saw}", error.hint)
    if not (answer.get("done") and answer.get("response")):
        return Seen(False, f"{name} gave an empty answer", "ask once more: lab.generate(…)")
    return Seen(True, f"{name} answers with {labkit.model}")


def _loaded() -> dict | None:
    with ollama.server() as server:
        found = server.get("/api/ps")["models"] or []
    return next((m for m in found if ollama.same(m["name"], labkit.model)), None)


STEPS = (
    Step("00-start/run", "Run Ollama", pod_serves("ollama")),
    Step("00-start/pull", "Pull a model", pod_answers("ollama")),
    Step("00-start/your-turn", "Your turn: a Pod `mine` that answers", pod_answers("mine")),
    Step("01-ollama/run", "Run", local_has_model),
    Step("01-ollama/unload", "Unloading", local_is_unloaded),
    Step("01-ollama/your-turn", "Your turn: loaded for an hour", local_stays_loaded),
)
