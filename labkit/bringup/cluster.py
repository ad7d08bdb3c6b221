"""The kind cluster: made, proven across nodes, and replaced when it came back broken."""

from __future__ import annotations

import copy
import ipaddress
import json
import time
from pathlib import Path

import yaml

from labkit.bringup import bom, engine, kube, paths, registry, shell, tools
from labkit.bringup.progress import Task
from labkit.errors import BuildFailed, ClusterNotOurs, LabError, TimedOut

NAME = "lab"
LAB = kube.Lab()
CREATE_S = 300
READY_S = 120
REVIVE_S = 60
MOVED = "its nodes came back with other addresses"
NETWORK_LABEL = "lab.network"  # on the node image: "static" where we connect the nodes


def nodes() -> list[str]:
    """The containers of kind's cluster of our name, running or not."""
    label = f"label=io.x-k8s.kind.cluster={NAME}"
    return sorted(engine.docker("ps", "--all", "--filter", label, "--format", "{{.Names}}").split())


def ensure(workers: int, task: Task) -> bool:
    """A cluster that works across its nodes; True when it was made now.

    Raises ClusterNotOurs when one of that name is there that the lab did not make.
    """
    found = nodes()
    if found:
        _require_ours()
        trouble = _misfit(found, workers)
        if not trouble:
            trouble = _ailment(found)
            if trouble:
                task.note(f"starting its nodes again, {trouble}")
                trouble = _revive(found) or _ailment(found)
        if not trouble:
            return False
        task.say(f"Replacing the cluster: {trouble}.")
        delete()
    _create(workers, task)
    return True


def delete() -> None:
    """Remove the cluster, if it is ours."""
    if nodes():
        _require_ours()
        _kind("delete", "cluster", "--name", NAME)
    _record().unlink(missing_ok=True)
    LAB.kubeconfig.unlink(missing_ok=True)


def trouble() -> str:
    """Why the cluster is of no use as it is; empty when it works."""
    found = nodes()
    if not found:
        return "there is no cluster"
    return _misfit(found, len(found) - 1) or _ailment(found)


def ours() -> bool:
    return _record().exists()


def _record() -> Path:
    # Written before kind starts, so that what a killed `up` left is known as ours.
    return paths.state("cluster.json")


def _require_ours() -> None:
    if not ours():
        raise ClusterNotOurs(
            f"a kind cluster {NAME} is there that this lab did not make",
            f"containers: {', '.join(nodes())}",
            f"if nobody needs it: kind delete cluster --name {NAME}, then ./lab up",
        )


def _kind(*words: str | Path, **options) -> None:
    env = {"KUBECONFIG": str(LAB.kubeconfig)}
    log = paths.log_file("kind")
    shell.run(tools.path("kind"), *words, env=env, log=log, timeout_s=CREATE_S, **options)


def _misfit(found: list[str], workers: int) -> str:
    """Why another cluster is needed, whatever state this one is in; or empty."""
    if len(found) != workers + 1:
        return f"it has {len(found) - 1} workers instead of {workers}"
    record = paths.read_json(_record())
    if not record.get("whole"):
        return "it was not finished"
    if record.get("image") != _node_image_id():
        return "it runs another node image"
    return ""


def _ailment(found: list[str]) -> str:
    """What a start of its nodes may cure; empty when the cluster works.

    "Running" proves little: the answer that `up` asks for goes from Pod to Pod across nodes.
    """
    states = engine.inspect("container", *found)
    if not all(states[name]["State"]["Running"] for name in found):
        return "its nodes were stopped"
    if _addresses(states) != paths.read_json(_record()).get("addresses"):
        # Routes, certificates and the kubelets' own addresses hold the old ones, so that
        # Pods say Running and nothing reaches them.
        return MOVED
    try:
        answer = json.loads(LAB.kubectl("get", "nodes", "-o", "json", timeout_s=20))
    except (LabError, ValueError) as error:
        return f"its API server does not answer ({getattr(error, 'saw', error)})"
    unready = [item["metadata"]["name"] for item in answer["items"] if not ready(item)]
    return f"{', '.join(unready)} not Ready" if unready else ""


def _revive(found: list[str]) -> str:
    """Start the nodes so that each gets the address it had; why that failed, or empty.

    The engine hands out addresses in the order of starting.
    """
    record = paths.read_json(_record())
    registry.disconnect()
    engine.docker("kill", *found, check=False)
    for name in sorted(found, key=lambda n: ipaddress.ip_address(record["addresses"][n])):
        engine.docker("start", name)
    if _addresses(engine.inspect("container", *found)) != record["addresses"]:
        return MOVED
    try:
        if record.get("ranges"):
            connect_nodes(record["ranges"], record["addresses"])
        _wait_api()
        wait_ready(REVIVE_S)
    except LabError as error:
        return f"started again, {error.happened}"
    return ""


def _wait_api() -> None:
    deadline = time.monotonic() + REVIVE_S
    while True:
        try:
            LAB.kubectl("get", "--raw", "/readyz", "--request-timeout", "3s", timeout_s=10)
            return
        except LabError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.5)


def _addresses(states: dict[str, dict]) -> dict[str, str]:
    return {
        name: state["NetworkSettings"]["Networks"].get(registry.NETWORK, {}).get("IPAddress", "")
        for name, state in sorted(states.items())
    }


