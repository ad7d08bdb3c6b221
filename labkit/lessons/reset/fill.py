"""What a step's state has inside of its Pods and in the local Ollama: models, and answers given."""

from __future__ import annotations

import datetime
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import labkit
from labkit.diagnosis import gathering
from labkit.errors import OllamaSaid, Unreachable
from labkit.kube import exec as kubectl_exec
from labkit.kube import pod_logs, proxy, refs
from labkit.kube.session import Session
from labkit.lessons.desired_state import State
from labkit.lessons.reset import delete, inventory
from labkit.ollama import access_log, client
from labkit.ollama import models as making
from labkit.ollama.local_models import PULL_S
from labkit.ollama.model_name import same
from labkit.setup.cluster import services, slow_model
from labkit.setup.host import speed
from labkit.ui import units
from labkit.ui.live import Live

ASKED = "/api/generate"  # what a learner's questions ask; the checks' own ask another path
QUESTION = "vi or emacs?"
RUN_S = 60.0
STARTS_S = 30.0
TAGS_S = 10.0
LOCAL = "the local Ollama"
UNKNOWN = "service/ollama for a model that there is not"
_KEPT_S = 30 * 60


class Change(NamedTuple):
    """One thing that is done, to what, and why."""

    verb: str
    target: str
    why: str
    model: str = ""  # of a pull
    times: int = 0  # of requests


def pull(target: str, model: str) -> Change:
    return Change("pull", target, model, model=model)


def ask(target: str, times: int) -> Change:
    return Change("ask", target, units.count(times, "time"), times=times)


def left(session: Session, state: State) -> list[Change]:
    """What is left to do inside the ready Pods: pull a model, send a prompt, or restart one."""
    found = [pod for pod in _pods(session) if refs.ready(pod)]
    full = {labkit.model.removesuffix(":latest"), *([slow_model.NAME] if state.slow else [])}
    refused = gathering.refused(session, found) if found else {}
    changes, asked = [], 0
    lacking, having = [], []
    for pod in found:
        target = f"pod/{pod['metadata']['name']}"
        try:
            held = _held(session, target)
        except Unreachable:
            # a bare Pod is Ready before its Ollama listens
            if _age_s(pod) < speed.deadline(STARTS_S):
                raise
            changes.append(Change("delete", target, "no Ollama answers in it"))
            continue
        wants = full if state.brings or _is_of(session, state, pod) else set()
        answered = _answered(session, pod)
        asked += answered
        if held - wants:
            changes.append(Change("delete", target, f"it has {', '.join(sorted(held - wants))}"))
        elif answered and not (state.asked or state.inside):
            changes.append(
                Change("delete", target, f"it was asked {units.count(answered, 'time')}")
            )
        elif refused.get(pod["metadata"]["name"]) and not state.refused:
            changes.append(Change("delete", target, "it was told to pull what there is not"))
        elif wants and not state.brings:
            # the newest last: of a Deployment that was scaled up, it is the one without the model
            order = len(held) == 0, pod["metadata"].get("creationTimestamp", "")
            (having if held == wants else lacking).append((order, target, wants - held))
    short = (len(lacking) + len(having) if state.having is None else state.having) - len(having)
    for _, target, models in sorted(lacking)[: max(short, 0)]:
        changes += [pull(target, model) for model in sorted(models)]
    for _, target, _ in having[: max(-short, 0)]:
        changes.append(Change("delete", target, "too many Pods have the model"))
    if not changes and state.inside and not any(_has_asked_itself(session, pod) for pod in found):
        changes.append(Change("run", "pod/ollama", "ollama run", times=1))
    if not changes and asked < state.asked:
        changes.append(ask("service/ollama", state.asked - asked))
    if not changes and state.asked and state.slow:
        # asked before the second model was there: the first alone has answered
        cold = [target for _, target, _ in having if full - _loaded(session, target)]
        changes += [ask("service/ollama", len(full)) for _ in cold]
    lacks = state.refused - sum(map(len, refused.values()))
    if not changes and lacks > 0:
        changes.append(ask(UNKNOWN, lacks))
    return changes or _local(state)


def do(session: Session, state: State, changes: list[Change], timeout_s: float) -> None:
    """Make these changes."""
    pulls = [change for change in changes if change.verb == "pull"]
    if any(change.model == slow_model.NAME for change in pulls):
        making.slow_model()
    _pull(session, pulls)
    for change in changes:
        if change.verb == "ask" and change.target == UNKNOWN:
            _ask_for_unknown(session, change.times)
        elif change.verb == "run":
            words = ("ollama", "run", "--insecure", "--nowordwrap", labkit.model, QUESTION)
            kubectl_exec.ran(session, "ollama", words, timeout_s=speed.deadline(RUN_S))
        elif change.verb == "ask":
            _ask(session, state, change.times)
        elif change.target == LOCAL and change.verb != "pull":
            _tell_local(state)
    gone = {change.target for change in changes if change.verb == "delete"} - {LOCAL}
    if gone:
        found = inventory.listed(session, [session.api.resource("pods")])
        delete.clear(session, [one for one in found if str(one) in gone], timeout_s)


