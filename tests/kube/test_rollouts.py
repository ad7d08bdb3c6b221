"""labkit/kube/rollouts.py: when a workload runs as it was last told to, by kubectl's own rules."""

import pytest

from labkit.kube.rollouts import observed, pending, unfollowed


def item(spec: dict, generation: int = 2, **status: object) -> dict:
    seen = {"observedGeneration": 2}
    return {"metadata": {"generation": generation}, "spec": spec, "status": seen | status}


def deployment(replicas: int, updated: int, available: int, wanted: int = 3) -> dict:
    counts = {"replicas": replicas, "updatedReplicas": updated, "availableReplicas": available}
    return item({"replicas": wanted}, **counts)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((3, 3, 3), ""),
        ((3, 1, 3), "1 of 3 new Pods made"),
        ((4, 3, 4), "1 Pod of before not gone"),
        ((5, 3, 5), "2 Pods of before not gone"),
        ((3, 3, 1), "1 of 3 new Pods available"),
        ((0, 0, 0, 0), ""),
        ((2, 2, 2, 0), "2 Pods too many"),
    ],
)
def test_a_deployment_is_rolled_out_when_every_pod_is_new_and_none_left(counts, words):
    assert pending("Deployment", deployment(*counts)) == words


def stateful(total: int, updated: int, available: int, partition: int | None = None) -> dict:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
    counts = {"replicas": total, "updatedReplicas": updated, "availableReplicas": available}
    revision = {"currentRevision": "a", "updateRevision": "a" if updated == 3 else "b"}
    return item({"replicas": 3, "updateStrategy": strategy}, **counts, **revision)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((3, 3, 3), ""),
        ((3, 2, 3), "2 of 3 new Pods made"),
        ((1, 1, 1), "1 of 3 new Pods made"),
        ((3, 3, 2), "2 of 3 Pods available"),
        ((3, 1, 3, 2), ""),
        ((3, 0, 3, 2), "0 of 1 new Pod made"),
        ((3, 0, 3, 5), ""),
    ],
)
def test_a_statefulset_is_rolled_out_up_to_its_partition(counts, words):
    assert pending("StatefulSet", stateful(*counts)) == words


def test_a_statefulset_whose_newest_revision_is_not_the_current_one_goes_on():
    one = stateful(3, 3, 3)
    one["status"]["updateRevision"] = "b"
    assert pending("StatefulSet", one) == "its newest revision is not the current one"


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((2, 2, 2), ""),
        ((2, 1, 2), "1 of 2 new Pods made"),
        ((2, 2, 1), "1 of 2 new Pods available"),
        ((0, 0, 0), ""),
    ],
)
def test_a_daemonset_is_rolled_out_when_each_node_has_a_new_pod(counts, words):
    names = ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    assert pending("DaemonSet", item({}, **dict(zip(names, counts, strict=True)))) == words


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_status_of_before_the_last_change_says_nothing(kind):
    words = "has changed, and its controller has not seen it yet"
    assert pending(kind, item({"replicas": 0}, generation=3)) == words
    new = {"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {}}
    assert pending(kind, new) == words and not observed(new, kind)
    assert observed(new, "Job") and observed(new)


def test_what_kubectl_cannot_follow_is_told():
    assert unfollowed("Deployment", {}) == unfollowed("StatefulSet", {}) == ""
    assert unfollowed("Job", {}) == "it is a Job"
    by_hand = {"spec": {"updateStrategy": {"type": "OnDelete"}}}
    for kind in ("StatefulSet", "DaemonSet"):
        assert "OnDelete" in unfollowed(kind, by_hand)
