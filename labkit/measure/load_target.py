"""What a load test in the cluster is aimed at: its address for the engine, and does it answer?"""

from __future__ import annotations

from contextlib import suppress

from labkit.errors import ModelMissing, OllamaSaid, Unreachable
from labkit.kube import proxy, refs
from labkit.kube.refs import Target
from labkit.kube.session import Session
from labkit.ollama import models
from labkit.ollama.model_name import same


def words(session: Session, one: Target, item: dict, path: str) -> list[str]:
    """The engine's words for a target: a Service by its name, Pods by their addresses.

    `item` is the target's object. Raises Unreachable where no Pod is ready.
    """
    if one.resource.kind == "Service":
        ports = item["spec"].get("ports", [])
        port = ports[0]["port"] if ports else proxy.OLLAMA_PORT
        return [f"http://{one.name}.{session.namespace}:{port}{path}"]
    ready = [pod for pod in refs.pods_of(session, one, item) if refs.ready(pod)]
    if not ready:
        hint = f'lab.wait("{one}"), lab.get("pods")'
        raise Unreachable(f"{one} has no ready Pod", "none of its Pods is Ready", hint)
    found = [f"http://{one.name}:{proxy.OLLAMA_PORT}{path}"]
    for pod in ready:
        found += ["--address", f"{pod['status']['podIP']}:{proxy.OLLAMA_PORT}"]
    return found


def pods_behind(session: Session, one: Target, item: dict) -> int:
    """How many ready Pods share the connections of a Service; 0 where that cannot be said.

    A headless Service has no address of its own, so the engine sees its Pods. With a session
    affinity all connections of a client go to one Pod.
    """
    if one.resource.kind != "Service":
        return 0
    spec = item["spec"]
    if spec.get("clusterIP") == "None" or spec.get("sessionAffinity") == "ClientIP":
        return 0
    with suppress(Unreachable):  # a Service without a selector
        return sum(map(refs.ready, refs.pods_of(session, one, item)))
    return 0


def require_answers(session: Session, one: Target, item: dict, model: str | None) -> None:
    """Raise Unreachable, and ModelMissing where no Pod has the model."""
    # an error that its server tells is an answer: not every path has to be there
    with suppress(OllamaSaid), proxy.opened(session, str(one)) as server:
        server.get("/")
    if not model:
        return
    pods = [pod for pod in refs.pods_of(session, one, item) if refs.ready(pod)]
    held = {name for pod in pods for name in models.names(f"pod/{pod['metadata']['name']}")}
    if not any(same(name, model) for name in held):
        raise ModelMissing(
            f"{one} does not have the model {model}",
            f"it has {', '.join(sorted(held)) or 'none'}",
            f'lab.pull("{model}", at="{one}")',
            status=404,
        )
