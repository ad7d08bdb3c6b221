"""What nodes are given, as plain data."""

import pytest
import yaml

from labkit.setup.cluster import node_setup


def test_the_public_node_image_gets_kinds_own_network_and_dns(tmp_path):
    config = node_setup.config(2, False, tmp_path / "resolv.conf")
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    assert config["networking"] == {"apiServerAddress": "127.0.0.1"}
    assert not any("extraMounts" in node for node in config["nodes"])
    kinds = [yaml.safe_load(patch)["kind"] for patch in config["kubeadmConfigPatches"]]
    assert kinds == ["KubeletConfiguration", "KubeProxyConfiguration"]
    assert yaml.safe_load(config["kubeadmConfigPatches"][0])["failCgroupV1"] is False


def test_the_stand_in_gets_the_hosts_name_servers_for_its_pods(tmp_path):
    config = node_setup.config(1, True, tmp_path / "resolv.conf")
    for node in config["nodes"]:
        assert node["extraMounts"][0]["hostPath"] == str(tmp_path / "resolv.conf")
    everywhere, kubelet, _ = map(yaml.safe_load, config["kubeadmConfigPatches"])
    assert everywhere["failCgroupV1"] is False
    assert kubelet["resolvConf"] == "/kind/pod-resolv.conf"


def test_pods_never_get_a_name_server_on_loopback(tmp_path):
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("# systemd's stub\nnameserver 127.0.0.53\noptions edns0\n")
    real.write_text("nameserver 192.0.2.1\nnameserver 2001:db8::1\n")
    assert node_setup.pod_resolv(stub, real) == "nameserver 192.0.2.1\nnameserver 2001:db8::1\n"
    assert "nameserver" not in node_setup.pod_resolv(stub, tmp_path / "none").replace(
        "name server", ""
    )
    assert node_setup.pod_resolv(real, stub) == "nameserver 192.0.2.1\nnameserver 2001:db8::1\n"


def test_every_node_gets_its_own_range_and_a_route_to_each_other(monkeypatch):
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(node_setup.docker, "docker", lambda *words: called.append(words))
    ranges = {"lab-control-plane": "10.244.0.0/24", "lab-worker": "10.244.1.0/24"}
    node_setup.connect(ranges, {"lab-control-plane": "172.18.0.2", "lab-worker": "172.18.0.3"})
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


@pytest.mark.parametrize("line", ["nameserver", "nameserver dns.example", "nameserver 127.0.0.1"])
def test_a_name_server_that_is_none_is_passed_over(tmp_path, line):
    file = tmp_path / "resolv.conf"
    file.write_text(f"{line}\nnameserver 192.0.2.1\n")
    assert node_setup.pod_resolv(file, tmp_path / "none") == "nameserver 192.0.2.1\n"
