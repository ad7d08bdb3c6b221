"""Probes: which of them fails, how it is answered, and what the kubelet does then."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from labkit.diagnosis import ports, symptoms
from labkit.diagnosis.facts import Facts, container_of, status_of
from labkit.diagnosis.mistake import Mistake
from labkit.diagnosis.symptoms import named
from labkit.kube import pod_status
from labkit.ui import units

_FAILED = re.compile(
    r"(?P<kind>Liveness|Readiness|Startup) probe (?:failed|errored)[^:]*: (?P<said>.*)", re.DOTALL
)
_CODE = re.compile(r"HTTP probe failed with statuscode: (?P<code>\d+)")
_LATE = re.compile(r"context deadline exceeded|i/o timeout|timed out|Client\.Timeout")
# answers that waiting does not change: the probe itself is wrong
_NEVER = re.compile(
    r"not found|no such (?:file|host)|does not implement|code = Unimplemented|permission denied"
    r"|HTTP response to HTTPS client|malformed HTTP|x509:|stopped after \d+ redirects"
    r"|unknown (?:command|flag)"
)
_KILLED = re.compile(r"Container (?P<name>\S+) failed (?P<kind>liveness|startup) probe")


class Probe(NamedTuple):
    """One failed probe: Liveness, Readiness or Startup, and how it was answered.

    That is a status such as "404", or "refused", "late", "never" or "other".
    """

    kind: str
    answer: str
    said: str


def read(message: str) -> Probe | None:
    """What an event Unhealthy says.

    >>> read("Liveness probe failed: HTTP probe failed with statuscode: 404")[:2]
    ('Liveness', '404')
    >>> read('Startup probe failed: Get "http://10.244.1.5:80/": dial tcp 10.244.1.5:80: connect: '
    ...     'connection refused').answer
    'refused'
    """
    found = _FAILED.search(message)
    if not found:
        return None
    said = " ".join(found["said"].split())
    code = _CODE.search(said)
    answer = "other"
    if code:
        answer = code["code"]
    elif "connection refused" in said:
        answer = "refused"
    elif _LATE.search(said):
        answer = "late"
    elif _NEVER.search(said):
        answer = "never"
    return Probe(found["kind"], answer, said)


def kills(facts: Facts) -> Iterator[tuple[dict, str, Probe]]:
    """Pod, container and probe of each container that the kubelet restarts for its probe."""
    for pod in facts.pods:
        for event in reversed(facts.told(pod)):
            killed = _KILLED.search(event.get("message", ""))
            if event.get("reason") != "Killing" or not killed:
                continue
            status = status_of(pod, killed["name"])
            if _ran_out_of_memory(status) or _is_settled(facts, status):
                break
            if _has_ended_since(pod, status, event):
                break
            kind = killed["kind"].capitalize()
            probes = map(read, facts.said(pod, "Unhealthy"))
            fitting = [probe for probe in probes if probe and probe.kind == kind]
            last = fitting[-1] if fitting else Probe(kind, "other", event["message"])
            yield pod, killed["name"], last
            break


def _ran_out_of_memory(status: dict) -> bool:
    states = (status.get("state", {}), status.get("lastState", {}))
    return any(one.get("terminated", {}).get("reason") == "OOMKilled" for one in states)


def _has_ended_since(pod: dict, status: dict, event: dict) -> bool:
    """Has it ended once more, long after that event? Then its last end has another cause."""
    states = (status.get("state", {}), status.get("lastState", {}))
    ends = [one.get("terminated", {}).get("finishedAt") for one in states]
    told = event.get("lastTimestamp")
    if not told or not any(ends):
        return False
    after = units.moment_of(next(filter(None, ends))) - units.moment_of(told)
    return after.total_seconds() > pod["spec"].get("terminationGracePeriodSeconds", 30) + 30


def _is_settled(facts: Facts, status: dict) -> bool:
    """Is it ready, and has it run more than twice as long as the one that was killed?"""
    last = status.get("lastState", {}).get("terminated", {})
    limit_s = symptoms.LONG_S  # where it is not known how long the killed one had run
    if last.get("startedAt") and last.get("finishedAt"):
        lived = units.moment_of(last["finishedAt"]) - units.moment_of(last["startedAt"])
        limit_s = min(limit_s, 2 * lived.total_seconds())
    return symptoms.is_settled(facts, status, limit_s)


def wrong(facts: Facts) -> str:
    """Killed for an answer that rejects it, or for a port on which no process listens."""
    for pod, container, probe in kills(facts):
        is_refused = probe.answer == "refused" and _other_port(facts, pod, container, probe.kind)
        if probe.answer == "never" or _rejects(probe) or is_refused:
            return f"{named(pod)}, container {container}: {probe.kind} probe: {probe.said[:180]}"
    return ""


def _rejects(probe: Probe) -> bool:
    """A server that is there and has no such path; one of 5xx may be waiting for another."""
    said = probe.answer
    return said.isdecimal() and said[0] in "34" and said not in ("401", "403", "408", "429")


def early(facts: Facts) -> str:
    """Killed before it could answer."""
    for pod, container, probe in kills(facts):
        is_late = probe.answer in ("refused", "late", "other") or probe.answer[0] == "5"
        if is_late and not _other_port(facts, pod, container, probe.kind):
            return f"{named(pod)}, container {container}: {probe.kind} probe: {probe.said[:180]}"
    return ""


def _other_port(facts: Facts, pod: dict, container: str, kind: str) -> bool:
    """Does the probe connect to a port on which that Ollama does not listen?"""
    is_ollamas = (container_of(pod) or {}).get("name") == container
    return is_ollamas and ports.probed_elsewhere(facts, pod, kind.lower())


def not_authorised(facts: Facts) -> str:
    """A probe to which a proxy answers that it wants to know who asks."""
    for pod in facts.pods:
        probes = [read(one.get("message", "")) for one in facts.told(pod)]
        last = next((one for one in reversed(probes) if one), None)
        ready = [one.get("ready") for one in pod_status.statuses(pod, init=False)]
        if last and last.answer == "401" and not all(ready):
            return f"{named(pod)}: {last.kind} probe: {last.said}"
    return ""


ROWS = (
    Mistake(
        "liveness-probe-wrong",
        "restarts again and again, exit code 0, 2, 137 or 143: failed liveness probe, will be"
        " restarted; statuscode: 404",
        "the liveness or startup probe requests a path or a port that Ollama does not have, so the"
        " kubelet kills an Ollama that is well; it is not memory",
        "correct the probe: httpGet, path /, port 11434; or leave the liveness probe out",
        "kubectl events --types=Warning",
        "events Killing and Unhealthy of Pods, and the container's probes",
        wrong,
        unless="the container ended with OOMKilled, or has run ten minutes since",
        rules_out=(
            "memory-limit",
            "limitrange-too-small",
            "pods-not-ready",
            "misspelt-command",
            "hook-before-server",
            "hook-misspelt-model",
            "probe-wrong-port",
        ),
    ),
    Mistake(
        "liveness-probe-too-early",
        "restarts again and again: failed liveness probe, will be restarted; connection refused or"
        " deadline exceeded",
        "the liveness or startup probe gives up before Ollama can answer, and the kubelet kills it;"
        " it is not memory",
        "a startupProbe with failureThreshold x periodSeconds of a minute or more, timeoutSeconds"
        " of 5, or a larger initialDelaySeconds",
        "kubectl events --types=Warning",
        "events Killing and Unhealthy of Pods",
        early,
        unless="the container ended with OOMKilled or of its own accord, or has run long since",
        rules_out=(
            "memory-limit",
            "limitrange-too-small",
            "pods-not-ready",
            "misspelt-command",
            "hook-before-server",
            "hook-misspelt-model",
        ),
    ),
    Mistake(
        "probe-unauthorized",
        "Readiness probe failed: statuscode: 401",
        "a proxy before Ollama wants a password or a token, and a probe has none",
        "probe a path of the proxy that needs none, or Ollama's own port with tcpSocket",
        "kubectl events --types=Warning",
        "events Unhealthy of Pods",
        not_authorised,
        unless="the probe sends an Authorization header",
        rules_out=("pods-not-ready", "probe-wrong-port", "ollama-host-loopback"),
    ),
)
