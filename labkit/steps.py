"""The steps of the notebooks: each one's name, title, state, and the check that asks for it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import NamedTuple

from labkit import evidence, observed
from labkit.errors import UnknownStep
from labkit.evidence import Seen
from labkit.ladders import LADDERS, Ladder
from labkit.session import Session


class State(NamedTuple):
    """What a step leaves behind: the objects of folders of k8s/steps, and models in their Pods.

    `replicas`: of Deployment `ollama`. `pulled`: the Pods into which the lab's model is pulled,
    all that the target has, or `having` of them. `brings`: Pods that fetch it themselves.
    `slow`: lab-llama:slow is pulled too. `asked`: so many prompts, through the Service, in turn to
    each of its models. `refused`: so many pulls of a model that there is not.
    `release`: a release `ollama` of the lab's chart, with these values; `rolled_back`: after a
    change. `local`: the lab's model in the local Ollama: absent, loaded, unloaded, or kept.
    """

    folders: tuple[str, ...] = ()
    replicas: int = 1
    pulled: tuple[str, ...] = ()
    having: int | None = None
    brings: bool = False
    slow: bool = False
    asked: int = 0
    refused: int = 0
    ready: bool = True  # do its Pods become ready?
    release: dict[str, object] | None = None
    rolled_back: bool = False
    local: str = ""


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


def one(name: str) -> Step:
    """The step of that name, or the first one of the notebook of that name.

    >>> one("05-models-everywhere").id
    '05-models-everywhere/model'

    Raises UnknownStep.
    """
    found = [step for step in STEPS if name in (step.id, step.notebook)]
    return (found or named(name))[0]


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
    check = evidence.pods_bring_model(replicas, by="" if name == "your-turn" else name)
    id_ = f"05-models-everywhere/{name}"
    holds = name == "your-turn"  # each takes the place of the one before
    return Step(id_, title, check, State(("05-model", folder), replicas, brings=True), holds)


def _scaled(replicas: int, having: int) -> State:
    return State(_SERVICE, replicas, _EVERY_POD, having)


STEPS = (
    Step("00-start/run", "Run Ollama", evidence.pod_serves("ollama"), State(_POD)),
    Step(
        "00-start/pull",
        "Pull a model",
        evidence.pod_answers("ollama"),
        State(_POD, pulled=("pod/ollama",)),
    ),
    Step(
        "00-start/your-turn",
        "Your turn: a Pod `mine` that answers",
        evidence.pod_answers("mine"),
        State((*_POD, "00-mine"), pulled=("pod/ollama", "pod/mine")),
    ),
    Step("01-ollama/run", "Run", evidence.local_has_model, State(local="loaded"), holds=False),
    Step(
        "01-ollama/unload",
        "Unloading",
        evidence.local_is_unloaded,
        State(local="unloaded"),
        holds=False,
    ),
    Step(
        "01-ollama/your-turn",
        "Your turn: loaded for an hour",
        evidence.local_stays_loaded,
        State(local="kept"),
    ),
    Step("02-pod/run", "Run", evidence.pod_serves("ollama"), State(_POD)),
    Step(
        "02-pod/answer",
        "Run a command inside",
        evidence.pod_answers("ollama"),
        State(_POD, pulled=("pod/ollama",)),
        holds=False,
    ),
    Step("02-pod/again", "Delete, and run again", evidence.pod_is_empty("ollama"), State(_POD)),
    Step(
        "02-pod/your-turn",
        "Your turn: a Pod `typo`",
        evidence.pod_serves("typo"),
        State((*_POD, "02-typo")),
    ),
    Step(
        "03-service/deployment",
        "A Deployment",
        evidence.deployment_ready(),
        State(("03-deployment",)),
    ),
    Step(
        "03-service/service",
        "A Service",
        evidence.service_has_an_endpoint,
        State(("03-deployment", "03-service-wrong")),
    ),
    Step(
        "03-service/right-port",
        "Your turn: nobody answers",
        evidence.service_reaches_ollama,
        State(_SERVICE),
    ),
    Step(
        "03-service/pulled",
        "Pull, from inside",
        evidence.some_pod_has_model,
        State(_SERVICE, pulled=_EVERY_POD),
    ),
    Step(
        "03-service/answers",
        "Ask",
        evidence.service_has_answered,
        State(_SERVICE, pulled=_EVERY_POD, asked=1),
    ),
    Step(
        "04-scale/one",
        "One Pod that answers",
        evidence.service_answers,
        State(_SERVICE, pulled=_EVERY_POD),
        holds=False,
    ),
    Step("04-scale/three", "Three Pods", evidence.deployment_ready(3), _scaled(3, 1), holds=False),
    Step(
        "04-scale/houston",
        "Houston",
        evidence.some_answered_some_refused,
        _scaled(3, 1)._replace(asked=30),
        holds=False,
    ),
    Step(
        "04-scale/your-turn",
        "Your turn: every Pod must have it",
        evidence.every_pod_answers,
        _scaled(3, 3),
        holds=False,
    ),
    Step("04-scale/again", "A fourth Pod", evidence.a_new_pod_lacks_model, _scaled(4, 3)),
    Step(
        "05-models-everywhere/model",
        "The model, said once",
        evidence.config_names_model,
        State(("05-model",)),
    ),
    _way("baked", "In the image", "05-baked"),
    Step(
        "05-models-everywhere/by-hand",
        "A pull on every Pod",
        evidence.every_pod_was_given_model,
        State(("05-model", "03-deployment"), pulled=_EVERY_POD),
        holds=False,
    ),
    Step(
        "05-models-everywhere/hook-race",
        "A hook, as one writes it first",
        evidence.hook_failed,
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
        evidence.of_release(evidence.service_answers),
        State(release={}, brings=True),
        holds=False,
    ),
    Step(
        "06-helm/changed",
        "Change, and go back",
        evidence.of_release(evidence.deployment_ready(1), rolled_back=True),
        State(release={}, rolled_back=True, brings=True),
        holds=False,
    ),
    Step(
        "06-helm/your-turn",
        "Your turn: three that know it",
        evidence.of_release(evidence.pods_bring_model(3)),
        State(release={"replicaCount": 3}, brings=True),
    ),
    Step(
        "07-load/ready",
        "An Ollama that costs something",
        evidence.every_pod_answers,
        State(_SERVICE, pulled=_EVERY_POD, slow=True),
    ),
    Step(
        "07-load/your-turn",
        "Your turn: four at a time",
        evidence.parallel(4),
        _PARALLEL,
    ),
    Step(
        "07-load/under-200",
        "Your turn: 200, and no answer",
        evidence.pulls_failed_under_200,
        _PARALLEL._replace(refused=4),
    ),
    Step(
        "08-metrics/proxy",
        "A proxy that counts",
        observed.scraped,
        State(_PROXY, pulled=_EVERY_POD, slow=True),
    ),
    Step(
        "08-metrics/front",
        "Who gets the next question?",
        observed.front_spreads,
        State((*_PROXY, "08-front"), 2, brings=True),
        holds=False,
    ),
    Step(
        "08-metrics/first",
        "First problem: half of it",
        observed.both_serve,
        State(_PROXY, 2, brings=True, asked=12),
        holds=False,
    ),
    Step(
        "08-metrics/second",
        "Second problem: in bursts",
        observed.unthrottled,
        State(_PROXY, brings=True, asked=8),
        holds=False,
    ),
    Step(
        "08-metrics/third",
        "Third problem: again and again",
        observed.both_models_stay,
        State(_PROXY, pulled=_EVERY_POD, slow=True, asked=8),
    ),
    Step(
        "10-troubleshoot/hunt",
        "Your turn: mend it",
        evidence.service_answers,
        State(("05-model", "05-hook", "03-service"), brings=True),
    ),
)
