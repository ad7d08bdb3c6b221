from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.errors import Gone, LabError, NotFound, PodFailed, TimedOut
from labkit.kube import wait as waiting
from labkit.kube.wait import rollout, wait

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
PENDING = {"phase": "Pending"}
KINDS = {"pod": "Pod", "deployment": "Deployment", "pods": "Pod", "events": "Event"}
KINDS |= {"statefulset": "StatefulSet", "daemonset": "DaemonSet", "job": "Job"}


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
        self.others: dict[str, list[dict]] = {}  # plural → what is there besides

    def resource(self, word: str) -> SimpleNamespace:
        return SimpleNamespace(
            kind=KINDS.get(word, word),
            namespaced=True,
            path=lambda namespace: f"/{namespace}/{word}",
        )

    def request(self, method: str, path: str, *, query: dict) -> dict:
        self.asked.append(f"{path} {query}")
        others = self.others.get(path.rpartition("/")[2], [])
        items = self.listed if "metadata.name" in str(query) else _chosen(others, query)
        return {"metadata": {"resourceVersion": "7"}, "items": items}

    def watch(self, path: str, *, query: dict, timeout_s: float):
        assert query == {"fieldSelector": "metadata.name=ollama", "resourceVersion": "7"}
        for news in self.told:
            self.now += 1
            yield news
        while self.now < timeout_s:
            self.now += 1
            yield None


def _chosen(items: list[dict], query: dict) -> list[dict]:
    """Those with the labels that are asked for, or the events of that object."""
    if "labelSelector" in query:
        wanted = dict(part.split("=") for part in query["labelSelector"].split(","))
        return [one for one in items if wanted.items() <= one["metadata"]["labels"].items()]
    if "fieldSelector" not in query:
        return items
    uid = query["fieldSelector"].partition("=")[2]
    return [one for one in items if one["involvedObject"]["uid"] == uid]


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
    assert "✗ failed: wait for pod/ollama\n" in capsys.readouterr().out


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


@pytest.mark.parametrize("name", ["olama", "Ollama", "ollamma"])
def test_a_misspelt_name_is_answered_with_the_one_that_is_there(api, name):
    api.others["pod"] = [pod(PENDING)]
    with pytest.raises(NotFound) as caught:
        wait(f"pod/{name}")
    assert caught.value.saw == "nothing to wait for; there is pod/ollama"
    assert caught.value.hint == f"pod/ollama in place of pod/{name}"


def test_a_name_like_no_other_is_answered_with_where_to_look(api):
    api.others["pod"] = [pod(PENDING)]
    with pytest.raises(NotFound) as caught:
        wait("pod/mine")
    assert 'lab.get("pod")' in caught.value.hint


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


def workload(spec: dict, generation: int = 1, **status: object) -> dict:
    spec = {"selector": {"matchLabels": {"app": "ollama"}}, **spec}
    return {
        "metadata": {"name": "ollama", "uid": "1", "generation": generation},
        "spec": spec,
        "status": status,
    }


def its_pod(status: dict, revision: str = "new", name: str = "ollama-0") -> dict:
    labels = {"app": "ollama", "controller-revision-hash": revision}
    meta = {
        "name": name,
        "uid": name,
        "labels": labels,
        "creationTimestamp": "2026-01-01T00:00:09Z",
    }
    return {"metadata": meta, "status": status}


def test_a_daemonset_that_its_controller_has_not_seen_is_not_ready_with_its_none(api, capsys):
    api.listed = [workload({}, desiredNumberScheduled=0, numberReady=0)]
    counts = {"desiredNumberScheduled": 2, "observedGeneration": 1, "updatedNumberScheduled": 2}
    api.told = [
        ("MODIFIED", workload({}, **counts, numberReady=0)),
        ("MODIFIED", workload({}, **counts, numberReady=2, numberAvailable=2)),
    ]
    done = wait("daemonset/ollama")
    assert repr(done) == "daemonset/ollama: ready after 2.0 s"
    line = "$ kubectl rollout status daemonset/ollama --timeout=90s\n"
    assert capsys.readouterr().out.startswith(line)


