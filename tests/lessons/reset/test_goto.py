"""labkit/lessons/reset/goto.py: what goes, what stays, what is made; on an API server in memory.

What learners bring about in a real cluster is in tests/cluster/test_states.py.
"""

import pytest

from labkit.errors import CommandFailed, NamespaceNotOurs, PodFailed, Refused, UnknownStep
from labkit.kube import session
from labkit.lessons import steps
from labkit.lessons.desired_state import State
from labkit.lessons.reset import fill, goto

POD = {"kind": "Pod", "metadata": {"name": "ollama", "labels": {"run": "ollama"}}}
POD["spec"] = {"containers": [{"name": "ollama", "image": "ollama/ollama"}]}


@pytest.fixture(autouse=True)
def outside_of_pods(monkeypatch):
    """Nobody is in these Pods whom one could ask."""
    monkeypatch.setattr(fill, "left", lambda here, state: [])


def test_what_no_step_put_there_goes_labelled_or_not_and_the_rest_is_left_alone(store):
    kept = store.add(POD)
    store.add({"kind": "ConfigMap", "metadata": {"name": "mine"}})
    store.add({"kind": "Secret", "metadata": {"name": "theirs", "labels": {"a": "b"}}})
    reached = goto.goto("00-start/pull")
    assert store.names() == ["pod/ollama"]
    assert [change.target for change in reached.changes] == ["configmap/mine", "secret/theirs"]
    assert (
        store.objects["/api/v1/namespaces/lab/pods/ollama"]["metadata"]["uid"]
        == (kept["metadata"]["uid"])
    )


def test_a_second_goto_changes_nothing_and_says_the_heading(store):
    goto.goto("00-start/pull")
    before = list(store.changes)
    again = goto.goto("00-start/pull")
    assert store.changes == before
    assert str(again).endswith("continue in 00-start at: Pull a model")
    assert "nothing was to change" in str(again)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"command": ["x"]}, "spec.containers[0].command is ['x']"),
        ({"env": [{"name": "A", "value": "b"}]}, "spec.containers[0].env is "),
        ({"image": "ollama/olama"}, "spec.containers[0].image is ollama/olama, not ollama/ollama"),
    ],
)
def test_a_field_that_somebody_set_is_a_reason_to_make_the_object_anew(store, change, why):
    container = {**POD["spec"]["containers"][0], **change}
    store.add({**POD, "spec": {"containers": [container]}})
    reached = goto.goto("00-start/pull")
    assert [change.verb for change in reached.changes] == ["delete", "create"]
    assert reached.changes[0].why.startswith(why)


def test_a_pod_that_has_ended_or_restarted_is_made_anew(store):
    for status in ({"phase": "Failed"}, {"containerStatuses": [{"restartCount": 2}]}):
        store.add(POD)["status"] = {**store.READY, **status}
        assert [change.verb for change in goto.goto("00-start/pull").changes] == [
            "delete",
            "create",
        ]


