"""What kind's nodes are given: config, Pods' name servers, the registry, ways to each other."""

from __future__ import annotations

import copy
import ipaddress
from pathlib import Path

import yaml

from labkit.setup.build import registry
from labkit.setup.host import docker, paths, shell


def config(workers: int, static: bool, resolv: Path) -> dict:
    """k8s/cluster/kind.yaml with so many workers; `static`: for the package route's nodes."""
    made = yaml.safe_load(paths.k8s("cluster", "kind.yaml").read_text())
    control_plane, worker = made["nodes"]
    made["nodes"] = [copy.deepcopy(node) for node in [control_plane, *[worker] * workers]]
    for node in made["nodes"]:
        if static:
            node["extraMounts"] = [{**node["extraMounts"][0], "hostPath": str(resolv)}]
        else:
            del node["extraMounts"]
    if not static:
        patches = made["kubeadmConfigPatches"]
        made["kubeadmConfigPatches"] = [p for p in patches if "resolvConf" not in p]
    return made


def pod_resolv(
    resolv: Path = Path("/etc/resolv.conf"),
    systemd: Path = Path("/run/systemd/resolve/resolv.conf"),
) -> str:
    """A resolv.conf for Pods: the host's real name servers, never a stub on loopback."""
    for file in (resolv, systemd):
        lines = file.read_text().splitlines() if file.exists() else []
        words = [line.split() for line in lines]
        usable = [w[1] for w in words if len(w) > 1 and w[0] == "nameserver" and _reachable(w[1])]
        if usable:
            return "".join(f"nameserver {server}\n" for server in usable[:3])
    return "# this host has no name server that a Pod could reach\n"


def _reachable(server: str) -> bool:
    try:
        return not ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return False


def name_registry(node: str) -> None:
    """Every image is asked of the lab's registry first, under its public name."""
    hosts = f'[host."http://{registry.NAME}:5000"]\n  capabilities = ["pull", "resolve"]\n'
    _write_on(node, "/etc/containerd/certs.d/_default/hosts.toml", hosts)


def connect(ranges: dict[str, str], addresses: dict[str, str]) -> None:
    """The stand-in's network: on each node its own Pod range and a route to every other's.

    `ranges` and `addresses` are by node name. It enforces no NetworkPolicy.
    """
    for name, own in ranges.items():
        routes = [f"{ranges[n]}={addresses[n]}" for n in ranges if n != name]
        docker.docker("exec", name, "static-network", own, *routes)


def _write_on(node: str, path: str, text: str) -> None:
    script = f"mkdir -p $(dirname {path}) && cat > {path}.part && mv {path}.part {path}"
    shell.run("docker", "exec", "-i", node, "sh", "-ec", script, stdin=text)
