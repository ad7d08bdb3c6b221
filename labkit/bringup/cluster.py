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
REMOVE_S = 60
PASSING_S = 30
STOPPED = "its nodes were stopped"
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
            trouble = _lasting_ailment(found)
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
        _remove_nodes()
    _record().unlink(missing_ok=True)
    LAB.kubeconfig.unlink(missing_ok=True)


def _remove_nodes() -> None:
    """Delete until nothing comes back.

    When an `up` is killed while kind makes the nodes, the engine's clients that kind had
    started go on, and a container appears after it was deleted.
    """
    whole = paths.read_json(_record()).get("whole")
    deadline = time.monotonic() + REMOVE_S
    while True:
        _kind("delete", "cluster", "--name", NAME)
        if not whole:
            time.sleep(1)
        if not nodes():
            return
        if time.monotonic() > deadline:
            raise TimedOut(
                f"the nodes of cluster {NAME} came back for {REMOVE_S} s",
                ", ".join(nodes()),
                "./lab logs kind, then ./lab up again",
            )


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
    known = paths.read_json(_record()).get("containers")
    theirs = known is not None and not set(_containers(nodes())) <= set(known)
    if not ours() or theirs:
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
    if len(states) < len(found) or not all(s["State"]["Running"] for s in states.values()):
        return STOPPED
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


def running() -> bool:
    """Does any node of the lab run? False also where no engine answers."""
    try:
        return any(s["State"]["Running"] for s in engine.inspect("container", *nodes()).values())
    except LabError:
        return False


def _lasting_ailment(found: list[str]) -> str:
    """An ailment that does not pass by itself: a busy machine is late, not broken."""
    deadline = time.monotonic() + PASSING_S
    while True:
        ailment = _ailment(found)
        if ailment in ("", STOPPED, MOVED) or time.monotonic() > deadline:
            return ailment
        time.sleep(1)


def _revive(found: list[str]) -> str:
    """Start the nodes so that each gets the address it had; why that failed, or empty.

    The engine hands out addresses in the order of starting.
    """
    record = paths.read_json(_record())
    addresses = record.get("addresses") or {}
    if set(addresses) != set(found) or not all(addresses.values()):
        return MOVED
    try:
        registry.disconnect()
        engine.docker("kill", *found, check=False)
        for name in sorted(found, key=lambda n: ipaddress.ip_address(addresses[n])):
            engine.docker("start", name)
        if _addresses(engine.inspect("container", *found)) != addresses:
            return MOVED
        if record.get("ranges"):
            connect_nodes(record["ranges"], addresses)
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
        _remove_nodes()  # an `up` that was killed a moment ago, see there
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
        ranges = _pod_ranges(names)
        connect_nodes(ranges, addresses)
    task.note("waiting for the nodes and system Pods")
    wait_ready(READY_S)
    record = {"whole": True, "image": image["Id"], "addresses": addresses, "ranges": ranges}
    paths.write_json(_record(), {**record, "containers": _containers(names)})


def _pod_ranges(names: list[str]) -> dict[str, str]:
    """Each node's Pod range, by name; the control plane gives it out after a node has joined."""
    deadline = time.monotonic() + REVIVE_S
    while True:
        items = LAB.get("nodes").get("items", [])
        ranges = {item["metadata"]["name"]: item["spec"].get("podCIDR") for item in items}
        if set(names) <= set(ranges) and all(ranges.values()):
            return ranges
        if time.monotonic() > deadline:
            raise TimedOut(
                f"not every node had a Pod range after {REVIVE_S} s",
                ", ".join(f"{name}: {ranges.get(name)}" for name in names),
                "./lab up again: it replaces the cluster",
            )
        time.sleep(0.3)


def _containers(names: list[str]) -> list[str]:
    """The nodes' container ids: a user's later cluster of the same name has others."""
    return sorted(state["Id"] for state in engine.inspect("container", *names).values())


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
    try:
        found = LAB.get("nodes").get("items", [])
        pods = LAB.get("pods", "--all-namespaces").get("items", [])
    except LabError as error:  # the next look may be answered
        return [error.happened]
    late = [f"node {node['metadata']['name']}" for node in found if not ready(node)]
    for item in pods:
        if kube.ours(item):  # the part of `up` that made it waits for it
            continue
        where = item["metadata"]["namespace"]
        done = item["status"].get("phase") == "Succeeded"
        if where in ("kube-system", "local-path-storage") and not (ready(item) or done):
            late.append(f"{where}/{item['metadata']['name']} ({item['status'].get('phase')})")
    return late
