"""measure/load_target.py: the engine's words for a target, and targets that cannot answer."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from labkit.errors import ModelMissing, OllamaSaid, Unreachable
from labkit.kube.refs import Target
from labkit.measure import load_target

SERVICE = Target("service", "ollama", SimpleNamespace(kind="Service"), "lab")
DEPLOYMENT = Target("deployment", "ollama", SimpleNamespace(kind="Deployment"), "lab")
HERE = SimpleNamespace(namespace="lab")


@pytest.fixture
def cluster(monkeypatch):
    """What is there: the Service, Pods and if they are ready, models, an error."""
    there = SimpleNamespace(ready={"10.0.0.7": True, "10.0.0.8": False})
    there.item = {"spec": {"ports": [{"port": 80}]}}
    there.held, there.error = {"a": ["x:latest"], "b": ["y:1"]}, None

    def get(path: str) -> None:
        if there.error:
            raise there.error

    def pods(here, one, item) -> list[dict]:
        assert item is there.item
        found = zip(there.held, there.ready, strict=True)
        return [{"metadata": {"name": n}, "status": {"podIP": ip}} for n, ip in found]

    patch = monkeypatch.setattr
    patch(load_target.refs, "pods_of", pods)
    patch(load_target.refs, "ready", lambda pod: there.ready[pod["status"]["podIP"]])
    patch(load_target.proxy, "opened", lambda here, target: nullcontext(SimpleNamespace(get=get)))
    patch(load_target.models, "names", lambda at: there.held[at.removeprefix("pod/")])
    return there


def test_a_service_is_asked_by_its_name_and_its_first_port(cluster):
    assert load_target.words(HERE, SERVICE, cluster.item, "/api/tags") == [
        "http://ollama.lab:80/api/tags"
    ]
    cluster.item["spec"]["ports"] = []
    assert load_target.words(HERE, SERVICE, cluster.item, "/") == ["http://ollama.lab:11434/"]


def test_of_a_deployment_the_pods_that_are_ready_are_asked(cluster):
    words = ["http://ollama:11434/", "--address", "10.0.0.7:11434"]
    assert load_target.words(HERE, DEPLOYMENT, cluster.item, "/") == words


def test_the_ready_pods_behind_a_service_are_counted(cluster):
    assert load_target.pods_behind(HERE, SERVICE, cluster.item) == 1
    cluster.ready = dict.fromkeys(cluster.ready, True)
    assert load_target.pods_behind(HERE, SERVICE, cluster.item) == 2


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"sessionAffinity": "ClientIP"}])
def test_nothing_is_said_where_a_connection_does_not_choose_the_pod(cluster, spec):
    cluster.item["spec"] |= spec
    assert load_target.pods_behind(HERE, SERVICE, cluster.item) == 0
    assert load_target.pods_behind(HERE, DEPLOYMENT, cluster.item) == 0


def test_a_service_that_selects_nothing_has_no_pods_that_can_be_counted(cluster, monkeypatch):
    def none(here, one, item):
        raise Unreachable("service/ollama has no Pod", "it selects none", "")

    monkeypatch.setattr(load_target.refs, "pods_of", none)
    assert load_target.pods_behind(HERE, SERVICE, cluster.item) == 0


def test_a_deployment_without_a_ready_pod_cannot_be_asked(cluster):
    cluster.ready = dict.fromkeys(cluster.ready, False)
    with pytest.raises(Unreachable) as error:
        load_target.words(HERE, DEPLOYMENT, cluster.item, "/")
    assert str(error.value).splitlines() == [
        "Unreachable: deployment/ollama has no ready Pod",
        "saw: none of its Pods is Ready",
        'try: lab.wait("deployment/ollama"), lab.get("pods")',
    ]


def test_a_silent_service_is_unreachable(cluster):
    cluster.error = Unreachable("service/ollama does not answer", "refused", "look")
    with pytest.raises(Unreachable, match="service/ollama does not answer"):
        load_target.require_answers(HERE, SERVICE, cluster.item, "x")


def test_a_server_that_says_no_has_answered(cluster):
    happened = "service/ollama returned an error (HTTP 404)"
    cluster.error = OllamaSaid(happened, "no page", "", status=404)
    load_target.require_answers(HERE, SERVICE, cluster.item, None)


def test_a_model_that_only_pods_have_that_are_not_ready_is_missing(cluster):
    load_target.require_answers(HERE, SERVICE, cluster.item, "x")
    with pytest.raises(ModelMissing) as error:
        load_target.require_answers(HERE, SERVICE, cluster.item, "y:1")
    assert str(error.value).splitlines() == [
        "ModelMissing: service/ollama does not have the model y:1",
        "saw: it has x:latest",
        'try: lab.pull("y:1", at="service/ollama")',
    ]
