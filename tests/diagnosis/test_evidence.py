"""diagnosis/evidence.py: what is past does not count."""

from labkit.diagnosis import evidence
from tests.diagnosis.shapes import (
    LABELS,
    deployment,
    event,
    evicted,
    facts,
    failed_create,
    loops,
    pod,
    replica_set,
    workload,
)
from tests.diagnosis.test_ranking import ALL


def names(found) -> list[str]:
    return sorted(one["metadata"]["name"] for one in found)


def test_twice_is_as_once():
    for name, (_, given) in ALL.items():
        once = evidence.now(given)
        assert evidence.now(once) == once, name


def test_only_the_pods_of_the_newest_template_count():
    given = facts(
        pod(name="old", owner=("ReplicaSet", "old")),
        pod(name="new", owner=("ReplicaSet", "new")),
        pod(name="bare", owner=None),
        deployments=[deployment(generation=2, revision="2")],
        replicasets=[replica_set("old"), replica_set("new", revision="2")],
    )
    found = evidence.now(given)
    assert names(found.pods) == ["bare", "new"]
    assert names(found.replicasets) == ["new"]


def test_while_no_controller_has_seen_a_change_none_of_the_old_counts():
    stale = {**failed_create("exceeded quota: q")}
    stale["metadata"] = {**stale["metadata"], "generation": 2}
    told = [event("FailedCreate", "exceeded quota: q", of="d", kind="Deployment")]
    found = evidence.now(
        facts(pod(), deployments=[stale], replicasets=[replica_set()], events=told)
    )
    assert (found.pods, found.events) == ([], [])
    assert "conditions" not in found.deployments[0]["status"]


def test_a_statefulsets_pod_of_an_earlier_template_says_nothing_of_its_containers():
    labels = {**LABELS, "controller-revision-hash": "a-1"}
    old = pod(owner=("StatefulSet", "w"), labels=labels, statuses=[loops(1)])
    sets = [workload("w", status={"updateRevision": "a-2"})]
    (found,) = evidence.now(facts(old, statefulsets=sets)).pods
    assert "containerStatuses" not in found["status"]
    (same,) = evidence.now(
        facts(old, statefulsets=[workload("w", status={"updateRevision": "a-1"})])
    ).pods
    assert same == old


def test_an_evicted_pod_counts_until_another_of_its_owner_is_ready():
    gone = evicted("The node was low on resource: memory. ", name="gone")
    assert names(evidence.now(facts(gone)).pods) == ["gone"]
    assert names(evidence.now(facts(gone, pod(name="well"))).pods) == ["well"]
    waits = pod(name="waits", statuses=[loops(1)])
    assert names(evidence.now(facts(gone, waits)).pods) == ["gone", "waits"]


def test_a_refusal_that_a_later_event_takes_back_is_past():
    told = [
        event("FailedCreate", "exceeded quota", of="w", kind="StatefulSet", s=60),
        event("SuccessfulCreate", "create Pod ollama-0", of="w", kind="StatefulSet", s=30),
    ]
    sets = [workload("w")]
    kept = [one["reason"] for one in evidence.now(facts(statefulsets=sets, events=told)).events]
    assert kept == ["SuccessfulCreate"]
    again = [*told, event("FailedCreate", "exceeded quota", of="w", kind="StatefulSet", s=5)]
    kept = [one["reason"] for one in evidence.now(facts(statefulsets=sets, events=again)).events]
    assert kept.count("FailedCreate") == 2
