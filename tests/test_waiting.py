from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit import waiting
from labkit.errors import Gone, NotFound, PodFailed, TimedOut
from labkit.waiting import wait

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
PENDING = {"phase": "Pending"}
KINDS = {"pod": "Pod", "deployment": "Deployment", "pods": "Pod", "events": "Event"}


def pod(status: dict, uid: str = "1") -> dict:
    return {"metadata": {"name": "ollama", "uid": uid}, "status": status}


def stuck(reason: str) -> dict:
    state = {"waiting": {"reason": reason, "message": "nosuch:1"}}
    return {"phase": "Pending", "containerStatuses": [{"name": "main", "state": state}]}


def unschedulable() -> dict:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {"phase": "Pending", "conditions": [{**condition, "message": "0/2 nodes"}]}


class Api:
    """An API server by a script: what is listed, then what the watch tells, each after 1 s."""

    def __init__(self) -> None:
        self.now = 0.0
        self.listed: list[dict] = []
        self.told: list[tuple[str, dict] | None] = []
        self.asked: list[str] = []

    def resource(self, word: str) -> SimpleNamespace:
        return SimpleNamespace(
            kind=KINDS.get(word, word),
            namespaced=True,
            path=lambda namespace: f"/{namespace}/{word}",
        )

    def request(self, method: str, path: str, *, query: dict) -> dict:
        self.asked.append(f"{path} {query}")
        items = self.listed if "metadata.name" in str(query) else []
        return {"metadata": {"resourceVersion": "7"}, "items": items}

    def watch(self, path: str, *, query: dict, timeout_s: float):
        assert query == {"fieldSelector": "metadata.name=ollama", "resourceVersion": "7"}
        for news in self.told:
            self.now += 1
            yield news
        while self.now < timeout_s:
            self.now += 1
            yield None


@pytest.fixture
def api(monkeypatch) -> Api:
    found = Api()
    session = SimpleNamespace(namespace="lab", api=found, kubeconfig=Path("none"))
    monkeypatch.setattr(waiting, "current", lambda: session)
    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def test_what_is_ready_already_is_told_at_once(api, capsys):
    api.listed = [pod(READY)]
    done = wait("pod/ollama")
    assert done.seconds == 0 and repr(done) == "pod/ollama: ready after 0.0 s"
    assert capsys.readouterr().out == (
        "$ kubectl wait pod/ollama --for=condition=Ready --timeout=90s\n"
        "✓ pod/ollama ready after 0.0 s\n"
    )


def test_a_bare_name_is_a_pod_and_ready_comes_with_the_watch(api):
    api.listed = [pod(PENDING)]
    api.told = [None, ("MODIFIED", pod(READY))]
    assert wait("ollama").target == "pod/ollama" and api.now == 2


def test_failed_says_the_reason_and_what_to_try(api, capsys):
    api.listed = [pod(PENDING)]
    api.told = [
        ("MODIFIED", pod(stuck("ErrImagePull"))),
        ("MODIFIED", pod(stuck("ImagePullBackOff"))),
    ]
    with pytest.raises(PodFailed) as caught:
        wait("pod/ollama")
    assert caught.value.reason == "ImagePullBackOff" and api.now == 2
    assert str(caught.value).splitlines() == [
        "PodFailed: pod/ollama in namespace lab will not be ready",
        "saw: ImagePullBackOff: container main: nosuch:1",
        "try: correct the image's name or tag",
    ]
    assert "✗ failed: pod/ollama in namespace lab will not be ready" in capsys.readouterr().out


def test_unschedulable_is_believed_when_it_stands_and_not_before(api):
    api.listed = [pod(unschedulable())]
    with pytest.raises(PodFailed):
        wait("pod/ollama")
    assert api.now == 2
    api.now = 0
    api.told = [None, ("MODIFIED", pod(READY))]
    assert wait("pod/ollama").seconds == 2


def test_a_trouble_that_passed_begins_anew(api):
    api.listed = [pod(unschedulable())]
    api.told = [None, ("MODIFIED", pod(PENDING)), ("MODIFIED", pod(unschedulable())), None]
    with pytest.raises(PodFailed):
        wait("pod/ollama")
    assert api.now == 5


