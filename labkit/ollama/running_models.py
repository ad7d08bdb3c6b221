"""`lab.ps` and `lab.stop`: the models in an Ollama's memory."""

from __future__ import annotations

import labkit
from labkit.kube.proxy import Connection
from labkit.ollama.client import At, echoed
from labkit.ollama.model_name import same
from labkit.setup.host.poll import Poll
from labkit.ui import units
from labkit.ui.live import Live
from labkit.ui.table import Table

POLL_S = 0.2


def ps(at: At = None, *, watch: bool = False, timeout_s: float = 60.0) -> Table:
    """Return the models in memory: how much, on which processor, until when.

        lab.ps(at="pod/ollama")

    Equals `ollama ps`. With `watch` it looks again until none is loaded any more, and raises
    TimedOut when one is still there after `timeout_s` seconds.
    """
    with echoed(at, ["ps"], "/api/ps") as server:
        if watch:
            _until_gone(server, None, timeout_s)
        return _loaded(server)


def stop(model: str | None = None, *, at: At = None, timeout_s: float = 30.0) -> Table:
    """Unload a model from memory, and wait until it is gone; return what is still loaded.

        lab.stop(at="pod/ollama")

    Equals `ollama stop MODEL`. Raises ModelMissing, TimedOut.
    """
    model = model or labkit.model
    body = {"model": model, "keep_alive": 0}
    with echoed(at, ["stop", model], "/api/generate", body) as server:
        for _ in server.lines("/api/generate", body):
            pass
        _until_gone(server, model, timeout_s)
        return _loaded(server)


def _loaded(server: Connection) -> Table:
    found = server.get("/api/ps")["models"] or []
    rows = [
        [
            m["name"],
            m["digest"][:12],
            units.size(m["size"]),
            units.processor(m["size"], m.get("size_vram", 0)),
            m.get("context_length", ""),
            units.since(m["expires_at"]),
        ]
        for m in found
    ]
    columns = ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]
    return Table(columns, rows, items=found, empty="no model is loaded")


def _until_gone(server: Connection, model: str | None, timeout_s: float) -> None:
    """Until this model is out of memory, or every model is."""
    poll = Poll(timeout_s, every_s=POLL_S)
    with Live("loaded models") as live:
        while True:
            table = _loaded(server)
            names = [name for name in table.column("NAME") if same(name, model or name)]
            if not names:
                live.done(f"{model or 'every model'} is unloaded, after {poll.waited_s:.1f} s")
                return
            until = dict(zip(table.column("NAME"), table.column("UNTIL"), strict=True))
            live.show(", ".join(f"{name}: {until[name]}" for name in names))
            poll.not_yet(
                f"{', '.join(names)} still loaded after {timeout_s:g} s",
                f"until: {', '.join(table.column('UNTIL'))}",
                "lab.stop() of each, or a larger timeout_s",
            )