def _pull(session: Session, changes: list[Change]) -> None:
    """All at once: most of a pull of a small model is waiting."""

    def one(change: Change) -> None:
        insecure = {"insecure": True} if change.model.startswith(f"{services.HOST}/") else {}
        is_local = change.target == LOCAL
        with client.server() if is_local else proxy.opened(session, change.target) as server:
            body = {"model": change.model, **insecure}
            for _ in server.lines("/api/pull", body, timeout_s=speed.deadline(PULL_S)):
                pass

    if changes:
        begun = time.monotonic()
        into = ", ".join(dict.fromkeys(change.target for change in changes))
        models = ", ".join(dict.fromkeys(change.model for change in changes))
        with Live("pull") as live, ThreadPoolExecutor(len(changes)) as pool:
            live.show(f"pulling {models} into {into}")
            list(pool.map(one, changes))
            live.done(f"pulled {models} into {into}, {time.monotonic() - begun:.1f} s")


def _tell_local(state: State) -> None:
    with client.server() as server:
        if state.local == "absent":
            server.delete("/api/delete", {"model": labkit.model})
            return
        keep = {"kept": {"keep_alive": "1h"}, "unloaded": {"keep_alive": 0}}.get(state.local, {})
        body = {"model": labkit.model, "prompt": "", "stream": False, **keep}
        server.post("/api/generate", body)


def _pods(session: Session) -> list[dict]:
    path = session.api.resource("pods").path(session.namespace)
    return session.api.request("GET", path)["items"]


def _held(session: Session, target: str) -> set[str]:
    with proxy.opened(session, target) as server:
        found = server.get("/api/tags", timeout_s=TAGS_S)["models"] or []
    return _names(found)


def _loaded(session: Session, target: str) -> set[str]:
    with proxy.opened(session, target) as server:
        return _names(server.get("/api/ps", timeout_s=TAGS_S)["models"] or [])


def _names(models: list[dict]) -> set[str]:
    return {model["name"].removesuffix(":latest") for model in models}


def _age_s(pod: dict) -> float:
    begun = units.moment_of(pod["metadata"]["creationTimestamp"])
    return (datetime.datetime.now(datetime.UTC) - begun).total_seconds()


def _is_of(session: Session, state: State, pod: dict) -> bool:
    """Does the state have a model pulled into this Pod?"""
    name, labels = pod["metadata"]["name"], pod["metadata"].get("labels", {})
    return any(
        target == f"pod/{name}" or (target == "deployment/ollama" and labels.get("app") == "ollama")
        for target in state.pulled
    )


def _answered(session: Session, pod: dict) -> int:
    return len(access_log.statuses(_log(session, pod), ASKED))


def _has_asked_itself(session: Session, pod: dict) -> bool:
    return any(one < "400" for one in access_log.prompts(_log(session, pod), from_inside=True))


def _log(session: Session, pod: dict) -> str:
    container = pod["spec"]["containers"][0]["name"]
    return pod_logs.written(session, pod["metadata"]["name"], container=container)


def _ask(session: Session, state: State, times: int) -> None:
    """A connection for each question, so that the Service chooses a Pod for each."""
    models = [labkit.model, slow_model.NAME] if state.slow else [labkit.model]
    for model, _ in zip(itertools.cycle(models), range(times)):
        body = {"model": model, "prompt": QUESTION, "stream": False}
        with suppress(OllamaSaid), proxy.opened(session, "service/ollama") as server:
            server.post(ASKED, body)


def _ask_for_unknown(session: Session, times: int) -> None:
    body = {"model": f"{labkit.model}-typo", "insecure": True}
    for _ in range(times):
        with suppress(OllamaSaid), proxy.opened(session, "service/ollama") as server:
            for _ in server.lines("/api/pull", body):
                pass


def _local(state: State) -> list[Change]:
    if not state.local:
        return []
    with client.server() as server:
        names = [m["name"] for m in server.get("/api/tags")["models"] or []]
        running = server.get("/api/ps")["models"] or []
    held = any(same(name, labkit.model) for name in names)
    loaded = next((m for m in running if same(m["name"], labkit.model)), None)
    if state.local == "absent":
        return [Change("delete", LOCAL, f"it has {labkit.model}")] if held else []
    if not held:
        return [pull(LOCAL, labkit.model)]
    if state.local == "unloaded":
        return [Change("unload", LOCAL, f"{labkit.model} is in its memory")] if loaded else []
    now = datetime.datetime.now(datetime.UTC)
    left_s = (units.moment_of(loaded["expires_at"]) - now).total_seconds() if loaded else 0
    if left_s <= 0 or (left_s > _KEPT_S) != (state.local == "kept"):
        return [Change("load", LOCAL, f"{labkit.model} is {state.local}")]
    return []
