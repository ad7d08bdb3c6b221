"""The kind cluster: made, proven across nodes, and replaced when it came back broken."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import yaml

from labkit.errors import BuildFailed, ClusterNotOurs, LabError, TimedOut
from labkit.setup.build import catalog, registry, tools
from labkit.setup.cluster import labs, node_setup
from labkit.setup.host import docker, paths, shell, speed
from labkit.setup.host.poll import Poll
from labkit.setup.host.progress import Task
from labkit.ui import units

NAME = "lab"
LAB = labs.Lab()
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
    return sorted(docker.docker("ps", "--all", "--filter", label, "--format", "{{.Names}}").split())


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

    When an `up` is killed while kind makes the nodes, the engine's clients that kind had started
    continue, and a container appears after it was deleted.
    """
    whole = paths.read_json(_record()).get("whole")
    poll = Poll(speed.deadline(REMOVE_S), every_s=0 if whole else 1)
    while True:
        _kind("delete", "cluster", "--name", NAME)
        poll.pause()
        if not nodes():
            return
        if poll.is_over:
            raise TimedOut(
                f"the nodes of cluster {NAME} came back for {poll.limit_s:.0f} s",
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
            f"if it is not needed: kind delete cluster --name {NAME}, then ./lab up",
        )


def _kind(*words: str | Path, **options) -> None:
    env = {"KUBECONFIG": str(LAB.kubeconfig)}
    log = paths.log_file("kind")
    shell.run(
        tools.path("kind"), *words, env=env, log=log, timeout_s=speed.deadline(CREATE_S), **options
    )


def _misfit(found: list[str], workers: int) -> str:
    """Why another cluster is needed, whatever state this one is in; or empty."""
    if len(found) != workers + 1:
        return f"it has {units.count(len(found) - 1, 'worker')} instead of {workers}"
    record = paths.read_json(_record())
    if not record.get("whole"):
        return "it was not finished"
    if record.get("image") != _node_image_id():
        return "it runs another node image"
    return ""


def _ailment(found: list[str]) -> str:
    """What a start of its nodes may cure; empty when the cluster works.

    "Running" proves little: the answer that `up` asks for is sent from Pod to Pod across nodes.
    """
    states = docker.inspect("container", *found)
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
        return any(s["State"]["Running"] for s in docker.inspect("container", *nodes()).values())
    except LabError:
        return False


def _lasting_ailment(found: list[str]) -> str:
    """A fault that does not pass without a repair: a busy machine is late, not broken."""
    poll = Poll(speed.deadline(PASSING_S), every_s=1)
    while (ailment := _ailment(found)) not in ("", STOPPED, MOVED) and not poll.is_over:
        poll.pause()
    return ailment


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
        docker.docker("kill", *found, check=False)
        for name in sorted(found, key=lambda n: ipaddress.ip_address(addresses[n])):
            docker.docker("start", name)
        if _addresses(docker.inspect("container", *found)) != addresses:
            return MOVED
        if record.get("ranges"):
            node_setup.connect(record["ranges"], addresses)
        _wait_api()
        wait_ready(speed.deadline(REVIVE_S))
    except LabError as error:
        return f"started again, {error.happened}"
    return ""


def _wait_api() -> None:
    poll = Poll(speed.deadline(REVIVE_S), every_s=0.5)
    while True:
        try:
            LAB.require_ready()
            return
        except LabError:
            if poll.is_over:
                raise
        poll.pause()


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
    reference = catalog.load().node.reference
    return docker.inspect("image", reference).get(reference, {}).get("Id", "")


def _create(workers: int, task: Task) -> None:
    reference = catalog.load().node.reference
    image = docker.inspect("image", reference)[reference]
    static = (image["Config"].get("Labels") or {}).get(NETWORK_LABEL) == "static"
    resolv = paths.state("pod-resolv.conf")
    paths.write_text(resolv, node_setup.pod_resolv())
    config = paths.state("kind.yaml")
    paths.write_text(config, yaml.safe_dump(node_setup.config(workers, static, resolv)))
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
    LAB.kubectl("config", "set-context", "--current", "--namespace", labs.LEARNER)
    registry.connect()
    names = nodes()
    for name in names:
        node_setup.name_registry(name)
    addresses, ranges = _addresses(docker.inspect("container", *names)), {}
    if static:
        task.note("connecting the nodes")
        ranges = _pod_ranges(names)
        node_setup.connect(ranges, addresses)
    task.note("waiting for the nodes and system Pods")
    wait_ready(speed.deadline(READY_S))
    record = {"whole": True, "image": image["Id"], "addresses": addresses, "ranges": ranges}
    paths.write_json(_record(), {**record, "containers": _containers(names)})


def _pod_ranges(names: list[str]) -> dict[str, str]:
    """Each node's Pod range, by name; the control plane gives it out after a node has joined."""
    poll = Poll(speed.deadline(REVIVE_S), every_s=0.3)
    while True:
        items = LAB.get("nodes").get("items", [])
        ranges = {item["metadata"]["name"]: item["spec"].get("podCIDR") for item in items}
        if set(names) <= set(ranges) and all(ranges.values()):
            return ranges
        poll.not_yet(
            f"not every node had a Pod range after {poll.limit_s:.0f} s",
            ", ".join(f"{name}: {ranges.get(name)}" for name in names),
            "./lab up again: it replaces the cluster",
        )


def _containers(names: list[str]) -> list[str]:
    """The nodes' container ids: a user's later cluster of the same name has others."""
    return sorted(state["Id"] for state in docker.inspect("container", *names).values())


def wait_ready(timeout_s: float) -> None:
    """Every node and system Pod Ready. Raises TimedOut, naming what is not."""
    poll = Poll(timeout_s, every_s=0.3)
    while late := unready():
        poll.not_yet(
            f"nodes or system Pods not ready after {timeout_s:.0f} s",
            ", ".join(late),
            "./lab logs, then ./lab up again: it replaces a broken cluster",
        )


def unready() -> list[str]:
    """Nodes and system Pods that are not Ready, by name."""
    try:
        found = LAB.get("nodes").get("items", [])
        pods = LAB.get("pods", "--all-namespaces").get("items", [])
    except LabError as error:  # the next look may be answered
        return [error.happened]
    late = [f"node {node['metadata']['name']}" for node in found if not ready(node)]
    for item in pods:
        if labs.ours(item):  # the part of `up` that made it waits for it
            continue
        where = item["metadata"]["namespace"]
        done = item["status"].get("phase") == "Succeeded"
        if where in ("kube-system", "local-path-storage") and not (ready(item) or done):
            late.append(f"{where}/{item['metadata']['name']} ({item['status'].get('phase')})")
    return late
