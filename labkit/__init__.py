"""Ollama on Kubernetes, on your own machine.

>>> import labkit as lab
>>> issubclass(lab.LabError, Exception)
True

| name | what it is |
|---|---|
| `lab.model` | full name of the lab's model, as `ollama pull` wants it; `$MODEL` when that is set |
| `lab.LabError` | every error of the lab; shows what happened, what was seen, what to try |

`import labkit` is quick and contacts nothing: each name is loaded when it is first used.
"""

import os

__version__ = "0.1.0"

__all__ = ["LabError", "model"]

# Ollama takes a name with a host only when it has three parts: HOST:PORT/LIBRARY/NAME.
_DEFAULT_MODEL = "models.lab-system:5001/library/lab-llama"


def __getattr__(name: str) -> object:
    if name == "model":
        return os.environ.get("MODEL") or _DEFAULT_MODEL
    if name == "LabError":
        from labkit.errors import LabError

        return LabError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
