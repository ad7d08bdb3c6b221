"""lessons/desired_objects.py: the objects of a step's state, and where its release comes from."""

import subprocess

import pytest
import yaml

from labkit.errors import CommandFailed, ToolMissing, Unsupported
from labkit.kube import session
from labkit.lessons import desired_objects, steps
from labkit.lessons.desired_state import State

HERE = session.Session("lab", "", None)
RELEASED = State(release={"replicaCount": 3}, brings=True)


def test_a_state_is_the_objects_of_its_folders_with_its_replicas():
    found = desired_objects.objects(HERE, State(("03-deployment", "03-service"), 3))
    assert [item["kind"] for item in found] == ["Deployment", "Service"]
    assert found[0]["spec"]["replicas"] == 3
    assert desired_objects.objects(HERE, State()) == []


def test_the_replicas_are_those_of_ollama_and_not_of_the_proxy_before_it():
    found = desired_objects.objects(HERE, State(("08-proxy", "08-front"), 2))
    replicas = {
        item["metadata"]["name"]: item["spec"]["replicas"]
        for item in found
        if item["kind"] == "Deployment"
    }
    assert replicas == {"ollama": 2, "front": 1}


def test_the_pods_are_told_the_labs_own_model(monkeypatch):
    monkeypatch.setenv("MODEL", "qwen2:1.5b")
    (item,) = desired_objects.objects(HERE, State(("05-model",)))
    assert item["data"] == {"MODEL": "qwen2:1.5b"}


def test_a_release_is_what_its_chart_makes_with_the_marks_that_helm_puts_on_it(monkeypatch):
    asked = []

    def run(words, **_):
        asked.extend(words)
        made = yaml.safe_dump({"kind": "Service", "metadata": {"name": "ollama", "namespace": "x"}})
        return subprocess.CompletedProcess(words, 0, made + "---\n", "")

    monkeypatch.setenv("CHARTS", "http://charts")
    monkeypatch.setattr(subprocess, "run", run)
    (item,) = desired_objects.objects(HERE, RELEASED)
    assert asked[:6] == ["helm", "template", "ollama", "ollama", "--repo", "http://charts"]
    assert "replicaCount=3" in asked
    assert item["metadata"] == {
        "name": "ollama",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": "ollama",
            "meta.helm.sh/release-namespace": "lab",
        },
    }


def test_without_a_repository_or_helm_or_a_chart_the_error_says_which(monkeypatch):
    monkeypatch.delenv("CHARTS", raising=False)
    with pytest.raises(Unsupported, match="no chart repository"):
        desired_objects.objects(HERE, RELEASED)
    monkeypatch.setenv("CHARTS", "http://127.0.0.1:1")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing):
        desired_objects.objects(HERE, RELEASED)
    no = subprocess.CompletedProcess([], 1, "", "Error: no such chart")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: no)
    with pytest.raises(CommandFailed) as raised:
        desired_objects.objects(HERE, RELEASED)
    assert raised.value.saw == "Error: no such chart"


def test_every_state_can_be_declared_but_for_the_charts():
    for step in steps.STEPS:
        desired_objects.objects(HERE, step.state._replace(release=None))
