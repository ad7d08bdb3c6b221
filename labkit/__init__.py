"""Ollama on Kubernetes, on your own machine.

>>> import labkit as lab
>>> issubclass(lab.LabError, Exception)
True

| name | what it is |
|---|---|
| `lab.start` | chooses the lab and your namespace; the first line of every notebook |
| `lab.run`, `exec`, `logs`, `get`, `delete`, `apply`, `events`, `wait` | what kubectl's words do |
| `lab.pull`, `generate`, `chat`, `models`, `ps`, `show`, `stop` | what Ollama's words do |
| `lab.connect` | a Service or a Pod, reached from Python outside the cluster |
| `lab.check`, `lab.solved` | is a step done? says what it saw and what to try |
| `lab.model` | full name of the lab's model, as `ollama pull` wants it; `$MODEL` when that is set |
| `lab.LabError` | every error of the lab; shows what happened, what was seen, what to try |

`import labkit` is quick and contacts nothing: each name is loaded when it is first used.
"""

import os

__version__ = "0.1.0"

# where each name lives; no module has the name of one of them, which would replace it
_HOMES = {
    "LabError": "errors",
    "apply": "verbs",
    "chat": "ollama",
    "check": "checks",
    "connect": "reach",
    "delete": "verbs",
    "events": "verbs",
    "exec": "inside",
    "generate": "ollama",
    "get": "verbs",
    "logs": "verbs",
    "models": "ollama",
    "ps": "ollama",
    "pull": "ollama",
    "run": "verbs",
    "show": "ollama",
    "solved": "checks",
    "start": "session",
    "stop": "ollama",
    "wait": "waiting",
}

__all__ = ["model", *_HOMES]

# Ollama takes a name with a host only when it has three parts: HOST:PORT/LIBRARY/NAME.
_DEFAULT_MODEL = "models.lab-system:5001/library/lab-llama"


def __getattr__(name: str) -> object:
    if name == "model":
        return os.environ.get("MODEL") or _DEFAULT_MODEL
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"labkit.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
