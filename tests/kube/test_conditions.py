import pytest

from labkit.errors import LabError
from labkit.kube.conditions import observed, parsed, usual, values

POD = {
    "metadata": {"generation": 2},
    "status": {
        "phase": "Running",
        "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "a", "ready": True}, {"name": "b", "ready": False}],
    },
}


@pytest.mark.parametrize(
    "text",
    [
        "condition=Ready",
        "condition=Ready=false",
        "jsonpath={..ip}",
        "jsonpath={.status.phase}=Running",
        "delete",
        "create",
    ],
)
def test_a_goal_is_written_as_kubectl_takes_it(text):
    assert str(parsed(text)) == text


@pytest.mark.parametrize("text", ["ready", "condition=", "jsonpath=.a", "jsonpath={.a[?(@.b)]}"])
def test_what_is_not_understood_says_what_is(text):
    with pytest.raises(LabError, match="wait does not understand"):
        parsed(text)


def test_conditions_are_compared_without_regard_to_case():
    assert parsed("condition=ready").met(POD)
    assert parsed("condition=READY=TRUE").met(POD)
    assert not parsed("condition=Ready=False").met(POD)
    assert not parsed("condition=Available").met(POD)


def test_a_condition_of_before_the_last_change_does_not_count():
    changed = {**POD, "metadata": {"generation": 3}}
    assert not observed(changed) and not parsed("condition=Ready").met(changed)
    assert observed({"status": {}})


def test_a_jsonpath_is_met_by_its_value_or_without_one_by_anything():
    assert parsed("jsonpath={.status.phase}=Running").met(POD)
    assert not parsed("jsonpath={.status.phase}=Failed").met(POD)
    assert parsed("jsonpath={.status.containerStatuses[0].ready}=true").met(POD)
    assert parsed("jsonpath={.status.phase}").met(POD)
    assert not parsed("jsonpath={.status.podIP}").met(POD)
    assert not parsed("jsonpath={..ip}").met({"status": {"loadBalancer": {}}})


def test_a_jsonpath_walks_lists_and_searches_everywhere():
    assert values(POD, "{.status.containerStatuses[*].name}") == ["a", "b"]
    assert values(POD, "{.status.containerStatuses[7].name}") == []
    assert values(POD, "{..name}") == ["a", "b"]
    assert values(POD, "{.status.phase.deeper}") == []


def test_what_is_usual_depends_on_the_kind():
    said = {kind: str(usual(kind, {})) for kind in ("Pod", "Node", "Job", "Namespace")}
    assert said == {
        "Pod": "condition=Ready",
        "Node": "condition=Ready",
        "Job": "condition=Complete",
        "Namespace": "jsonpath={.status.phase}=Active",
    }
    on_nodes = {"status": {"desiredNumberScheduled": 2}}
    assert str(usual("DaemonSet", on_nodes)) == "jsonpath={.status.numberReady}=2"