def test_a_statefulset_is_ready_with_as_many_as_it_wants_now(api, capsys):
    api.listed = [workload({"replicas": 1}, 2, observedGeneration=1, readyReplicas=1)]
    api.told = [
        ("MODIFIED", workload({"replicas": 3}, 2, observedGeneration=2, readyReplicas=1)),
        ("MODIFIED", workload({"replicas": 3}, 2, observedGeneration=2, readyReplicas=3)),
    ]
    assert wait("statefulset/ollama").seconds == 2
    assert "jsonpath={.status.readyReplicas}=1" in capsys.readouterr().out


def test_a_rollout_of_each_kind_that_has_one_is_followed(api, capsys):
    counts = {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}
    api.listed = [workload({}, observedGeneration=1, **counts)]
    assert repr(rollout("daemonset/ollama")) == "daemonset/ollama: rolled out after 0.0 s"
    api.listed = [workload({"replicas": 0}, observedGeneration=1)]
    assert rollout("statefulset/ollama").seconds == rollout("deployment/ollama").seconds == 0
    assert "$ kubectl rollout status daemonset/ollama --timeout=120s" in capsys.readouterr().out


def test_a_job_and_a_workload_changed_by_hand_have_no_rollout(api):
    api.listed = [workload({"updateStrategy": {"type": "OnDelete"}})]
    with pytest.raises(LabError, match="it is a Job") as raised:
        rollout("job/ollama")
    assert raised.value.hint == 'lab.wait("job/ollama")'
    for kind in ("statefulset", "daemonset"):
        with pytest.raises(LabError, match="OnDelete") as raised:
            rollout(f"{kind}/ollama")
        assert "lab.delete" in raised.value.hint


