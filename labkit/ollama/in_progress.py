"""`lab.restart` and `lab.scale`: kubectl's, which also say how many answers they cut.

Ollama does not drain: after SIGTERM it ends within a second, in the middle of its answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from labkit.errors import LabError
from labkit.kube import pod_logs, refs, workloads
from labkit.kube.results import Done
from labkit.kube.session import current
from labkit.ui import units

LOOK_S = 2.0  # for one log: what is said here must not hold up what was asked for
LINES = 500  # of a log; an answer writes about 20
# llama.cpp's own lines, as Ollama 0.34.2 passes them on; a model that is loaded begins at task 0
_LINE = re.compile(
    r"^slot +launch_slot_: id +(?P<begun>\d+ \| task \d+) \| processing task"
    r"|^slot +release: id +(?P<ended>\d+ \| task \d+) \| stop processing"
    r'|msg="(?P<loads>starting llama-server)"',
    re.MULTILINE,
)


def restart(target: str) -> Done:
    """Replace every Pod by a new one; `lab.rollout` waits until that is done.

        lab.restart("deployment/ollama")

    Equals `kubectl rollout restart TARGET`. Prints how many answers are in progress: they break off
    where nothing drains (notebook 08-metrics). Raises NotFound.
    """
    busy = _busy(target)
    done = workloads.restart(target)
    if busy:
        print(f"{_answers(busy)}: cut when the Pod ends, because Ollama does not wait for them")
    return done


def scale(target: str, *, replicas: int) -> Done:
    """Set the number of Pods; `lab.rollout` waits until there are as many.

        lab.scale("deployment/ollama", replicas=3)

    Equals `kubectl scale TARGET --replicas=N`. With fewer Pods it prints how many answers are in
    progress: those of the Pods that end break off. Raises NotFound, Refused.
    """
    busy = _busy(target, replicas=replicas)
    done = workloads.scale(target, replicas=replicas)
    if busy:
        print(f"{_answers(busy)}: those of the Pods that end are cut")
    return done


def in_progress(log: str) -> int:
    r"""How many answers an Ollama is writing, by its log. Those that wait for a turn are in no log.

    >>> begun = "slot launch_slot_: id  0 | task 7 | processing task, is_child = 0\n"
    >>> ended = "slot      release: id  0 | task 7 | stop processing: n_tokens = 57\n"
    >>> in_progress(begun), in_progress(begun + ended), in_progress("")
    (1, 0, 0)
    """
    tasks: set[str] = set()
    for found in _LINE.finditer(log):
        if found["loads"]:
            tasks.clear()  # what the engine before it had begun is over
        elif found["begun"]:
            tasks.add(found["begun"])
        else:
            tasks.discard(found["ended"])
    return len(tasks)


def _answers(busy: dict[str, int]) -> str:
    count = units.count(sum(busy.values()), "answer")
    return f"{count} in progress in {', '.join(f'pod/{name}' for name in busy)}"


def _busy(target: str, *, replicas: int | None = None) -> dict[str, int]:
    """Pod → its answers in progress; nothing where Pods are added, or where they drain."""
    with suppress(LabError):  # the order itself tells what is wrong
        session = current()
        one = refs.parsed(session, target)
        item = refs.found(session, one)
        if replicas is not None and replicas >= item["spec"].get("replicas", 1):
            return {}
        found = {}
        for pod in refs.pods_of(session, one, item):
            name = pod["metadata"]["name"]
            for container in _ollamas(pod):
                with suppress(LabError):
                    log = pod_logs.written(
                        session, name, timeout_s=LOOK_S, container=container, tailLines=LINES
                    )
                    if count := in_progress(log):
                        found[name] = count
        return found
    return {}


def _ollamas(pod: dict[str, Any]) -> Iterator[str]:
    """The names of its containers that are an Ollama, of a Pod without a preStop hook."""
    containers = pod["spec"].get("containers", []) + pod["spec"].get("initContainers", [])
    if refs.stays(pod) and not any("preStop" in one.get("lifecycle", {}) for one in containers):
        yield from (one["name"] for one in containers if "ollama" in one.get("image", ""))
