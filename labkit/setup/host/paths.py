"""Where the lab keeps its things: the repository's folders, the user's cache and state."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

PACKAGE = Path(__file__).resolve().parents[2]


def k8s(*parts: str) -> Path:
    """A file or folder below `k8s/`: manifests, Dockerfiles, versions, the model.

    A clone's own folder, else the copy that the wheel holds.
    """
    clone = PACKAGE.parent / "k8s"
    return (clone if clone.is_dir() else PACKAGE / "k8s").joinpath(*parts)


def cache(*parts: str) -> Path:
    """What can be made again: builds, downloads, logs. `./lab down --purge` removes it."""
    return platformdirs.user_cache_path("labkit").joinpath(*parts)


def state(*parts: str) -> Path:
    """What describes the running lab: kubeconfig, the engine's pid, timings of the last run."""
    return platformdirs.user_state_path("labkit").joinpath(*parts)


def tools() -> Path:
    """The folder that `./lab env` puts first on PATH."""
    return cache("bin")


def log_file(name: str) -> Path:
    """The log of one build or command; its folder exists."""
    folder = cache("logs")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name.replace('/', '-').replace(':', '-')}.log"


@contextmanager
def temporary(name: str) -> Iterator[Path]:
    """A folder that is gone after the block; in the cache, where `--purge` finds leftovers."""
    parent = cache("tmp")
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=parent) as folder:
        yield Path(folder)


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write aside, then rename: a killed process leaves the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.touch(mode=0o600 if private else 0o644)
        aside.write_text(text)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a state file; empty when there is none, or none that can be read."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")
