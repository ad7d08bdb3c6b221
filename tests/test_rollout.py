"""labkit/bringup/rollout.py: what is said when a Deployment of the lab's own does not run."""

import pytest

from labkit.bringup import kube, rollout
from labkit.bringup.progress import Task
from labkit.errors import CommandFailed, TimedOut


@pytest.fixture
def task() -> Task:
    return Task("x", 0.0, None)


def test_each_is_waited_for_by_name(monkeypatch, task):
    asked = []
    monkeypatch.setattr(kube.Lab, "kubectl", lambda lab, *words, **options: asked.append(words))
    rollout.wait(kube.Lab(), task, "models", "ollama")
    assert [words[2] for words in asked] == ["deployment/models", "deployment/ollama"]
    assert all(words[-2:] == ("--namespace", "lab-system") for words in asked)
    assert task.note_text == "waiting for models and ollama"


def test_out_of_time_it_says_what_each_pod_says(monkeypatch, task):
    def no(lab, *words, **options):
        raise CommandFailed("kubectl rollout failed", "timed out", "x")

    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    runs = {"name": "server", "state": {"running": {}}}
    pods = [
        {"metadata": {"name": "a"}, "status": {"containerStatuses": [waiting]}},
        {"metadata": {"name": "b"}, "status": {"phase": "Pending"}},
        {"metadata": {"name": "c"}, "status": {"containerStatuses": [{**runs, "ready": True}]}},
        {"metadata": {"name": "d"}, "status": {"containerStatuses": [{**runs, "ready": False}]}},
    ]
    monkeypatch.setattr(kube.Lab, "kubectl", no)
    monkeypatch.setattr(kube.Lab, "get", lambda lab, *words: {"items": pods})
    with pytest.raises(TimedOut) as error:
        rollout.wait(kube.Lab(), task, "models", "ollama")
    assert str(error.value).splitlines() == [
        "TimedOut: deployment/models and deployment/ollama in lab-system not ready after 180 s",
        "saw: a: ImagePullBackOff, b: Pending, d: server runs and is not ready",
        "try: ./lab logs cluster, then ./lab up again",
    ]
    monkeypatch.setattr(kube.Lab, "get", lambda lab, *words: {})
    with pytest.raises(TimedOut, match="saw: no Pods"):
        rollout.wait(kube.Lab(), task, "prometheus")
