"""labkit/load_target.py: the engine's words for a target, and targets that cannot answer."""

from types import SimpleNamespace

import pytest

from labkit import load_target
from labkit.errors import ModelMissing, OllamaSaid, Unreachable
from labkit.targets import Target

SERVICE = Target("service", "ollama", SimpleNamespace(kind="Service"), "lab")
DEPLOYMENT = Target("deployment", "ollama", SimpleNamespace(kind="Deployment"), "lab")
HERE = SimpleNamespace(namespace="lab")


@pytest.fixture
def cluster(monkeypatch):
    """What is there: ports of the Service, Pods and if they are ready, models, an error."""
    there = SimpleNamespace(ports=[{"port": 80}], ready={"10.0.0.7": True, "10.0.0.8": False})
    there.held, there.error, there.likely = {"a": ["x:latest"], "b": ["y:1"]}, None, None

    class Server:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def get(self, path: str) -> None:
            if there.error:
                raise there.error

    def pods(here, one) -> list[dict]:
        found = zip(there.held, there.ready, strict=True)
        return [{"metadata": {"name": n}, "status": {"podIP": ip}} for n, ip in found]

    patch = monkeypatch.setattr
    patch(load_target.targets, "found", lambda here, one: {"spec": {"ports": there.ports}})
    patch(load_target.targets, "pods_of", pods)
    patch(load_target.targets, "ready", lambda pod: there.ready[pod["status"]["podIP"]])
    patch(load_target.reach, "opened", lambda here, target: Server())
    patch(load_target.evidence, "models", lambda at: there.held[at.removeprefix("pod/")])
    patch(load_target.hints, "likely", lambda here: there.likely)
    return there


def test_a_service_is_asked_by_its_name_and_its_first_port(cluster):
    assert load_target.words(HERE, SERVICE, "/api/tags") == ["http://ollama.lab:80/api/tags"]
    cluster.ports = []
    assert load_target.words(HERE, SERVICE, "/") == ["http://ollama.lab:11434/"]


def test_of_a_deployment_the_pods_that_are_ready_are_asked(cluster):
    words = ["http://ollama:11434/", "--address", "10.0.0.7:11434"]
    assert load_target.words(HERE, DEPLOYMENT, "/") == words


def test_a_deployment_without_a_ready_pod_is_told_with_the_likely_cause(cluster):
    cluster.ready = dict.fromkeys(cluster.ready, False)
    with pytest.raises(Unreachable) as error:
        load_target.words(HERE, DEPLOYMENT, "/")
    assert str(error.value).splitlines() == [
        "Unreachable: deployment/ollama has no ready Pod",
        "saw: none of its Pods is Ready",
        'try: lab.wait("deployment/ollama"), lab.get("pods")',
    ]
    cluster.likely = SimpleNamespace(cause="a hook came too early", fix="let it wait")
    with pytest.raises(Unreachable) as error:
        load_target.words(HERE, DEPLOYMENT, "/")
    assert error.value.saw.endswith("; likely: a hook came too early")
    assert error.value.hint == "let it wait"


def test_a_silent_service_is_told_with_the_likely_cause(cluster):
    cluster.error = Unreachable("service/ollama does not answer", "refused", "look")
    cluster.likely = SimpleNamespace(cause="the Service leads to another port", fix="correct it")
    with pytest.raises(Unreachable) as error:
        load_target.require_answers(HERE, SERVICE, "x")
    assert error.value.saw == "refused; likely: the Service leads to another port"


def test_a_server_that_says_no_has_answered(cluster):
    cluster.error = OllamaSaid("service/ollama said no (HTTP 404)", "no page", "", status=404)
    load_target.require_answers(HERE, SERVICE, None)


def test_a_model_that_only_pods_have_that_are_not_ready_is_missing(cluster):
    load_target.require_answers(HERE, SERVICE, "x")
    with pytest.raises(ModelMissing) as error:
        load_target.require_answers(HERE, SERVICE, "y:1")
    assert str(error.value).splitlines() == [
        "ModelMissing: service/ollama does not have the model y:1",
        "saw: it has x:latest",
        'try: lab.pull("y:1", at="service/ollama")',
    ]
