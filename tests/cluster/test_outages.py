"""Mistakes that are the lab's own parts not running: the image registry, a node. It runs alone."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.diagnosis import gathering, ranking
from labkit.diagnosis.mistake import Mistake
from labkit.jupyter import namespace
from labkit.kube import refs, session
from labkit.lessons import fault
from labkit.lessons.desired_state import State
from labkit.lessons.reset import delete, goto
from labkit.setup.build import registry
from labkit.setup.cluster import kind, labs
from labkit.setup.host import docker, speed

SOON_S = 40
DOWN_S = 90  # the control plane waits 50 s for a node's word


@pytest.fixture
def here(lab) -> Iterator[session.Session]:
    """A namespace of its own; its nodes and the registry run before and after."""
    name = namespace.make(Path("outage"))
    try:
        yield session.Session(name, "", labs.Lab().kubeconfig_in(name))
    finally:
        namespace.remove(name)


def kubectl(here: session.Session, *words: str, **options) -> str:
    return labs.Lab().kubectl("--namespace", here.namespace, *words, **options)


def until(met: Callable[[], bool], limit_s: float, what: str) -> None:
    limit_s = speed.deadline(limit_s)
    deadline = time.monotonic() + limit_s
    while not met():
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        time.sleep(0.5)


def diagnoses(here: session.Session, limit_s: float) -> tuple[str, str]:
    """The first diagnosis that there is, and what it saw."""
    found: list[Mistake] = []

    def looked() -> bool:
        found.extend(filter(None, [ranking.likely(here)]))
        return bool(found)

    until(looked, limit_s, "a diagnosis")
    return found[0].id, found[0].saw


def answers(here: session.Session) -> bool:
    """Is every Pod of the namespace ready, and is nothing wrong?"""
    pods = gathering.gather(here).pods
    return bool(pods) and all(map(refs.ready, pods)) and ranking.likely(here) is None


def test_an_image_registry_that_is_down_is_not_taken_for_a_misspelt_image(here):
    docker.docker("stop", "--time", "2", registry.NAME)
    try:
        kubectl(here, "run", "ollama", "--image=ollama/ollama")
        id_, saw = diagnoses(here, SOON_S)
        assert (id_, "ollama/ollama" in saw) == ("registry-down", True)
    finally:
        docker.docker("start", registry.NAME)
        until(registry.running, SOON_S, "the registry answers")
    assert ranking.likely(here) is None  # the kubelet tries again, later and later


def test_a_node_that_is_down_is_named_and_nothing_that_follows_from_it(here):
    goto.bring(here, fault.WELL, "an Ollama with its model")
    assert answers(here)
    (pod,) = gathering.gather(here).pods
    worker = pod["spec"]["nodeName"]  # of a lab with several, the one that it is on
    docker.docker("exec", worker, "systemctl", "kill", "--signal=STOP", "kubelet")
    try:
        assert diagnoses(here, DOWN_S)[0] == "node-down"
        # nobody there to say that its Pod has ended
        goto.bring(here, State(), "reset", timeout_s=2 * delete.FORCE_AFTER_S)
        assert not gathering.gather(here).pods
    finally:
        docker.docker("exec", worker, "systemctl", "kill", "--signal=CONT", "kubelet")
        until(lambda: not kind.unready(), DOWN_S, "nodes and system Pods are ready")
    goto.bring(here, fault.WELL, "an Ollama with its model, again")
    assert answers(here)
