"""The steps of the notebooks: each one's name, title, state, and the check that asks for it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import NamedTuple

from labkit.errors import UnknownStep
from labkit.kube.session import Session
from labkit.lessons import (
    deployment_probes,
    metric_probes,
    model_probes,
    pod_probes,
    service_probes,
)
from labkit.lessons.desired_state import State
from labkit.lessons.hint_texts import LADDERS, Ladder
from labkit.lessons.seen import Seen


class Step(NamedTuple):
    """One section of a notebook that changes something and ends in a check.

    `title` is the section's heading. `holds`: no later step of its notebook undoes it.
    """

    id: str
    title: str
    check: Callable[[Session], Seen]
    state: State = State()
    holds: bool = True

    @property
    def notebook(self) -> str:
        return self.id.partition("/")[0]

    @property
    def ladder(self) -> Ladder | None:
        return LADDERS.get(self.id)


def named(name: str) -> list[Step]:
    """The step of that name, or of the notebook of that name those that hold at its end.

    >>> [step.id for step in named("00-start")]
    ['00-start/run', '00-start/pull', '00-start/your-turn']
    >>> [step.id for step in named("04-scale")]
    ['04-scale/again']

    Raises UnknownStep with the three names that come nearest.
    """
    found = [step for step in STEPS if step.id == name]
    found = found or [step for step in STEPS if step.holds and step.id.startswith(f"{name}/")]
    if not found:
        nearest = _nearest(name, 3)
        saw = f"the nearest: {', '.join(nearest)}"
        hint = f'lab.check("{nearest[0]}"), or lab.check_all(), which lists all steps'
        raise UnknownStep(f"no step is called {name!r}", saw, hint)
    return found


def one(name: str) -> Step:
    """The step of that name, or the first one of the notebook of that name.

    >>> one("05-models-everywhere").id
    '05-models-everywhere/model'

    Raises UnknownStep.
    """
    found = [step for step in STEPS if name in (step.id, step.notebook)]
    return (found or named(name))[0]


def _nearest(name: str, count: int) -> list[str]:
    """Return the steps and notebooks with the nearest names; equal ones in the lessons' order.

    >>> _nearest("03-servcie", 2)
    ['03-service', '03-service/pulled']
    """
    known = dict.fromkeys(part for step in STEPS for part in (step.notebook, step.id))

    def unlike(other: str) -> float:
        return -difflib.SequenceMatcher(None, other, name).ratio()

    return sorted(known, key=unlike)[:count]


def before(step: Step) -> State:
    """What the sections before a step leave; nothing at the beginning of a notebook.

    >>> before(one("03-service/right-port")).folders
    ('03-deployment', '03-service-wrong')
    """
    place = STEPS.index(step)
    if place and STEPS[place - 1].notebook == step.notebook:
        return STEPS[place - 1].state
    return State(local="absent") if step.state.local else State()


_POD = ("00-pod",)
_SERVICE = ("03-deployment", "03-service")
_EVERY_POD = ("deployment/ollama",)
_PARALLEL = State(("07-parallel", "03-service"), pulled=_EVERY_POD, slow=True)
_PROXY = ("05-model", "08-proxy", "03-service")


def _way(name: str, title: str, folder: str, *, replicas: int = 1) -> Step:
    """A way to bring the model to every Pod, of notebook 05."""
    holds = name == "your-turn"  # each takes the place of the one before
    by = "" if holds else name
    check = model_probes.pods_bring_model(replicas, by, on_any_node=holds)
    id_ = f"05-models-everywhere/{name}"
    return Step(id_, title, check, State(("05-model", folder), replicas, brings=True), holds)


def _scaled(replicas: int, having: int) -> State:
    return State(_SERVICE, replicas, _EVERY_POD, having)


STEPS = (
    Step("00-start/run", "Run Ollama", pod_probes.pod_serves("ollama"), State(_POD)),
    Step(
        "00-start/pull",
        "Pull a model",
        pod_probes.pod_answers("ollama"),
        State(_POD, pulled=("pod/ollama",)),
    ),
    Step(
        "00-start/your-turn",
        "Your turn: a Pod `mine` that answers",
        pod_probes.pod_answers("mine"),
        State((*_POD, "00-mine"), pulled=("pod/ollama", "pod/mine")),
    ),
    Step("01-ollama/run", "Run", pod_probes.local_has_model, State(local="loaded"), holds=False),
    Step(
        "01-ollama/unload",
        "Unloading",
        pod_probes.local_is_unloaded,
        State(local="unloaded"),
        holds=False,
    ),
    Step(
        "01-ollama/your-turn",
        "Your turn: loaded for an hour",
        pod_probes.local_stays_loaded,
        State(local="kept"),
    ),
    Step("02-pod/run", "Run", pod_probes.pod_serves("ollama"), State(_POD)),
    Step(
        "02-pod/answer",
        "Run a command inside",
        pod_probes.pod_answers("ollama"),
        State(_POD, pulled=("pod/ollama",)),
        holds=False,
    ),
    Step("02-pod/again", "Delete, and run again", pod_probes.pod_is_new("ollama"), State(_POD)),
    Step(
        "02-pod/your-turn",
        "Your turn: a Pod `typo`",
        pod_probes.pod_serves("typo"),
        State((*_POD, "02-typo")),
    ),
    Step(
        "03-service/deployment",
        "A Deployment",
        deployment_probes.deployment_ready(),
        State(("03-deployment",)),
    ),
    Step(
        "03-service/endpoints",
        "A Service",
        service_probes.service_has_an_endpoint,
        State(("03-deployment", "03-service-wrong")),
    ),
    Step(
        "03-service/right-port",
        "Your turn: no answer",
        service_probes.service_reaches_ollama,
        State(_SERVICE),
    ),
    Step(
        "03-service/pulled",
        "Pull, from inside",
        deployment_probes.some_pod_has_model,
        State(_SERVICE, pulled=_EVERY_POD),
    ),
    Step(
        "03-service/answers",
        "Ask",
        service_probes.service_has_answered,
        State(_SERVICE, pulled=_EVERY_POD, asked=1),
    ),
    Step(
        "04-scale/one",
        "One Pod that answers",
        service_probes.service_answers,
        State(_SERVICE, pulled=_EVERY_POD),
        holds=False,
    ),
    Step(
        "04-scale/three",
        "Three Pods",
        deployment_probes.deployment_ready(3),
        _scaled(3, 1),
        holds=False,
    ),
    Step(
        "04-scale/houston",
        "Houston",
        service_probes.some_answered_some_refused,
        _scaled(3, 1)._replace(asked=30),
        holds=False,
    ),
    Step(
        "04-scale/your-turn",
        "Your turn: every Pod must have it",
        deployment_probes.pods_answer(3),
        _scaled(3, 3),
        holds=False,
    ),
    Step("04-scale/again", "A fourth Pod", deployment_probes.a_new_pod_lacks_model, _scaled(4, 3)),
    Step(
        "05-models-everywhere/model",
        "The model, said once",
        model_probes.config_names_model,
        State(("05-model",)),
    ),
    _way("baked", "In the image", "05-baked"),
    Step(
        "05-models-everywhere/by-hand",
        "A pull on every Pod",
        model_probes.every_pod_was_given_model,
        State(("05-model", "05-plain"), pulled=_EVERY_POD),
        holds=False,
    ),
    Step(
        "05-models-everywhere/hook-race",
        "A hook, as one writes it first",
        model_probes.hook_failed,
        State(("05-model", "05-hook-naive"), ready=False),
        holds=False,
    ),
    _way("hook", "A hook that waits", "05-hook"),
    _way("init", "An init container", "05-init"),
    _way("sidecar", "A sidecar", "05-sidecar"),
    _way("store", "One store for all", "05-store", replicas=3),
    _way("your-turn", "Choose your adventure", "05-sidecar", replicas=2),
    Step(
        "06-helm/installed",
        "Install",
        deployment_probes.of_release(model_probes.brought_and_served),
        State(release={}, brings=True),
        holds=False,
    ),
    Step(
        "06-helm/changed",
        "Change, and go back",
        deployment_probes.of_release(deployment_probes.deployment_ready(1), rolled_back=True),
        State(release={}, rolled_back=True, brings=True),
        holds=False,
    ),
    Step(
        "06-helm/your-turn",
        "Your turn: three that know it",
        deployment_probes.of_release(model_probes.pods_bring_model(3), values={"replicaCount": 3}),
        State(release={"replicaCount": 3}, brings=True),
    ),
    Step(
        "07-load/ready",
        "An Ollama that costs something",
        service_probes.reached(deployment_probes.every_pod_has_both),
        State(_SERVICE, pulled=_EVERY_POD, slow=True),
    ),
    Step(
        "07-load/your-turn",
        "Your turn: four at a time",
        deployment_probes.parallel(4),
        _PARALLEL,
    ),
    Step(
        "07-load/under-200",
        "Your turn: 200, and no answer",
        deployment_probes.pulls_failed_under_200,
        _PARALLEL._replace(refused=4),
    ),
    Step(
        "08-metrics/proxy",
        "A proxy that counts",
        metric_probes.scraped,
        State(_PROXY, pulled=_EVERY_POD, slow=True),
    ),
    Step(
        "08-metrics/front",
        "Who gets the next question?",
        metric_probes.front_spreads,
        State((*_PROXY, "08-front"), 2, brings=True),
        holds=False,
    ),
    Step(
        "08b-problems/ready",
        "Two Pods that count",
        metric_probes.both_scraped,
        State(_PROXY, 2, brings=True),
        holds=False,
    ),
    Step(
        "08b-problems/first",
        "First problem: half of it",
        metric_probes.both_serve,
        State(_PROXY, 2, brings=True, asked=12),
        holds=False,
    ),
    Step(
        "08b-problems/second",
        "Second problem: in bursts",
        metric_probes.unthrottled,
        State(_PROXY, brings=True, asked=8),
        holds=False,
    ),
    Step(
        "08b-problems/third",
        "Third problem: again and again",
        metric_probes.both_models_stay,
        State(_PROXY, pulled=_EVERY_POD, slow=True, asked=8),
    ),
    Step(
        "10-troubleshoot/hunt",
        "Your turn: fix it",
        deployment_probes.all_ready(service_probes.service_answers),
        State(("05-model", "05-hook", "03-service"), brings=True),
    ),
)