def test_a_rollout_that_is_late_says_what_it_waited_for(api):
    counts = {"replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}
    api.listed = [workload({"replicas": 2}, observedGeneration=1, **counts)]
    with pytest.raises(TimedOut, match="1 Pod of before not gone") as raised:
        rollout("deployment/ollama", timeout_s=5)
    assert "lab.rollout(" in raised.value.hint


def test_a_paused_deployment_with_a_new_template_makes_no_pod_of_it(api):
    old = {"observedGeneration": 1, "replicas": 1, "availableReplicas": 1}
    api.listed = [workload({"replicas": 1, "paused": True}, **old)]
    with pytest.raises(PodFailed) as raised:
        rollout("deployment/ollama")
    assert raised.value.reason == "DeploymentPaused" and api.now < 10
    assert "kubectl rollout resume deployment/ollama" in raised.value.hint


def test_a_paused_deployment_that_runs_as_told_is_rolled_out(api):
    counts = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    api.listed = [workload({"replicas": 1, "paused": True}, **counts)]
    assert rollout("deployment/ollama").seconds == 0


LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
LATE |= {"message": "ReplicaSet x has timed out progressing."}


def test_a_deadline_that_is_over_fails_the_rollout_at_once(api):
    api.listed = [workload({"replicas": 1}, observedGeneration=1, conditions=[LATE])]
    with pytest.raises(PodFailed) as raised:
        rollout("deployment/ollama")
    assert (raised.value.reason, api.now) == ("ProgressDeadlineExceeded", 0)
    assert "timed out progressing" in raised.value.saw


def test_what_its_pod_lacks_is_told_before_the_deadline_that_is_over_for_it(api):
    api.listed = [workload({"replicas": 1}, observedGeneration=1, conditions=[LATE])]
    api.others["pods"] = [its_pod(stuck("ImagePullBackOff"))]
    with pytest.raises(PodFailed) as raised:
        rollout("deployment/ollama")
    assert raised.value.reason == "ImagePullBackOff"


def test_a_deadline_of_before_the_last_change_is_none(api):
    before = workload({"replicas": 1}, 2, observedGeneration=1, conditions=[LATE])
    counts = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    api.listed = [before]
    api.told = [None, ("MODIFIED", workload({"replicas": 1}, 2, observedGeneration=2, **counts))]
    assert rollout("deployment/ollama").seconds == 2


def revision(name: str, number: int, owner: str = "1") -> dict:
    labels = {"app": "ollama", "controller-revision-hash": name}
    meta = {"labels": labels, "ownerReferences": [{"uid": owner}]}
    return {"metadata": meta, "revision": number}


def test_a_mended_daemonset_is_not_judged_by_the_pods_of_before(api):
    counts = {"observedGeneration": 2, "desiredNumberScheduled": 1, "numberReady": 0}
    api.listed = [workload({}, 2, **counts)]
    api.others["pods"] = [its_pod(stuck("ImagePullBackOff"), revision="old")]
    api.others["controllerrevisions"] = [revision("new", 10), revision("old", 9)]
    api.others["controllerrevisions"] += [revision("foreign", 11, owner="2")]
    api.told = [None, None, ("MODIFIED", workload({}, 2, **{**counts, "numberReady": 1}))]
    assert wait("daemonset/ollama").seconds == 3
    api.told, api.now = [], 0
    api.others["pods"] += [its_pod(stuck("ImagePullBackOff"), name="ollama-1")]
    with pytest.raises(PodFailed, match="pod/ollama-1 ImagePullBackOff"):
        wait("daemonset/ollama")


@pytest.mark.parametrize(
    "strategy",
    [{"type": "OnDelete"}, {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}],
)
def test_the_pods_of_before_count_where_a_statefulset_keeps_them(api, strategy):
    spec = {"replicas": 2, "updateStrategy": strategy}
    status = {"observedGeneration": 1, "updateRevision": "new", "readyReplicas": 1, "replicas": 2}
    api.listed = [workload(spec, **status)]
    api.others["pods"] = [its_pod(READY, "old"), its_pod(PENDING, "new", "ollama-1")]
    with pytest.raises(TimedOut, match="1 of 2 Pods ready"):
        wait("statefulset/ollama", timeout_s=3)


def quota(at: str) -> dict:
    event = {"reason": "FailedCreate", "message": "exceeded quota: q", "lastTimestamp": at}
    return {**event, "involvedObject": {"uid": "1"}}


@pytest.mark.parametrize(("at", "is_told"), [("2026-01-01T00:00:10Z", True), ("2025-01-01", False)])
def test_a_quota_may_let_the_first_pod_of_a_statefulset_pass(api, at, is_told):
    status = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1}
    api.listed = [workload({"replicas": 2}, **status)]
    api.others |= {"pods": [its_pod(READY)], "events": [quota(at)]}
    with pytest.raises(PodFailed if is_told else TimedOut, match="quota" if is_told else "1 of 2"):
        wait("statefulset/ollama", timeout_s=8)


def test_a_daemonset_tells_how_many_nodes_want_a_pod(api):
    counts = {"observedGeneration": 1, "desiredNumberScheduled": 2, "numberReady": 1}
    api.listed = [workload({}, **counts, currentNumberScheduled=2)]
    api.others["pods"] = [its_pod(READY), its_pod(PENDING, name="ollama-1")]
    with pytest.raises(TimedOut, match="1 of 2 Pods ready; ollama-1 Pending"):
        wait("daemonset/ollama", timeout_s=3)


def test_a_job_tells_how_many_are_done_and_that_it_is_suspended(api):
    job = workload({"completions": 3, "parallelism": 2}, succeeded=1, active=2)
    api.listed = [job]
    with pytest.raises(TimedOut, match="1 of 3 done, 2 active"):
        wait("job/ollama", timeout_s=3)
    job["spec"]["suspend"] = True
    with pytest.raises(TimedOut, match=r"suspended: spec\.suspend is true"):
        wait("job/ollama", timeout_s=3)


def test_a_job_that_failed_says_its_own_word(api):
    failed = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "late"}
    api.listed = [workload({}, conditions=[failed])]
    with pytest.raises(PodFailed) as raised:
        wait("job/ollama")
    assert raised.value.reason == "DeadlineExceeded" and api.now == 0
