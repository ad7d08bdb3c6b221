"""The chart's lesson in the running lab, with the lab's Helm 4 and, where it is, with Helm 3."""

import os

import pytest

import labkit
from labkit.errors import CommandFailed
from labkit.kube import helm, session
from labkit.lessons import checks, steps
from labkit.lessons.reset import goto
from tests import helms

VALUES = {"ollama.insecure": True, "ollama.models.pull": [labkit.model]}


@pytest.fixture(params=[3, 4])
def major(request, tmp_path, monkeypatch, seat) -> int:
    """Which `helm` is on PATH, in a namespace that is empty."""
    helms.first_on_path(request.param, tmp_path, monkeypatch)
    goto.reset()
    return request.param


def upgrade(**options) -> str:
    return labkit.helm_upgrade("ollama", "ollama", repo=os.environ["CHARTS"], **options).text


def pods(seat) -> set[str]:
    return set(seat.run("kubectl get pods -o name").split())


def test_a_release_is_installed_changed_taken_back_and_removed(major, seat):
    assert "STATUS: deployed" in upgrade(values=VALUES)
    assert checks.check("06-helm/installed").passed
    before = pods(seat)
    upgrade(values=VALUES)
    assert pods(seat) == before
    with pytest.raises(CommandFailed) as old:
        upgrade(values={"ollama.models": [labkit.model]})
    assert "can't evaluate field pull in type interface {}" in old.value.saw
    assert "ollama.models.pull" in old.value.hint
    changed = steps.one("06-helm/changed").state
    goto.bring(session.current(), changed, "roll back")
    assert checks.check("06-helm/changed").passed
    assert goto.planned(session.current(), changed) == []
    labkit.helm_uninstall("ollama")
    assert seat.run("kubectl get deployments,services,pods -o name").split() == []


def test_what_kubectl_has_scaled_is_helm_3s_at_once_and_helm_4s_when_that_is_asked_for(major, seat):
    upgrade(values={"replicaCount": 0})  # nothing to wait for
    seat.run("kubectl scale deployment ollama --replicas 1")
    if major == 4:
        with pytest.raises(CommandFailed) as refused:
            upgrade(values={"replicaCount": 0})
        assert 'conflict with "kubectl" with subresource "scale"' in refused.value.saw
        assert "force_conflicts=True" in refused.value.hint
        upgrade(values={"replicaCount": 1})  # what it has is no conflict
    upgrade(values={"replicaCount": 0}, **({"force_conflicts": True} if major == 4 else {}))
    assert seat.run("kubectl get deployment ollama -o jsonpath={.spec.replicas}") == "0"


def test_a_release_of_helm_3_stays_without_conflicts_in_helm_4(tmp_path, monkeypatch, seat):
    helms.first_on_path(3, tmp_path, monkeypatch)
    goto.reset()
    upgrade(values={"replicaCount": 0})
    helms.first_on_path(4, tmp_path, monkeypatch)
    seat.run("kubectl scale deployment ollama --replicas 1")
    upgrade(values={"replicaCount": 0})
    assert seat.run("kubectl get deployment ollama -o jsonpath={.spec.replicas}") == "0"
    records = session.current().api.request("GET", f"/api/v1/namespaces/{seat.name}/secrets")
    kept = helm.records(records["items"], "ollama")
    assert [helm.status(one) for one in kept] == ["superseded", "deployed"]