def ready(item: dict) -> bool:
    """Does a node's or a Pod's own condition say Ready?"""
    conditions = {c["type"]: c["status"] for c in item["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"


def _node_image_id() -> str:
    reference = bom.load().node.reference
    return engine.inspect("image", reference).get(reference, {}).get("Id", "")


def _create(workers: int, task: Task) -> None:
    reference = bom.load().node.reference
    image = engine.inspect("image", reference)[reference]
    static = (image["Config"].get("Labels") or {}).get(NETWORK_LABEL) == "static"
    resolv = paths.state("pod-resolv.conf")
    paths.write_text(resolv, pod_resolv())
    config = paths.state("kind.yaml")
    paths.write_text(config, yaml.safe_dump(kind_config(workers, static, resolv)))
    paths.write_json(_record(), {"whole": False})
    LAB.kubeconfig.unlink(missing_ok=True)
    task.note(f"creating 1 control plane and {workers} worker{'s' * (workers != 1)}")
    create = ("create", "cluster", "--name", NAME, "--image", reference, "--config", config)
    try:
        _kind(*create)
    except BuildFailed as error:
        if "already exist" not in error.saw:
            raise
        # an `up` that was killed a moment ago: the engine went on making its nodes
        _kind("delete", "cluster", "--name", NAME)
        _kind(*create)
    LAB.kubeconfig.chmod(0o600)
    LAB.kubectl("config", "set-context", "--current", "--namespace", kube.LEARNER)
    registry.connect()
    names = nodes()
    for name in names:
        _name_registry(name)
    addresses, ranges = _addresses(engine.inspect("container", *names)), {}
    if static:
        task.note("connecting the nodes")
        items = LAB.get("nodes")["items"]
        ranges = {item["metadata"]["name"]: item["spec"]["podCIDR"] for item in items}
        connect_nodes(ranges, addresses)
    task.note("waiting for the nodes and system Pods")
    wait_ready(READY_S)
    record = {"whole": True, "image": image["Id"], "addresses": addresses, "ranges": ranges}
    paths.write_json(_record(), record)


def kind_config(workers: int, static: bool, resolv: Path) -> dict:
    """k8s/cluster/kind.yaml with so many workers; `static`: for the package route's nodes."""
    config = yaml.safe_load(paths.k8s("cluster", "kind.yaml").read_text())
    control_plane, worker = config["nodes"]
    config["nodes"] = [copy.deepcopy(node) for node in [control_plane, *[worker] * workers]]
    for node in config["nodes"]:
        if static:
            node["extraMounts"] = [{**node["extraMounts"][0], "hostPath": str(resolv)}]
        else:
            del node["extraMounts"]
    if not static:
        patches = config["kubeadmConfigPatches"]
        config["kubeadmConfigPatches"] = [p for p in patches if "KubeletConfiguration" not in p]
    return config


def pod_resolv(
    resolv: Path = Path("/etc/resolv.conf"),
    systemd: Path = Path("/run/systemd/resolve/resolv.conf"),
) -> str:
    """A resolv.conf for Pods: the host's real name servers, never a stub on loopback."""
    for file in (resolv, systemd):
        lines = file.read_text().splitlines() if file.exists() else []
        servers = [words[1] for words in map(str.split, lines) if words[:1] == ["nameserver"]]
        usable = [s for s in servers if not ipaddress.ip_address(s.partition("%")[0]).is_loopback]
        if usable:
            return "".join(f"nameserver {server}\n" for server in usable[:3])
    return "# this host has no name server that a Pod could reach\n"


def _name_registry(node: str) -> None:
    """Every image is asked of the lab's registry first, under its public name."""
    hosts = f'[host."http://{registry.NAME}:5000"]\n  capabilities = ["pull", "resolve"]\n'
    _write_on(node, "/etc/containerd/certs.d/_default/hosts.toml", hosts)


def connect_nodes(ranges: dict[str, str], addresses: dict[str, str]) -> None:
    """The stand-in's network: on each node its own Pod range and a route to every other's.

    `ranges` and `addresses` are by node name. It enforces no NetworkPolicy.
    """
    for name, own in ranges.items():
        routes = [f"{ranges[n]}={addresses[n]}" for n in ranges if n != name]
        engine.docker("exec", name, "static-network", own, *routes)


def _write_on(node: str, path: str, text: str) -> None:
    script = f"mkdir -p $(dirname {path}) && cat > {path}.part && mv {path}.part {path}"
    shell.run("docker", "exec", "-i", node, "sh", "-ec", script, stdin=text)


def wait_ready(timeout_s: float) -> None:
    """Every node and system Pod Ready. Raises TimedOut, naming what is not."""
    deadline = time.monotonic() + timeout_s
    while True:
        late = unready()
        if not late:
            return
        if time.monotonic() > deadline:
            raise TimedOut(
                f"nodes or system Pods not ready after {timeout_s:.0f} s",
                ", ".join(late),
                "./lab logs, then ./lab up again: it replaces a broken cluster",
            )
        time.sleep(0.3)


def unready() -> list[str]:
    """Nodes and system Pods that are not Ready, by name."""
    late = [f"node {n['metadata']['name']}" for n in LAB.get("nodes")["items"] if not ready(n)]
    for item in LAB.get("pods", "--all-namespaces")["items"]:
        where = item["metadata"]["namespace"]
        done = item["status"].get("phase") == "Succeeded"
        if where in ("kube-system", "local-path-storage") and not (ready(item) or done):
            late.append(f"{where}/{item['metadata']['name']} ({item['status'].get('phase')})")
    return late
