"""labkit/setup/cluster/rollout.py: what is said when a Deployment of the lab's own does not run."""

import pytest

from labkit.errors import CommandFailed, TimedOut
from labkit.setup.cluster import labs, rollout
from labkit.setup.host.progress import Task


@pytest.fixture
def task() -> Task:
    return Task("x", 0.0, None)


def test_each_is_waited_for_by_name(monkeypatch, task):
    asked = []
    monkeypatch.setattr(labs.Lab, "kubectl", lambda lab, *words, **options: asked.append(words))
    rollout.wait(labs.Lab(), task, "models", "ollama")
    assert [words[2] for words in asked] == ["deployment/models", "deployment/ollama"]
    assert all(words[-2:] == ("--namespace", "lab-system") for words in asked)
    assert task.note_text == "waiting for models and ollama"


def test_out_of_time_it_says_what_each_pod_says(monkeypatch, task):
    def no(lab, *words, **options):
        if words[0] == "get":  # /readyz
            return
        raise CommandFailed("kubectl rollout failed", "timed out", "x")

    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    runs = {"name": "server", "state": {"running": {}}}
    pods = [
        {"metadata": {"name": "a"}, "status": {"containerStatuses": [waiting]}},
        {"metadata": {"name": "b"}, "status": {"phase": "Pending"}},
        {"metadata": {"name": "c"}, "status": {"containerStatuses": [{**runs, "ready": True}]}},
        {"metadata": {"name": "d"}, "status": {"containerStatuses": [{**runs, "ready": False}]}},
    ]
    monkeypatch.setattr(labs.Lab, "kubectl", no)
    monkeypatch.setattr(labs.Lab, "get", lambda lab, *words: {"items": pods})
    with pytest.raises(TimedOut) as error:
        rollout.wait(labs.Lab(), task, "models", "ollama")
    assert str(error.value).splitlines() == [
        "TimedOut: deployment/models and deployment/ollama in lab-system not ready after 180 s",
        "saw: a: ImagePullBackOff, b: Pending, d: server runs and is not ready",
        "try: ./lab logs cluster, then ./lab up again",
    ]
    monkeypatch.setattr(labs.Lab, "get", lambda lab, *words: {})
    with pytest.raises(TimedOut, match="saw: no Pods"):
        rollout.wait(labs.Lab(), task, "prometheus")


def test_an_api_server_that_restarts_is_asked_again(monkeypatch, task):
    left = ["rollout", "get"] * 2

    def kubectl(lab, *words, **options):
        if left:
            assert left.pop(0) == words[0]
            raise CommandFailed(f"kubectl {words[0]} failed", "connection refused", "x")

    monkeypatch.setattr(labs.Lab, "kubectl", kubectl)
    rollout.wait(labs.Lab(), task, "models")
    assert not left
    assert "the API server is not ready yet" in task.note_text
