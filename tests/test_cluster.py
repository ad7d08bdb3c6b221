"""The cluster's configuration, as plain data."""

import pytest
import yaml

from labkit.bringup import cluster, kube, paths
from labkit.errors import ClusterNotOurs


def test_the_public_node_image_gets_kinds_own_network_and_dns(tmp_path):
    config = cluster.kind_config(2, False, tmp_path / "resolv.conf")
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    assert config["networking"] == {"apiServerAddress": "127.0.0.1"}
    assert not any("extraMounts" in node for node in config["nodes"])
    kinds = [yaml.safe_load(patch)["kind"] for patch in config["kubeadmConfigPatches"]]
    assert kinds == ["KubeProxyConfiguration"]


def test_the_stand_in_gets_the_hosts_name_servers_for_its_pods(tmp_path):
    config = cluster.kind_config(1, True, tmp_path / "resolv.conf")
    for node in config["nodes"]:
        assert node["extraMounts"][0]["hostPath"] == str(tmp_path / "resolv.conf")
    kubelet = yaml.safe_load(config["kubeadmConfigPatches"][0])
    assert kubelet["failCgroupV1"] is False
    assert kubelet["resolvConf"] == "/kind/pod-resolv.conf"


def test_pods_never_get_a_name_server_on_loopback(tmp_path):
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("# systemd's stub\nnameserver 127.0.0.53\noptions edns0\n")
    real.write_text("nameserver 192.0.2.1\nnameserver 2001:db8::1\n")
    assert cluster.pod_resolv(stub, real) == "nameserver 192.0.2.1\nnameserver 2001:db8::1\n"
    assert "nameserver" not in cluster.pod_resolv(stub, tmp_path / "none").replace(
        "name server", ""
    )
    assert cluster.pod_resolv(real, stub) == "nameserver 192.0.2.1\nnameserver 2001:db8::1\n"


def test_every_node_gets_its_own_range_and_a_route_to_each_other(monkeypatch):
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(cluster.engine, "docker", lambda *words: called.append(words))
    ranges = {"lab-control-plane": "10.244.0.0/24", "lab-worker": "10.244.1.0/24"}
    cluster.connect_nodes(ranges, {"lab-control-plane": "172.18.0.2", "lab-worker": "172.18.0.3"})
    assert called == [
        (
            "exec",
            "lab-control-plane",
            "static-network",
            "10.244.0.0/24",
            "10.244.1.0/24=172.18.0.3",
        ),
        ("exec", "lab-worker", "static-network", "10.244.1.0/24", "10.244.0.0/24=172.18.0.2"),
    ]


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
        cluster.engine, "inspect", lambda kind, *names: {n: {"Id": there[n]} for n in names}
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


@pytest.mark.parametrize("line", ["nameserver", "nameserver dns.example", "nameserver 127.0.0.1"])
def test_a_name_server_that_is_none_is_passed_over(tmp_path, line):
    file = tmp_path / "resolv.conf"
    file.write_text(f"{line}\nnameserver 192.0.2.1\n")
    assert cluster.pod_resolv(file, tmp_path / "none") == "nameserver 192.0.2.1\n"


def test_a_system_pod_of_the_labs_own_is_waited_for_by_the_part_that_made_it(monkeypatch):
    def pod(name: str, **labels: str) -> dict:
        meta = {"name": name, "namespace": "kube-system", "labels": labels}
        return {"metadata": meta, "status": {"phase": "Pending"}}

    ours = pod("metrics-server", **{"app.kubernetes.io/managed-by": "labkit"})
    found = {"nodes": [], "pods": [pod("coredns"), ours]}
    monkeypatch.setattr(kube.Lab, "get", lambda lab, kind, *words: {"items": found[kind]})
    assert cluster.unready() == ["kube-system/coredns (Pending)"]
