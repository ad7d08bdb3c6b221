"""`lab.pull`, `models`, `show`: the models on an Ollama's disk."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import dataclass

import labkit
from labkit.errors import LabError, StreamCut
from labkit.kube.proxy import Connection
from labkit.ollama.client import At, echoed
from labkit.ollama.layers import Layers
from labkit.ollama.model_name import same
from labkit.setup.cluster import services
from labkit.setup.host import speed
from labkit.ui import units
from labkit.ui.live import Live
from labkit.ui.notebook import Shown
from labkit.ui.table import Table

PULL_S = 600.0  # of silence; a large model's last layer is verified without a word


@dataclass(frozen=True)
class Pulled(Shown):
    """A pull that ended well: how much it fetched, and in how many seconds.

    Of a layer that was not there before, all of it counts.
    """

    model: str
    fetched_bytes: int
    seconds: float

    def __repr__(self) -> str:
        if not self.fetched_bytes:
            return f"{self.model} is up to date: nothing was downloaded"
        size = units.size(self.fetched_bytes)
        return f"pulled {self.model}: {size} in {self.seconds:.1f} s"


def pull(model: str | None = None, *, at: At = None, insecure: bool | None = None) -> Pulled:
    """Pull a model to an Ollama, or update one that is there.

        lab.pull(at="pod/ollama")

    Equals `ollama pull MODEL`. `insecure` (plain HTTP) is on for the lab's own mirror.
    Raises OllamaSaid (no such model), StreamCut (it ended without success), Unreachable.
    """
    model = model or labkit.model
    if insecure is None:
        insecure = model.startswith(f"{services.HOST}/")
    words = ["pull", *(["--insecure"] if insecure else []), model]
    body = {"model": model, **({"insecure": True} if insecure else {})}
    with echoed(at, words, "/api/pull", body) as server, Live(f"pull {model}") as live:
        begun = time.monotonic()
        layers = Layers()
        status = ""
        with closing(server.lines("/api/pull", body, timeout_s=speed.deadline(PULL_S))) as events:
            for event in events:
                status = event.get("status", "")
                if "digest" not in event:
                    live.show(f"pull {model}: {status}")
                    continue
                layers.saw(event)
                text = f"pull {model}: {units.size(layers.now)} of {units.size(layers.total)}"
                live.progress(layers.now, layers.total, text)
        if status != "success":
            raise StreamCut(
                f"the pull of {model} ended without success",
                f"its last word: {status or 'none'}",
                "pull once more: what is there already is kept",
                status=200,
            )
        seconds = time.monotonic() - begun
        size = _size(server, model)
        if size:  # the last of it may have come without an event
            live.progress(size, size, f"pull {model}: {units.size(size)} of {units.size(size)}")
        pulled = Pulled(model, layers.fetched(size), seconds)
        live.done(repr(pulled))
    return pulled


def models(at: At = None) -> Table:
    """Return the models on disk: NAME, ID, SIZE (in units of 1000), MODIFIED.

        lab.models(at="pod/ollama").column("NAME")

    Equals `ollama list`; `.items` is what the API reports of each. Raises Unreachable.
    """
    with echoed(at, ["list"], "/api/tags") as server:
        found = server.get("/api/tags")["models"] or []
    rows = [
        [m["name"], m["digest"][:12], units.size(m["size"]), units.since(m["modified_at"])]
        for m in found
    ]
    return Table(["NAME", "ID", "SIZE", "MODIFIED"], rows, items=found, empty="no models")


def show(model: str | None = None, *, at: At = None) -> Table:
    """Return what a model is: architecture, size, parameters, license, one fact a row.

        lab.show(at="pod/ollama")

    Equals `ollama show MODEL`; `.items[0]` is the API's whole answer. Raises ModelMissing.
    """
    model = model or labkit.model
    body = {"model": model}
    with echoed(at, ["show", model], "/api/show", body) as server:
        found = server.post("/api/show", body)
    details, info = found.get("details", {}), found.get("model_info", {})
    kind = info.get("general.architecture", details.get("family", ""))
    rows = [
        ["Model", "architecture", kind],
        ["Model", "parameters", details.get("parameter_size", "")],
        ["Model", "context length", info.get(f"{kind}.context_length", "")],
        ["Model", "embedding length", info.get(f"{kind}.embedding_length", "")],
        ["Model", "quantization", details.get("quantization_level", "")],
    ]
    rows += [["Capabilities", "", name] for name in found.get("capabilities", [])]
    for line in found.get("parameters", "").splitlines():
        name, _, value = line.partition(" ")
        rows.append(["Parameters", name, value.strip()])
    for name in ("system", "license"):
        if found.get(name):
            rows.append([name.title(), "", found[name].strip().splitlines()[0]])
    return Table(["SECTION", "NAME", "VALUE"], rows, items=[found])


def _size(server: Connection, model: str) -> int | None:
    """How large a model is on that disk; None when it is not there: a Service has other Pods."""
    with suppress(LabError):  # the pull has ended well, whatever becomes of this question
        held = server.get("/api/tags", timeout_s=10)["models"] or []
        return next((one["size"] for one in held if same(one["name"], model)), None)
    return None
