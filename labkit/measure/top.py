"""`lab.top`: the processor and memory that Pods and nodes use now, as metrics-server saw it."""

from __future__ import annotations

import re
from typing import Any

from labkit.errors import ApiSilent, NotFound, Unreachable
from labkit.kube import refs
from labkit.kube.refs import Target
from labkit.kube.session import Session, current
from labkit.setup.host.poll import Poll
from labkit.ui import kubectl_line
from labkit.ui.live import Live, echo
from labkit.ui.table import Table

API = "/apis/metrics.k8s.io/v1beta1"
POLL_S = 1.0
_QUANTITY = re.compile(r"(.*\d)(\D*)")
_UNITS = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {f"{unit}i": 1024.0**power for power, unit in enumerate("KMGT", start=1)}
COLUMNS = ["NAME", "CPU(cores)", "MEMORY(bytes)"]
NODE_COLUMNS = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]


def top(what: str = "pods", *, containers: bool = False, timeout_s: float = 40.0) -> Table:
    """Return what Pods or nodes use: thousandths of a processor, memory in units of 1024.

        lab.top("pods")

    `what` is "pods", "nodes", or what has Pods, such as "deployment/ollama". Equals
    `kubectl top WHAT`, with `containers` its `--containers`. metrics-server looks every 10 s: of
    a Pod that has just started it knows nothing yet, and this waits for the figures of each Pod
    that you name, or of any of all "pods". Raises NotFound, Unreachable (no metrics-server, or no
    figures after `timeout_s` seconds), ApiSilent.
    """
    session = current()
    if what in ("nodes", "node", "no"):
        echo(kubectl_line.line("top", "nodes"))
        return _nodes(session)
    words, one, labels = _meant(session, what)
    echo(kubectl_line.line("top", *words, selector=labels, containers=containers))
    return _pods(_waited(session, one, labels, timeout_s), containers=containers)


def _meant(session: Session, what: str) -> tuple[list[str], Target | None, str | None]:
    """kubectl's words for it, what has the Pods (None: all), and the labels that select them."""
    if what in ("pods", "pod", "po"):
        return ["pods"], None, None
    one = refs.parsed(session, what)
    item = refs.found(session, one)
    if one.resource.kind == "Pod":
        return ["pod", one.name], one, None
    return ["pods"], one, refs.selector(item)


def _wanted(session: Session, one: Target) -> set[str]:
    """Its Pods as they are now, those that go left out: no display shows them any more.

    Of those that have not begun only where none runs: a rollout may wait long for the next one.
    """
    pods = refs.pods_of(session, one)
    if one.resource.kind != "Pod":
        pods = list(filter(refs.stays, pods))
    running = [pod for pod in pods if pod["status"]["phase"] == "Running"]
    return {pod["metadata"]["name"] for pod in running or pods}


def _running(session: Session) -> set[str]:
    """The Pods of which there will be figures."""
    path = session.api.resource("pods").path(session.namespace)
    items = session.api.request("GET", path)["items"]
    return {item["metadata"]["name"] for item in items if item["status"]["phase"] == "Running"}


def _waited(
    session: Session, one: Target | None, labels: str | None, timeout_s: float
) -> list[dict[str, Any]]:
    """The figures, when there are some of each of its Pods; None: of any that runs."""
    poll = Poll(timeout_s, every_s=POLL_S)
    query = {"labelSelector": labels} if labels else None
    with Live("top") as live:
        while True:
            items = _asked(session, f"/namespaces/{session.namespace}/pods", query)
            known = {item["metadata"]["name"] for item in items}
            wanted = _wanted(session, one) if one else known or _running(session)
            late = wanted - known
            if not late:
                return [item for item in items if item["metadata"]["name"] in wanted]
            names = ", ".join(sorted(late))
            live.show(f"metrics-server has not yet looked at {names}")
            poll.not_yet(
                f"there are no figures of {names} after {timeout_s:g} s",
                "metrics-server looks every 10 s, at containers that run",
                'lab.get("pods"): does it run? Then once more',
                error=Unreachable,
            )


def _asked(
    session: Session, path: str, query: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    try:
        items: list[dict[str, Any]] = session.api.request("GET", f"{API}{path}", query=query)[
            "items"
        ]
        return items
    except (NotFound, ApiSilent) as error:
        if isinstance(error, ApiSilent) and not error.of_service:
            raise
        raise Unreachable(
            "there is no metrics-server that answers",
            error.saw,
            "./lab up; in a cluster of your own its owner installs one",
        ) from None


def _pods(items: list[dict[str, Any]], *, containers: bool) -> Table:
    rows = []
    for item in sorted(items, key=lambda item: item["metadata"]["name"]):
        name, parts = item["metadata"]["name"], item["containers"]
        if containers:
            rows += sorted([name, part["name"], *_used(part["usage"])] for part in parts)
        else:
            rows.append([name, *_used(*(part["usage"] for part in parts))])
    columns = ["POD", *COLUMNS] if containers else COLUMNS
    return Table(columns, rows, items=items)


def _nodes(session: Session) -> Table:
    items = _asked(session, "/nodes")
    nodes = session.api.request("GET", "/api/v1/nodes")["items"]
    room = {node["metadata"]["name"]: node["status"]["allocatable"] for node in nodes}
    rows = []
    for item in sorted(items, key=lambda item: item["metadata"]["name"]):
        name, usage = item["metadata"]["name"], item["usage"]
        cpu, memory = _used(usage)
        shares = [
            f"{int(quantity(usage[kind]) * 100 / quantity(room[name][kind]))}%"
            for kind in ("cpu", "memory")
        ]
        rows.append([name, cpu, shares[0], memory, shares[1]])
    return Table(NODE_COLUMNS, rows, items=items)


def _used(*usages: dict[str, str]) -> tuple[str, str]:
    """As kubectl writes it, rounded as it rounds.

    >>> _used({"cpu": "1500001n", "memory": "2047Ki"}, {"cpu": "3u", "memory": "1Mi"})
    ('2m', '2Mi')
    """
    cpu = sum(quantity(usage["cpu"]) for usage in usages)
    memory = sum(quantity(usage["memory"]) for usage in usages)
    return f"{-(-cpu * 1000 // 1):.0f}m", f"{memory // 2**20:.0f}Mi"


def quantity(text: str) -> float:
    """A number with Kubernetes' unit behind it.

    >>> quantity("250m"), quantity("2Ki"), quantity("1e3"), quantity("3")
    (0.25, 2048.0, 1000.0, 3.0)
    """
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a quantity")
    number, unit = found.groups()
    return float(number) * _UNITS[unit]