def test_a_pod_that_was_ready_and_is_no_more_is_made_anew(store):
    began = {"state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}}, "restartCount": 0}
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:01:00Z"}
    lost = {"conditions": [ready], "phase": "Running", "containerStatuses": [began]}
    store.add(POD)["status"] = lost
    changes = goto.goto("00-start/pull").changes
    assert changes[0][:3] == ("delete", "pod/ollama", "it was ready, and is not ready now")


def test_a_pod_that_will_not_be_ready_is_an_error_and_not_waited_for(store):
    waiting = {"reason": "InvalidImageName", "message": "no such name"}
    statuses = [{"name": "ollama", "restartCount": 0, "state": {"waiting": waiting}}]
    store.add(POD)["status"] = {"phase": "Pending", "containerStatuses": statuses}
    with pytest.raises(PodFailed) as raised:
        goto.goto("00-start/pull")
    assert "no such name" in raised.value.saw


def test_reset_leaves_an_empty_namespace(store):
    store.add(POD)
    store.add({"kind": "ServiceAccount", "metadata": {"name": "other"}})
    goto.reset()
    assert store.names() == []


def test_a_changed_default_service_account_goes_too(store):
    found = store.objects["/api/v1/namespaces/lab/serviceaccounts/default"]
    found["imagePullSecrets"] = [{"name": "x"}]
    assert goto.planned(session.current(), State())[0].target == "serviceaccount/default"


def test_when_a_person_says_no_nothing_is_changed(store, capsys):
    store.add(POD)
    assert goto.go(None, agree=lambda: False) is None
    assert store.names() == ["pod/ollama"]
    assert store.changes == []
    assert "delete   pod/ollama   no part of this step" in capsys.readouterr().out


def test_nothing_is_asked_where_nothing_is_to_change(store):
    assert goto.go(None, agree=lambda: pytest.fail("asked")).changes == ()


def test_a_namespace_that_is_not_the_labs_is_left_alone(store):
    found = store.objects["/api/v1/namespaces/lab"]
    found["metadata"]["labels"] = {}
    store.add(POD)
    with pytest.raises(NamespaceNotOurs):
        goto.reset()
    assert store.changes == []


def test_a_namespace_that_is_missing_is_made_as_the_lab_makes_it(store):
    before = store.objects["/api/v1/namespaces/lab"]["metadata"]["labels"]
    store.objects.clear()
    goto.goto("00-start/pull")
    assert store.names() == ["pod/ollama"]
    assert store.objects["/api/v1/namespaces/lab"]["metadata"]["labels"] == before


@pytest.mark.parametrize("after", range(0, 40, 4))
def test_an_api_server_that_is_away_for_a_while_is_waited_for(store, monkeypatch, after):
    """At whatever request it goes."""
    monkeypatch.setattr(goto.time, "sleep", lambda seconds: None)
    store.add({"kind": "ConfigMap", "metadata": {"name": "mine"}})
    answered = store._answered

    def going(*request):
        store.asked = getattr(store, "asked", 0) + 1
        if store.asked == after:
            store.silent = 12
        return answered(*request)

    monkeypatch.setattr(store, "_answered", going)
    goto.goto("00-start/pull")
    assert store.names() == ["pod/ollama"]


def test_a_namespace_deleted_meanwhile_is_made_anew(store, monkeypatch):
    answered, gone = store._answered, []

    def going(method, path, query, data):
        if method == "POST" and path.endswith("/pods") and not gone:
            gone.append(path)
            store.objects.clear()
            return 403, {"reason": "Forbidden", "message": "it is being terminated", "code": 403}
        return answered(method, path, query, data)

    monkeypatch.setattr(store, "_answered", going)
    goto.goto("00-start/pull")
    assert gone
    assert store.names() == ["pod/ollama"]


def test_a_real_no_of_the_api_server_is_raised_after_some_tries(store, monkeypatch):
    answered, asked = store._answered, []

    def refusing(method, path, query, data):
        if method == "POST" and path.endswith("/pods"):
            asked.append(path)
            return 403, {"reason": "Forbidden", "message": "a webhook says no", "code": 403}
        return answered(method, path, query, data)

    monkeypatch.setattr(store, "_answered", refusing)
    monkeypatch.setattr(goto, "PAUSE_S", 0)
    with pytest.raises(Refused, match="rejected the request"):
        goto.goto("00-start/pull")
    assert len(asked) == goto.TRIES + 1


def test_an_unknown_step_changes_nothing(store):
    store.add(POD)
    with pytest.raises(UnknownStep):
        goto.goto("00-strat")
    assert store.changes == []


def test_a_notebooks_name_alone_is_its_first_step():
    assert steps.one("05-models-everywhere").id == "05-models-everywhere/model"
    assert steps.before(steps.one("05-models-everywhere")) == State()
    assert steps.before(steps.one("05-models-everywhere/sidecar")).folders[-1] == "05-init"


@pytest.mark.parametrize("step", ["00-start/pull", None])
@pytest.mark.parametrize("after", range(1, 26, 6))
def test_rights_that_are_not_read_yet_are_no_refusal(store, monkeypatch, after, step):
    """At whatever request: nothing is judged by it, neither as missing nor as gone."""
    monkeypatch.setattr(goto.time, "sleep", lambda seconds: None)
    kept = store.add(POD)["metadata"]["uid"]
    store.add({"kind": "ConfigMap", "metadata": {"name": "mine"}})
    answered, asked, left = store._answered, [], [403] * 30

    def starting(method, path, query, data):
        asked.append(path)
        if path == "/readyz":
            return (500 if left else 200), {}
        if len(asked) >= after and left:
            return left.pop(), {"reason": "Forbidden", "message": "no RBAC policy", "code": 403}
        return answered(method, path, query, data)

    monkeypatch.setattr(store, "_answered", starting)
    goto.reset(step)
    assert store.names() == (["pod/ollama"] if step else [])
    if step:
        assert store.objects["/api/v1/namespaces/lab/pods/ollama"]["metadata"]["uid"] == kept


def test_what_fails_only_because_the_api_server_is_away_is_tried_until_it_is_back(
    store, monkeypatch
):
    """As helm does, which has its own words for that."""
    answered, left = store._answered, ["not yet"] * 3 * goto.TRIES

    def answer(method, path, query, data):
        if path == "/readyz":
            return (500 if left else 200), {}
        return answered(method, path, query, data)

    def helm(here, state):
        if left:
            left.pop()
            raise CommandFailed("helm upgrade failed", "cluster unreachable", "")
        return []

    monkeypatch.setattr(store, "_answered", answer)
    monkeypatch.setattr(fill, "left", helm)
    monkeypatch.setattr(goto.time, "sleep", lambda seconds: None)
    goto.goto("00-start/pull")
    assert store.names() == ["pod/ollama"]
