"""`lab-llama:slow`: the lab's model, padded until one answer takes a bit more than a second.

It answers the same words: `export.py --coat` adds weights of zero, which cost what any weight
costs. How many, this machine decides: as many layers as its speed allows, checked by a real answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import filelock

from labkit.errors import TimedOut, Unsupported
from labkit.setup.cluster import labs, model, services
from labkit.setup.host import paths, shell, speed
from labkit.ui import units

NAME = f"{model.full_name(model.DEFAULT)}:slow"
LOCAL = "lab-llama-slow"  # in the lab's own Ollama, while it is made
WIDTH = 1024
REFERENCE_LAYERS = 24  # 309 million parameters: 1.25 s an answer on the reference machine
MIN_LAYERS, MAX_LAYERS = 3, 40  # the model's own; 515 million, which fits into a Pod of 1 GiB
ANSWER_S = (1.0, 1.5)
AIM_S = 1.15  # beside other work it takes longer
TRIES = 3
SAME = 1.25  # a machine whose speed changed by less still gets answers of about that time
EXPORT_S = 600
MAKE_S = 900  # with the way to the mirror


def ensure(lab: labs.Lab, say: Callable[[str], None]) -> bool:
    """The mirror has one that fits this machine; False when it had it already.

    Raises Unsupported, CommandFailed, TimedOut (another notebook that makes it does not end).
    """
    paths.state().mkdir(parents=True, exist_ok=True)
    limit_s = speed.deadline(MAKE_S)
    try:
        with filelock.FileLock(paths.state("slow.lock"), timeout=limit_s):
            return _ensure(lab, say)
    except filelock.Timeout:
        raise TimedOut(
            f"{NAME} was not made after {limit_s:.0f} s",
            "another notebook or command is making it",
            "wait for that one, then once more",
        ) from None


def layers(thread: float) -> int:
    """How many layers give answers of the wanted time at this speed of one thread.

    >>> [layers(thread) for thread in (0.1, 0.5, 1.0, 4.0)]
    [3, 12, 24, 40]
    """
    return max(MIN_LAYERS, min(MAX_LAYERS, round(REFERENCE_LAYERS * thread)))


def _ensure(lab: labs.Lab, say: Callable[[str], None]) -> bool:
    mark = f"sized-{model.inputs()}"
    path, _ = model.parts(model.DEFAULT)
    before = paths.read_json(_record(lab)).get("thread")
    fits = before is None or 1 / SAME <= speed.thread() / before <= SAME
    if fits and mark in services.tags(lab, path, patience_s=20):
        return False
    if not (find_spec("gguf") and find_spec("numpy")):
        raise Unsupported(
            "the slow model is grown with gguf and numpy, and they are not here",
            sys.executable,
            "run ./lab from a clone: its Python environment has both",
        )
    count = _create(lab, _guess(lab), say)
    say("bringing it to the mirror")
    base = NAME.removesuffix(":slow")
    model.publish(lab, LOCAL, (NAME, f"{base}:{mark}"))  # the mark last: it says that all is there
    paths.write_json(_record(lab), {"thread": speed.thread(), "layers": count})
    return True


def _guess(lab: labs.Lab) -> int:
    """How many layers to begin with: by what fitted before, else by the measure alone."""
    before = paths.read_json(_record(lab))
    if not {"thread", "layers"} <= before.keys():
        return layers(speed.thread())
    return layers(before["layers"] / REFERENCE_LAYERS * speed.thread() / before["thread"])


def _create(lab: labs.Lab, count: int, say: Callable[[str], None]) -> int:
    """Grow it, ask it, and grow it again where one answer takes too long or not long enough.

    How many layers it has at last.
    """
    for left in reversed(range(TRIES)):
        say(f"growing the model to {units.count(count, 'layer')}")
        weights = paths.cache("tmp", "slow.gguf")
        weights.parent.mkdir(parents=True, exist_ok=True)
        words = (model.FOLDER / "lab-llama.gguf", "--out", weights, "--coat", f"{WIDTH}x{count}")
        limit_s = speed.deadline(EXPORT_S)
        try:
            shell.run(sys.executable, model.FOLDER / "export.py", *words, timeout_s=limit_s)
            model.create(lab, weights, LOCAL)
        finally:
            weights.unlink(missing_ok=True)
        took_s = speed.wall_s(model.answer_cpu_s(lab, LOCAL))
        say(f"{units.count(count, 'layer')}: {took_s:.2f} s an answer")
        better = layers(count / REFERENCE_LAYERS * AIM_S / took_s)
        if ANSWER_S[0] <= took_s <= ANSWER_S[1] or better == count or not left:
            break
        count = better
    return count


def _record(lab: labs.Lab) -> Path:
    """How fast this machine was when it made the one that this lab has."""
    return lab.kubeconfig.with_name(f"{lab.kubeconfig.name}.slow.json")
