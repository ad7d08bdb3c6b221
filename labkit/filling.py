"""What a step's state has inside of its Pods and in the local Ollama: models, and answers given."""

from __future__ import annotations

import datetime
from contextlib import suppress
from typing import NamedTuple

import labkit
from labkit import clearing, contents, humane, making, ollama, pods, reach, targets
from labkit.bringup import slow
from labkit.errors import OllamaSaid
from labkit.session import Session
from labkit.steps import State

ASKED = "/api/generate"  # what a learner's questions ask; the checks' own ask another path
QUESTION = "vi or emacs?"
_KEPT_S = 30 * 60


class Change(NamedTuple):
    """One thing that is done, to what, and why."""

    verb: str
    target: str
    why: str


def left(session: Session, state: State) -> list[Change]:
    """What is left to do inside the ready Pods: pull a model, ask; or to begin one anew."""
    found = [pod for pod in _pods(session) if targets.ready(pod)]
    full = {labkit.model, *([slow.NAME] if state.slow else [])}
    changes, asked = [], 0
    lacking, having = [], []
    for pod in found:
        target = f"pod/{pod['metadata']['name']}"
        held = _held(target)
        wants = full if state.brings or _is_of(session, state, pod) else set()
        answered = _answered(session, pod)
        asked += answered
        if held - wants:
            changes.append(Change("delete", target, f"it has {', '.join(sorted(held - wants))}"))
        elif answered and not state.asked:
            changes.append(Change("delete", target, f"it was asked {answered} times"))
        elif wants and not state.brings:
            (having if held == wants else lacking).append((len(held) == 0, target, wants - held))
    short = (len(lacking) + len(having) if state.having is None else state.having) - len(having)
    for _, target, models in sorted(lacking)[: max(short, 0)]:
        changes += [Change("pull", target, model) for model in sorted(models)]
    for _, target, _ in having[: max(-short, 0)]:
        changes.append(Change("delete", target, "too many Pods have the model"))
    if not changes and asked < state.asked:
        changes.append(Change("ask", "service/ollama", f"{state.asked - asked} times"))
    return changes or _local(state)


def do(session: Session, state: State, changes: list[Change], timeout_s: float) -> None:
    """Does these changes."""
    if any(change.why == slow.NAME for change in changes):
        making.slow_model()
    for verb, target, why in changes:
        if verb == "pull":
            ollama.pull(why, at=None if target == LOCAL else target)
        elif verb == "ask":
            _ask(session, int(why.split()[0]))
        elif verb in ("load", "unload"):
            keep = {"loaded": {}, "kept": {"keep_alive": "1h"}, "unloaded": {"keep_alive": 0}}
            with ollama.server() as server:
                body = {"model": labkit.model, "prompt": "", **keep[state.local]}
                server.post("/api/generate", {**body, "stream": False})
        elif target == LOCAL:
            with ollama.server() as server:
                server.delete("/api/delete", {"model": labkit.model})
    gone = {target for verb, target, _ in changes if verb == "delete" and target != LOCAL}
    kinds = [session.api.resource("pods")]
    if gone:
        found = [one for one in contents.listed(session, kinds) if str(one) in gone]
        clearing.clear(session, found, timeout_s)


LOCAL = "the local Ollama"


def _pods(session: Session) -> list[dict]:
    path = session.api.resource("pods").path(session.namespace)
    return session.api.request("GET", path)["items"]


def _held(target: str) -> set[str]:
    with ollama.server(target) as server:
        names = [model["name"] for model in server.get("/api/tags")["models"] or []]
    return {name.removesuffix(":latest") for name in names}


def _is_of(session: Session, state: State, pod: dict) -> bool:
    """Does the state have a model pulled into this Pod?"""
    name, labels = pod["metadata"]["name"], pod["metadata"].get("labels", {})
    return any(
        target == f"pod/{name}" or (target == "deployment/ollama" and labels.get("app") == "ollama")
        for target in state.pulled
    )


def _answered(session: Session, pod: dict) -> int:
    where = session.api.resource("pods").path(session.namespace, pod["metadata"]["name"])
    container = {"container": pod["spec"]["containers"][0]["name"]}
    return len(pods.statuses(session.api.text(f"{where}/log", query=container), ASKED))


def _ask(session: Session, times: int) -> None:
    """A connection for each question, so that the Service chooses a Pod for each."""
    body = {"model": labkit.model, "prompt": QUESTION, "stream": False}
    for _ in range(times):
        with suppress(OllamaSaid), reach.opened(session, "service/ollama") as server:
            server.post(ASKED, body)


def _local(state: State) -> list[Change]:
    if not state.local:
        return []
    with ollama.server() as server:
        names = [m["name"] for m in server.get("/api/tags")["models"] or []]
        running = server.get("/api/ps")["models"] or []
    held = any(ollama.same(name, labkit.model) for name in names)
    loaded = next((m for m in running if ollama.same(m["name"], labkit.model)), None)
    if state.local == "absent":
        return [Change("delete", LOCAL, f"it has {labkit.model}")] if held else []
    if not held:
        return [Change("pull", LOCAL, labkit.model)]
    if state.local == "unloaded":
        return [Change("unload", LOCAL, f"{labkit.model} is in its memory")] if loaded else []
    now = datetime.datetime.now(datetime.UTC)
    left_s = (humane.moment_of(loaded["expires_at"]) - now).total_seconds() if loaded else 0
    if left_s <= 0 or (left_s > _KEPT_S) != (state.local == "kept"):
        return [Change("load", LOCAL, f"{labkit.model} is {state.local}")]
    return []
