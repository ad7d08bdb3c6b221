"""The steps of the notebooks: each one's name, title, state, and the check that asks for it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import NamedTuple

from labkit import evidence
from labkit.errors import UnknownStep
from labkit.evidence import Seen
from labkit.session import Session


class Step(NamedTuple):
    """One section of a notebook that changes something and ends in a check.

    The state that it leaves in the learner's namespace: the objects of these folders of
    k8s/steps, Deployment `ollama` scaled, the lab's model pulled into each Pod of `pulled`.
    `holds`: no later step of its notebook undoes it.
    """

    id: str
    title: str
    check: Callable[[Session], Seen]
    state: tuple[str, ...] = ()
    replicas: int = 1
    pulled: tuple[str, ...] = ()
    holds: bool = True


def named(name: str) -> list[Step]:
    """The step of that name, or of the notebook of that name those that hold at its end.

    >>> [step.id for step in named("00-start")]
    ['00-start/run', '00-start/pull', '00-start/your-turn']
    >>> [step.id for step in named("04-scale")]
    ['04-scale/again']

    Raises UnknownStep with the names that come near.
    """
    found = [step for step in STEPS if step.id == name]
    found = found or [step for step in STEPS if step.holds and step.id.startswith(f"{name}/")]
    if not found:
        names = [step.id for step in STEPS]
        near = difflib.get_close_matches(name, names) or names
        saw, hint = f"steps: {', '.join(near)}", f'lab.check("{near[0]}")'
        raise UnknownStep(f"no step is called {name!r}", saw, hint)
    return found


_POD = ("00-pod",)
_SERVICE = ("03-deployment", "03-service")
_EVERY_POD = ("deployment/ollama",)


def _way(name: str, title: str, folder: str, *, replicas: int = 1) -> Step:
    """A way to bring the model to every Pod, of notebook 05."""
    check = evidence.pods_bring_model(replicas)
    id_ = f"05-models-everywhere/{name}"
    holds = name == "your-turn"  # each takes the place of the one before
    return Step(id_, title, check, ("05-model", folder), replicas, holds=holds)


STEPS = (
    Step("00-start/run", "Run Ollama", evidence.pod_serves("ollama"), _POD),
    Step(
        "00-start/pull",
        "Pull a model",
        evidence.pod_answers("ollama"),
        _POD,
        pulled=("pod/ollama",),
    ),
    Step(
        "00-start/your-turn",
        "Your turn: a Pod `mine` that answers",
        evidence.pod_answers("mine"),
        (*_POD, "00-mine"),
        pulled=("pod/ollama", "pod/mine"),
    ),
    Step("01-ollama/run", "Run", evidence.local_has_model, holds=False),
    Step("01-ollama/unload", "Unloading", evidence.local_is_unloaded, holds=False),
    Step("01-ollama/your-turn", "Your turn: loaded for an hour", evidence.local_stays_loaded),
    Step("02-pod/run", "Run", evidence.pod_serves("ollama"), _POD),
    Step(
        "02-pod/answer",
        "Run a command inside",
        evidence.pod_answers("ollama"),
        _POD,
        pulled=("pod/ollama",),
        holds=False,
    ),
    Step("02-pod/again", "Delete, and run again", evidence.pod_is_empty("ollama"), _POD),
    Step(
        "02-pod/your-turn",
        "Your turn: a Pod `typo`",
        evidence.pod_serves("typo"),
        (*_POD, "02-typo"),
    ),
    Step(
        "03-service/deployment",
        "A Deployment",
        evidence.deployment_ready(),
        ("03-deployment",),
    ),
    Step(
        "03-service/right-port",
        "Your turn: nobody answers",
        evidence.service_reaches_ollama,
        _SERVICE,
    ),
    Step(
        "03-service/pulled",
        "Pull, from inside",
        evidence.some_pod_has_model,
        _SERVICE,
        pulled=_EVERY_POD,
    ),
    Step("03-service/answers", "Ask", evidence.service_answers, _SERVICE, pulled=_EVERY_POD),
    Step(
        "04-scale/one",
        "One Pod that answers",
        evidence.service_answers,
        _SERVICE,
        pulled=_EVERY_POD,
        holds=False,
    ),
    Step("04-scale/three", "Three Pods", evidence.deployment_ready(3), _SERVICE, 3, holds=False),
    Step("04-scale/houston", "Houston", evidence.some_answered_some_refused, holds=False),
    Step(
        "04-scale/your-turn",
        "Your turn: every Pod must have it",
        evidence.every_pod_answers,
        _SERVICE,
        3,
        _EVERY_POD,
        holds=False,
    ),
    Step("04-scale/again", "A fourth Pod", evidence.a_new_pod_lacks_model, _SERVICE, 4),
    Step(
        "05-models-everywhere/model",
        "The model, said once",
        evidence.config_names_model,
        ("05-model",),
    ),
    _way("baked", "In the image", "05-baked"),
    Step(
        "05-models-everywhere/by-hand",
        "A pull on every Pod",
        evidence.every_pod_answers,
        ("05-model", "03-deployment"),
        pulled=_EVERY_POD,
        holds=False,
    ),
    Step(
        "05-models-everywhere/hook-race",
        "A hook, as one writes it first",
        evidence.hook_failed,
        ("05-model", "05-hook-naive"),
        holds=False,
    ),
    _way("hook", "A hook that waits", "05-hook"),
    _way("init", "An init container", "05-init"),
    _way("sidecar", "A sidecar", "05-sidecar"),
    _way("store", "One store for all", "05-store", replicas=3),
    _way("your-turn", "Choose your adventure", "05-sidecar", replicas=2),
    Step("06-helm/installed", "Install", evidence.service_answers, holds=False),
    Step("06-helm/changed", "Change, and go back", evidence.deployment_ready(1), holds=False),
    Step("06-helm/your-turn", "Your turn: three that know it", evidence.pods_bring_model(3)),
    Step("07-load/ready", "An Ollama that costs something", evidence.every_pod_answers),
    Step("07-load/your-turn", "Your turn: four at a time", evidence.parallel(4)),
)
