"""diagnosis/report.py: what `lab.diagnose()` says, and where it looks."""

import pytest
import yaml

from labkit.diagnosis import report
from labkit.errors import ContextUnknown, NotFound, NotUp
from labkit.kube import session
from labkit.setup.cluster import labs
from labkit.setup.host import paths
from tests.diagnosis.shapes import container, event, facts, loops, pod, running, service

KILLING = "Container ollama failed liveness probe, will be restarted"
LIVE = {"livenessProbe": {"httpGet": {"path": "/healthz", "port": 11434}}}


def killed():
    return facts(
        pod(container(**LIVE), statuses=[loops(137)]),
        events=[
            event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404"),
            event("Killing", KILLING, type="Normal"),
        ],
    )


def test_a_cause_is_told_with_what_supports_it_and_what_would_refute_it():
    found = report.of(killed())
    text = str(found)
    assert text.startswith(
        "namespace lab: 1 cause\nliveness-probe-wrong (the cluster reports it)\n"
    )
    for word in ("saw: pod/ollama-", "cause: ", "try: ", "look: kubectl", "not if: "):
        assert f"  {word}" in text
    assert "looked at: 1 Pod, 0 workloads, 0 Services, 2 events" in text
    assert found.plain()["found"][0]["sure"] == "the cluster reports it"


def test_two_causes_are_shown_in_order():
    given = facts(pod(statuses=[loops(137, "OOMKilled")]), services=[service(type="LoadBalancer")])
    assert str(report.of(given)).startswith("namespace lab: 2 causes, the surest first\n")


def test_none_seen_says_what_was_looked_at_and_what_could_not_be_read():
    given = facts(pod(), services=[service()], unread=["nodes: forbidden"])
    text = str(report.of(given))
    assert text.startswith("namespace lab: no known cause seen\nlooked at: 1 Pod,")
    assert text.endswith("; not readable: nodes")


def test_what_is_not_well_and_has_no_name_is_quoted():
    given = facts(pod(statuses=[loops(3)]))
    found = report.of(given)
    assert found.found == []
    assert "CrashLoopBackOff: container ollama: exit code 3" in found.troubles[0]
    assert found.troubles[0] in str(found)


def test_a_line_to_look_with_is_for_the_place_that_was_looked_at():
    text = str(report.of(killed(), "company"))
    assert "look: kubectl --context=company --namespace=lab events" in text


def test_old_facts_are_judged_by_when_they_were_taken():
    begun = facts(pod(statuses=[running(ready=False, s=1)]), services=[service()], held={})
    assert report.of(begun).found == []


@pytest.fixture
def cluster(answering, monkeypatch):
    """`cluster(labels)`: an API server whose namespace `mine` has these labels; its address."""
    monkeypatch.setattr(session, "_current", None)
    monkeypatch.delenv("LAB_NAMESPACE", raising=False)
    monkeypatch.delenv("LAB_CONTEXT", raising=False)

    def make(labels: dict) -> str:
        def answer(handler) -> None:
            name = handler.path.rpartition("/")[2]
            if name in ("mine", "lab"):
                handler.send({"metadata": {"name": name, "labels": labels}})
            else:
                handler.send({"reason": "NotFound", "message": "none", "code": 404}, 404)

        return answering(answer)

    return make


def config(file, server: str, *names: str) -> None:
    contexts = [{"name": n, "context": {"cluster": "c", "user": "u"}} for n in names]
    contexts[0]["context"]["namespace"] = "mine"
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": contexts,
        "current-context": names[-1],
    }
    paths.write_text(file, yaml.safe_dump(text))


def test_the_labs_own_namespaces_are_the_workshops_and_others_are_not(cluster):
    config(labs.Lab().kubeconfig, cluster({labs.LABEL[0]: labs.LABEL[1]}), "kind-lab")
    assert not report.place("mine", None).outside
    assert report.place(None, None).session.namespace == "lab"
    with pytest.raises(NotFound, match="there is no namespace nosuch"):
        report.place("nosuch", None)


def test_a_namespace_without_the_labs_label_is_outside(cluster):
    config(labs.Lab().kubeconfig, cluster({}), "kind-lab")
    assert report.place("mine", None).outside


def test_a_context_of_the_users_own_kubeconfig_is_read_there(cluster, tmp_path, monkeypatch):
    file = tmp_path / "config"
    config(file, cluster({}), "company", "other")
    before = file.read_text()
    monkeypatch.setenv("KUBECONFIG", str(file))
    here = report.place(None, "company")
    assert (here.session.namespace, here.session.context, here.outside) == ("mine", "company", True)
    assert here.session.api.host and file.read_text() == before
    with pytest.raises(ContextUnknown, match="no kubeconfig has a context nosuch"):
        report.place(None, "nosuch")


def test_without_a_lab_and_a_context_there_is_nothing_to_look_at(cluster):
    with pytest.raises(NotUp, match="the lab is not up"):
        report.place(None, None)
