"""`lab-llama:slow`: the lab's model in a coat, which costs what a real model of its size costs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec

import filelock

from labkit.bringup import kube, mirror, model, paths, shell
from labkit.errors import TimedOut, Unsupported

NAME = f"{model.full_name(model.DEFAULT)}:slow"
COAT = "1024x24"  # 309 million parameters
EXPORT_S = 600
MAKE_S = 900  # with the way to the mirror


def ensure(lab: kube.Lab, say: Callable[[str], None]) -> bool:
    """The mirror has it; False when it had it already.

    Raises Unsupported, CommandFailed, TimedOut (another notebook that makes it does not end).
    """
    paths.state().mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(paths.state("slow.lock"), timeout=MAKE_S):
            return _ensure(lab, say)
    except filelock.Timeout:
        raise TimedOut(
            f"{NAME} was not made after {MAKE_S} s",
            "another notebook or command is making it",
            "wait for that one, then once more",
        ) from None


def _ensure(lab: kube.Lab, say: Callable[[str], None]) -> bool:
    mark = f"slow-{model.inputs()}"
    path, _ = model.parts(model.DEFAULT)
    if mark in mirror.tags(lab, path, patience_s=20):
        return False
    if not (find_spec("gguf") and find_spec("numpy")):
        raise Unsupported(
            "the slow model is grown with gguf and numpy, and they are not here",
            sys.executable,
            "run ./lab from a clone: its Python environment has both",
        )
    say("growing the model to 309 million parameters")
    weights = paths.cache("tmp", "slow.gguf")
    weights.parent.mkdir(parents=True, exist_ok=True)
    words = (model.FOLDER / "lab-llama.gguf", "--out", weights, "--coat", COAT)
    try:
        shell.run(sys.executable, model.FOLDER / "export.py", *words, timeout_s=EXPORT_S)
        say("bringing it to the mirror")
        base = NAME.removesuffix(":slow")
        model.make(lab, weights, (NAME, f"{base}:{mark}"))
    finally:
        weights.unlink(missing_ok=True)
    return True
