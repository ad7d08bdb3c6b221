"""`lab.fits`: how much memory a model needs in a Pod, and which nodes have that room."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import labkit
from labkit.diagnosis.scheduling import may_take
from labkit.errors import ModelMissing, Refused
from labkit.kube.session import Session, current
from labkit.measure.top import quantity
from labkit.ollama.client import At, echoed
from labkit.ollama.engine_memory import EngineMemory, engine_memory
from labkit.ollama.model_name import same

SERVE_BYTES = 32 * 2**20  # `ollama serve` beside the engine: docs/memory.md
OVER = ("Succeeded", "Failed")  # such a Pod keeps no room
_NUM_CTX = re.compile(r"^num_ctx\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Fit:
    """What a Pod with this model needs, in bytes, and the room of each node that takes Pods.

    `engine` has the parts. `free_bytes` is node → allocatable memory minus requests of its Pods;
    None where this user may not list nodes and Pods.
    """

    model: str
    engine: EngineMemory
    free_bytes: dict[str, int] | None

    @property
    def pod_bytes(self) -> int:
        """Of the whole Pod, with `ollama serve`."""
        return self.engine.total_bytes + SERVE_BYTES

    @property
    def nodes(self) -> list[str]:
        """The nodes that have room for the Pod, the one with the most first."""
        free = self.free_bytes or {}
        return sorted((n for n in free if free[n] >= self.pod_bytes), key=lambda n: -free[n])

    def __repr__(self) -> str:
        engine = self.engine
        answers = "1 answer" if engine.parallel == 1 else f"{engine.parallel} answers"
        lines = [
            f"{self.model}, context {engine.context}, {answers} at a time:"
            f" {mebi(self.pod_bytes)} for the Pod",
            f"  {mebi(engine.weights_bytes)} weights, {mebi(engine.kv_cache_bytes)} KV cache,"
            f" {mebi(engine.batch_bytes)} for a batch, {mebi(engine.program_bytes)} the engine's"
            f" program, {mebi(SERVE_BYTES)} ollama serve",
            f"  each new prompt adds {engine.token_bytes / 1024:.1f} KiB a token, up to 8 GiB",
        ]
        if not engine.measured:
            lines.append("  an estimate: no model of this architecture was measured")
        if self.free_bytes is None:
            lines.append("  which node has room is not known: nodes and Pods cannot be listed here")
        elif self.nodes:
            room = ", ".join(f"{n} ({mebi(self.free_bytes[n])} free)" for n in self.nodes)
            lines.append(f"  fits on {room}")
        else:
            most = max(self.free_bytes.values(), default=0)
            lines.append(f"  fits on no node: the most that one has free is {mebi(most)}")
        return "\n".join(lines)


def fits(
    model: str | None = None, *, context: int | None = None, parallel: int = 1, at: At = None
) -> Fit:
    """Return how much memory a Pod with this model needs, and which nodes have that room.

        lab.fits(context=2048, parallel=4, at="pod/ollama")

    `at` is an Ollama that has the model on its disk: nothing is loaded. `context` is the tokens of
    one answer, by default the model's own `num_ctx` or 4096; `parallel` is OLLAMA_NUM_PARALLEL.
    Equals `ollama show MODEL` and `kubectl describe nodes`, with the arithmetic done. The engine's
    part is within 10 % for an engine on a processor that has answered one long prompt
    (docs/memory.md). Raises ModelMissing, Unsupported (no language model), ValueError (a number
    below 1).
    """
    model = model or labkit.model
    if parallel < 1 or (context is not None and context < 1):
        raise ValueError("context and parallel are 1 or more")
    body: dict[str, Any] = {"model": model}
    with echoed(at, ["show", model], "/api/show", body) as server:
        shown = server.post("/api/show", body)
        info = shown.get("model_info") or {}
        if not info.get(f"{info.get('general.architecture')}.vocab_size"):
            # the vocabulary itself, some megabytes, where its size is not written down
            info = server.post("/api/show", {**body, "verbose": True}).get("model_info") or {}
        size = _size(server.get("/api/tags")["models"] or [], model)
    own = _NUM_CTX.search(shown.get("parameters") or "")
    wanted = context or (int(own[1]) if own else None)
    engine = engine_memory(info, size, context=wanted, parallel=parallel)
    return Fit(model, engine, _free(current()))


def _size(models: list[dict[str, Any]], model: str) -> int:
    for one in models:
        if same(one["name"], model):
            return int(one["size"])
    raise ModelMissing(
        f"this Ollama has no {model} on its disk any more",
        f"it has {', '.join(one['name'] for one in models) or 'no models'}",
        "pull it there once more, then ask again",
        status=404,
    )


def _free(session: Session) -> dict[str, int] | None:
    """Node → bytes that requests leave of what is allocatable; nodes that take no Pod left out."""
    try:
        nodes = session.api.request("GET", "/api/v1/nodes")["items"]
        pods = session.api.request("GET", "/api/v1/pods")["items"]
    except Refused:
        return None
    free = {
        node["metadata"]["name"]: int(quantity(node["status"]["allocatable"]["memory"]))
        for node in nodes
        if may_take(node, {"spec": {}}) and not node["spec"].get("unschedulable")
    }
    for pod in pods:
        name = pod["spec"].get("nodeName")
        if name in free and pod["status"].get("phase") not in OVER:
            free[name] -= requested_bytes(pod["spec"])
    return free


def requested_bytes(spec: dict[str, Any]) -> int:
    """The memory that the scheduler keeps for a Pod: containers and sidecars, or a larger init.

    >>> of = lambda text: {"resources": {"requests": {"memory": text}}}
    >>> requested_bytes({"containers": [of("1Ki"), {}], "initContainers": [of("3Ki")]})
    3072
    """

    def memory(one: dict[str, Any]) -> int:
        requests = (one.get("resources") or {}).get("requests") or {}
        return int(quantity(requests.get("memory", "0")))

    side = most = 0
    for one in spec.get("initContainers") or []:
        if one.get("restartPolicy") == "Always":
            side += memory(one)
            most = max(most, side)
        else:
            most = max(most, side + memory(one))
    containers = side + sum(map(memory, spec.get("containers") or []))
    overhead = int(quantity((spec.get("overhead") or {}).get("memory", "0")))
    return max(containers, most) + overhead


def mebi(count: float) -> str:
    """Bytes as a manifest's limit has them.

    >>> mebi(163.4 * 2**20), mebi(1.5 * 2**20), mebi(-(2**20))
    ('163 MiB', '1.5 MiB', '-1.0 MiB')
    """
    value = count / 2**20
    return f"{value:.0f} MiB" if value >= 10 else f"{value:.1f} MiB"
