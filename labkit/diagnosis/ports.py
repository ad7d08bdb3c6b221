"""Where an Ollama listens, and what leads there: Services, probes, proxies beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import facts as gathered
from labkit.diagnosis.facts import Facts, container_of, containers, env, mains, runs
from labkit.kube.proxy import OLLAMA_PORT

_LISTENS = re.compile(r"Listening on (\S+):(\d+)")
_PROXY = re.compile(r"nginx|envoy|haproxy|caddy|traefik|proxy|auth|gateway")


def listens(facts: Facts, pod: dict) -> tuple[str, int]:
    """Where a Pod's Ollama listens: by its own word, by its environment, or as always.

    With a proxy before it in its Pod, where that listens.
    """
    container = container_of(pod) or {}
    others = [one for one in containers(pod) if one is not container]
    ports = [port for one in others for port in one.get("ports", [])]
    if any(port["containerPort"] == OLLAMA_PORT for port in ports):
        return "", OLLAMA_PORT
    if found := _LISTENS.search(facts.log_of(pod, container.get("name", ""))):
        return found[1].strip("[]"), int(found[2])
    return address(env(container).get("OLLAMA_HOST", ""))


def address(ollama_host: str) -> tuple[str, int]:
    """Host and port that Ollama reads from OLLAMA_HOST: with a scheme, that scheme's own port.

    >>> address("http://ollama"), address("ollama"), address("0.0.0.0:8080"), address("[::1]")
    (('ollama', 80), ('ollama', 11434), ('0.0.0.0', 8080), ('::1', 11434))
    """
    scheme, found, rest = ollama_host.strip().partition("://")
    usual = {"http": 80, "https": 443}.get(scheme, OLLAMA_PORT) if found else OLLAMA_PORT
    place = (rest if found else ollama_host.strip()).partition("/")[0]
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, ""
    return host.strip("[]"), int(port) if port.isdecimal() else usual


def host_is_elsewhere(container: dict) -> bool:
    """May OLLAMA_HOST come from a ConfigMap or a Secret, which is not among the facts?"""
    told = [one for one in container.get("env", []) if one["name"] == "OLLAMA_HOST"]
    return any("valueFrom" in one for one in told) or bool(not told and container.get("envFrom"))


def probed_port(container: dict, kind: str) -> int | str | None:
    """The port that a container's liveness, readiness or startup probe connects to, if it does."""
    probe = container.get(f"{kind}Probe", {})
    port: int | str | None = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
    return port


def probed_elsewhere(facts: Facts, pod: dict, kind: str) -> bool:
    """Does a probe of a Pod's Ollama connect to a port on which that does not listen?

    An image may be called so and be another program, which has the port that it declares.
    """
    container = container_of(pod) or {}
    asked = number_of(pod, probed_port(container, kind))
    if probed_port(container, kind) is None:
        return False
    if is_known(facts, pod):
        return asked != listens(facts, pod)[1]
    declared = [one["containerPort"] for one in container.get("ports", [])]
    return bool(declared) and asked not in declared


def number_of(pod: dict, port: int | str | None) -> int | None:
    """The number of a Pod's port, which may be named; None for a name that it lacks."""
    if isinstance(port, int) or str(port).isdecimal():
        return int(port)
    ports = [one for container in mains(pod) for one in container.get("ports", [])]
    return next((one["containerPort"] for one in ports if one.get("name") == port), None)


def selected(facts: Facts, service: dict) -> list[dict]:
    """The Pods that a Service selects, ready or not."""
    wanted = (service["spec"].get("selector") or {}).items()
    labels = [(pod, pod["metadata"].get("labels", {}).items()) for pod in facts.pods]
    return [pod for pod, there in labels if wanted and wanted <= there]


def unheard(facts: Facts) -> list[dict]:
    """Pods whose Ollama runs, and does not answer from outside of the Pod."""
    heard = facts.held.keys() | facts.answers.keys()
    return [pod for pod in facts.pods if runs(pod) and pod["metadata"]["name"] not in heard]


def beside(pod: dict) -> list[dict]:
    """The containers that run beside a Pod's Ollama: proxies, exporters."""
    return [one for one in mains(pod) if one is not container_of(pod)]


def served_beside(pod: dict, target: int | str | None) -> bool:
    """May another container of the Pod listen on that port? One may listen undeclared."""
    ports = [one.get("ports", []) for one in beside(pod)]
    known = [port for some in ports for port in some]
    if any(target in (port["containerPort"], port.get("name")) for port in known):
        return True
    return isinstance(target, int) and any(not some for some in ports)


def fronted(facts: Facts, pod: dict) -> bool:
    """Does a Service lead to another container of that Pod, in the place of its Ollama?"""
    targets = [
        port.get("targetPort", port["port"])
        for service in facts.services
        if pod in selected(facts, service)
        for port in service["spec"].get("ports", [])
    ]
    images = [one.get("image", "") for one in beside(pod)]
    is_before = any(_PROXY.search(image) for image in images)
    return is_before or any(served_beside(pod, target) for target in targets)


def lost(facts: Facts) -> Iterator[tuple[dict, dict, dict, int]]:
    """Service, its first port, a Pod, and where that listens: where no port leads there."""
    for service in facts.services:
        ports = service["spec"].get("ports", [])
        if service["spec"].get("clusterIP") == "None":
            continue  # its clients get the Pods' own addresses, and ask what port they like
        for pod in filter(runs, selected(facts, service)):
            _, listened = listens(facts, pod)
            if pod["metadata"]["name"] not in facts.held and not is_known(facts, pod):
                continue
            targets = [port.get("targetPort", port["port"]) for port in ports]
            if any(served_beside(pod, target) for target in targets):
                continue
            if ports and listened not in [number_of(pod, target) for target in targets]:
                yield service, ports[0], pod, listened


def is_known(facts: Facts, pod: dict) -> bool:
    """Is it known where it listens, by its log or by a manifest that is Ollama's own?"""
    container = container_of(pod) or {}
    if _LISTENS.search(facts.log_of(pod, container.get("name", ""))):
        return True
    name = gathered.repository(container.get("image", ""))[0].rpartition("/")[2]
    return name == "ollama" and not host_is_elsewhere(container)
