"""The state that a step leaves: which objects, which models in which Pods, which release."""

from __future__ import annotations

from typing import NamedTuple

ROLLED_BACK = "Rollback to 1"  # how Helm describes the revision of a state that is `rolled_back`


class State(NamedTuple):
    """What a step leaves behind: the objects of folders of k8s/steps, and models in their Pods.

    `replicas`: of Deployment `ollama`. `pulled`: the Pods into which the lab's model is pulled,
    all that the target has, or `having` of them. `brings`: Pods that fetch it themselves.
    `inside`: `ollama run` has run in Pod `ollama`. `slow`: lab-llama:slow is pulled too.
    `asked`: so many prompts, through the Service, in turn to each of its models. `refused`: so many
    pulls of a model that there is not.
    `release`: a release `ollama` of the lab's chart, with these values; `rolled_back`: after a
    change. `local`: the lab's model in the local Ollama: absent, loaded, unloaded, or kept.
    """

    folders: tuple[str, ...] = ()
    replicas: int = 1
    pulled: tuple[str, ...] = ()
    having: int | None = None
    brings: bool = False
    inside: bool = False
    slow: bool = False
    asked: int = 0
    refused: int = 0
    ready: bool = True  # do its Pods become ready?
    release: dict[str, object] | None = None
    rolled_back: bool = False
    local: str = ""
