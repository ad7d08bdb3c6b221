"""The lab's small model on an Ollama that probes may change: made, asked, and deleted again."""

from __future__ import annotations

import hashlib
from functools import cache

from labkit.facts.probe import CannotAsk, Probe
from labkit.setup.host import paths

NAME = "labkit-facts"
MISSING = "labkit-facts-missing"
MAKE_S = 60.0
COPY = "labkit-facts-copy"
# of Modelfile what a single question needs
_TEMPLATE = "<|user|>{{ .Prompt }}<|bot|>"
_PARAMETERS = {
    "temperature": 0,
    "num_predict": 160,
    "num_thread": 1,
    "stop": ["<|user|>", "<|end|>"],
}
CLEAN_UP = (
    {"POST": "/api/generate", "json": {"model": NAME, "keep_alive": 0}},
    {"DELETE": "/api/delete", "json": {"model": NAME}},
)


@cache
def digest() -> str:
    """The name of the model's file as a blob."""
    return f"sha256:{hashlib.sha256(paths.k8s('model', 'lab-llama.gguf').read_bytes()).hexdigest()}"


@cache
def values() -> dict[str, str]:
    """What the names of this page stand for in a step."""
    return {"OWN": NAME, "MISSING": MISSING, "COPY": COPY, "BLOB": digest()}


def make(probe: Probe) -> None:
    """Makes it from the file that the lab comes with. Raises CannotAsk."""
    blob = f"/api/blobs/{digest()}"
    there = probe.ask({"HEAD": blob})["status"] == 200
    if not there and probe.ask({"POST": blob, "file": "lab-llama.gguf"})["status"] != 201:
        raise CannotAsk("this Ollama takes no file of a model")
    made = probe.ask(
        {
            "POST": "/api/create",
            "json": {
                "model": NAME,
                "files": {"lab-llama.gguf": digest()},
                "template": _TEMPLATE,
                "parameters": _PARAMETERS,
            },
        }
    )
    if made.get("last", {}).get("status") != "success":
        saw = made.get("last", {}).get("error", f"HTTP {made['status']}")
        raise CannotAsk(f"this Ollama cannot make the lab's small model: {saw}")