def test_gone_when_it_is_deleted_meanwhile(api):
    api.listed = [pod(PENDING)]
    api.told = [("DELETED", pod(PENDING))]
    with pytest.raises(Gone, match="pod/ollama in namespace lab was deleted"):
        wait("pod/ollama")


def test_late_says_what_was_seen_last_and_how_to_wait_longer(api):
    api.listed = [pod(PENDING)]
    with pytest.raises(TimedOut) as caught:
        wait("pod/ollama", timeout_s=3)
    assert str(caught.value).splitlines() == [
        "TimedOut: pod/ollama in namespace lab not ready after 3 s",
        "saw: Pending",
        'try: lab.wait("pod/ollama", timeout_s=6) if it needs longer;'
        " lab.events() says what happens",
    ]


def test_a_limit_of_nothing_asks_once(api):
    api.listed = [pod(READY)]
    assert wait("pod/ollama", timeout_s=0).seconds == 0
    api.listed = [pod(PENDING)]
    with pytest.raises(TimedOut):
        wait("pod/ollama", timeout_s=0)


def test_what_went_unseen_is_noticed_at_the_end(api):
    api.listed = [pod(PENDING)]
    for until, outcome in ((None, Gone), ("delete", None)):
        asked = iter([[pod(PENDING)], []])
        api.request = lambda *_, query, asked=asked, **__: {
            "metadata": {"resourceVersion": "7"},
            "items": next(asked) if "metadata.name" in str(query) else [],
        }
        if outcome:
            with pytest.raises(outcome):
                wait("pod/ollama", until=until, timeout_s=3)
        else:
            assert wait("pod/ollama", until=until, timeout_s=3)


def test_nothing_to_wait_for_is_not_found_at_once(api):
    with pytest.raises(NotFound, match="there is no pod/ollama in namespace lab"):
        wait("pod/ollama")
    assert api.now == 0


def test_until_create_waits_for_what_is_not_there_yet(api):
    api.told = [None, ("ADDED", pod(PENDING))]
    assert repr(wait("pod/ollama", until="create")) == "pod/ollama: there after 2.0 s"


def test_until_delete_ends_when_it_is_gone_or_another_one(api):
    assert wait("pod/ollama", until="delete").seconds == 0
    api.listed = [pod(READY)]
    for last in (("DELETED", pod(READY)), ("ADDED", pod(READY, uid="2"))):
        api.now, api.told = 0.0, [("MODIFIED", pod(PENDING)), last]
        assert wait("pod/ollama", until="delete").seconds == 2


def test_a_pod_in_trouble_may_still_reach_another_goal(api, capsys):
    api.listed = [pod(stuck("ImagePullBackOff"))]
    failed = {"phase": "Failed", "conditions": []}
    api.told = [None, ("MODIFIED", pod(failed))]
    done = wait("pod/ollama", until="jsonpath={.status.phase}=Failed")
    assert done.seconds == 2
    line = "$ kubectl wait pod/ollama '--for=jsonpath={.status.phase}=Failed' --timeout=90s"
    assert capsys.readouterr().out.startswith(line)


def test_pods_and_events_are_looked_at_about_once_a_second(api):
    api.listed = [pod(PENDING)]
    with pytest.raises(TimedOut):
        wait("pod/ollama", timeout_s=20)
    assert 15 <= sum("/events" in line for line in api.asked) <= 24


def test_a_changed_deployment_is_not_judged_by_the_pods_it_had(api):
    before = {
        "metadata": {"name": "ollama", "uid": "1", "generation": 2},
        "spec": {"selector": {"matchLabels": {"app": "ollama"}}},
        "status": {
            "observedGeneration": 1,
            "conditions": [{"type": "Available", "status": "True"}],
        },
    }
    now = {**before, "status": {**before["status"], "observedGeneration": 2}}
    api.listed = [before]
    api.told = [None, ("MODIFIED", now)]
    assert wait("deployment/ollama").seconds == 2
    assert not any("/pods" in line for line in api.asked)
