"""The kind cluster: whose it is, what ails it."""

import pytest

from labkit.errors import ClusterNotOurs
from labkit.setup.cluster import kind as cluster
from labkit.setup.cluster import labs
from labkit.setup.host import paths


def test_ready_is_what_the_object_itself_says():
    conditions = [{"type": "Ready", "status": "True"}]
    assert cluster.ready({"status": {"conditions": conditions}})
    assert not cluster.ready({"status": {}})


@pytest.fixture
def containers(monkeypatch):
    """The engine's containers of a cluster `lab`: name to id."""
    there: dict[str, str] = {}
    monkeypatch.setattr(cluster, "nodes", lambda: sorted(there))
    monkeypatch.setattr(
        cluster.docker, "inspect", lambda kind, *names: {n: {"Id": there[n]} for n in names}
    )
    return there


def test_a_cluster_made_by_somebody_else_is_never_deleted(containers, monkeypatch):
    monkeypatch.setattr(cluster, "_kind", lambda *words: pytest.fail(f"kind {words}"))
    containers |= {"lab-control-plane": "theirs"}
    with pytest.raises(ClusterNotOurs):
        cluster.delete()
    paths.write_json(paths.state("cluster.json"), {"whole": True, "containers": ["ours"]})
    with pytest.raises(ClusterNotOurs, match="did not make"):
        cluster.delete()


def test_what_a_killed_up_left_half_made_is_ours_and_removed_until_nothing_comes_back(
    containers, monkeypatch
):
    called: list[tuple[str, ...]] = []

    def kind(*words: str) -> None:
        called.append(words)
        containers.clear()
        if len(called) == 1:  # a client of the killed one was still at it
            containers["lab-worker"] = "late"

    monkeypatch.setattr(cluster, "_kind", kind)
    containers |= {"lab-control-plane": "some"}
    paths.write_json(paths.state("cluster.json"), {"whole": False})
    cluster.delete()
    assert called == [("delete", "cluster", "--name", "lab")] * 2
    assert not containers


def test_nodes_whose_addresses_nobody_recorded_are_not_started_again():
    paths.write_json(paths.state("cluster.json"), {"whole": True, "addresses": {"x": ""}})
    assert cluster._revive(["lab-control-plane"]) == cluster.MOVED


def test_a_system_pod_of_the_labs_own_is_waited_for_by_the_part_that_made_it(monkeypatch):
    def pod(name: str, **labels: str) -> dict:
        meta = {"name": name, "namespace": "kube-system", "labels": labels}
        return {"metadata": meta, "status": {"phase": "Pending"}}

    ours = pod("metrics-server", **{"app.kubernetes.io/managed-by": "labkit"})
    found = {"nodes": [], "pods": [pod("coredns"), ours]}
    monkeypatch.setattr(labs.Lab, "get", lambda lab, kind, *words: {"items": found[kind]})
    assert cluster.unready() == ["kube-system/coredns (Pending)"]
