"""What a load test in the cluster is aimed at: its address for the engine, and does it answer?"""

from __future__ import annotations

from contextlib import suppress

from labkit import evidence, hints, ollama, reach, targets
from labkit.errors import ModelMissing, OllamaSaid, Unreachable
from labkit.session import Session
from labkit.targets import Target


def words(session: Session, one: Target, path: str) -> list[str]:
    """The engine's words for a target: a Service by its name, Pods by their addresses."""
    item = targets.found(session, one)
    if one.resource.kind == "Service":
        ports = item["spec"].get("ports", [])
        port = ports[0]["port"] if ports else reach.OLLAMA_PORT
        return [f"http://{one.name}.{session.namespace}:{port}{path}"]
    ready = [pod for pod in targets.pods_of(session, one) if targets.ready(pod)]
    if not ready:
        hint = f'lab.wait("{one}"), lab.get("pods")'
        error = Unreachable(f"{one} has no ready Pod", "none of its Pods is Ready", hint)
        raise _likely(session, error)
    found = [f"http://{one.name}:{reach.OLLAMA_PORT}{path}"]
    for pod in ready:
        found += ["--address", f"{pod['status']['podIP']}:{reach.OLLAMA_PORT}"]
    return found


def require_answers(session: Session, one: Target, model: str | None) -> None:
    """Raises Unreachable, with the likely cause, and ModelMissing where no Pod has the model."""
    try:
        # an error that its server tells is an answer: not every path has to be there
        with suppress(OllamaSaid), reach.opened(session, str(one)) as server:
            server.get("/")
    except Unreachable as error:
        raise _likely(session, error) from None
    if not model:
        return
    pods = [pod for pod in targets.pods_of(session, one) if targets.ready(pod)]
    held = {name for pod in pods for name in evidence.models(f"pod/{pod['metadata']['name']}")}
    if not any(ollama.same(name, model) for name in held):
        raise ModelMissing(
            f"{one} does not have the model {model}",
            f"it has {', '.join(sorted(held)) or 'none'}",
            f'lab.pull("{model}", at="{one}")',
            status=404,
        )


def _likely(session: Session, error: Unreachable) -> Unreachable:
    """The same error, with the classic mistake that the namespace looks like, if any."""
    mistake = hints.likely(session)
    if not mistake:
        return error
    return Unreachable(error.happened, f"{error.saw}; likely: {mistake.cause}", mistake.fix)
