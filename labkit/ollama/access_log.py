"""`lab.each_pod`: who answered, as the access log of each Ollama has it."""

from __future__ import annotations

import re
from collections import Counter

from labkit.kube import pod_logs, refs
from labkit.kube.session import Session, current
from labkit.ui import kubectl_line
from labkit.ui.live import echo
from labkit.ui.table import Table

# a line of Ollama's access log: [GIN] 2026/01/01 - 12:00:00 | 200 |  1s | 10.0.0.1 | POST "/x"
_ACCESS = re.compile(r'\[GIN\] \S+ - \S+ \|\s*(\d{3}) \|[^|]*\|\s*(\S+)\s*\| \w+\s+"([^"]+)"')
PROMPTS = ("/api/generate", "/api/chat")
_LOOPBACK = ("127.", "::1")
_STRIP = 30  # the latest answers that a strip shows


def each_pod(target: str, *, path: str = "/api/generate", since: Table | None = None) -> Table:
    """Return which Pod answered and which refused: each Pod's answers, from its access log.

        lab.each_pod("deployment/ollama")

    One row a Pod: how many answers of each HTTP status to requests for `path`, and a strip of
    the latest thirty, ✓ below 400 and ✗ from there on. `since` is an earlier table of this kind:
    what that one counted is left out. Equals `kubectl logs --selector=LABELS --prefix --tail=-1`,
    counted. Raises NotFound, Unreachable (it has no Pod).
    """
    session = current()
    labels = refs.selector(refs.found(session, refs.parsed(session, target)))
    echo(
        kubectl_line.line(
            "logs", *([] if labels else [target]), selector=labels, prefix=True, tail=-1
        )
    )
    found = answers(session, target, path)
    for item in since.items if since else ():
        if item["pod"] in found:  # the log only grows: what was counted stands first
            found[item["pod"]] = found[item["pod"]][sum(item["statuses"].values()) :]
    return counted(found)


def answers(session: Session, target: str, path: str) -> dict[str, list[str]]:
    """Pod → the statuses of its answers to requests for `path`, in order; ready Pods only."""
    found = logs(session, target)
    return {name: statuses(log, path) for name, log in sorted(found.items())}


def logs(session: Session, target: str) -> dict[str, str]:
    """Pod → what its Ollama has written; ready Pods only."""
    found = {}
    for pod in refs.pods_of(session, refs.parsed(session, target)):
        if refs.ready(pod):
            name = pod["metadata"]["name"]
            container = pod["spec"]["containers"][0]["name"]
            found[name] = pod_logs.written(session, name, container=container)
    return found


def statuses(log: str, path: str) -> list[str]:
    """The HTTP statuses of answers to requests for `path`, as Ollama's access log has them.

    >>> line = '[GIN] 2026/01/01 - 12:00:00 | 404 | 5ms | 10.0.0.1 | POST     "/api/generate"'
    >>> statuses(line, "/api/generate"), statuses(line, "/api/pull")
    (['404'], [])
    """
    return [status for status, _, asked in _ACCESS.findall(log) if asked == path]


def prompts(log: str, *, from_inside: bool) -> list[str]:
    """The statuses of prompts that a program in the Pod itself has sent, or clients elsewhere.

    >>> line = '[GIN] 2026/01/01 - 12:00:00 | 200 | 5ms | 127.0.0.1 | POST     "/api/generate"'
    >>> prompts(line, from_inside=True), prompts(line, from_inside=False)
    (['200'], [])
    """
    return [
        status
        for status, client, asked in _ACCESS.findall(log)
        if asked in PROMPTS and client.startswith(_LOOPBACK) == from_inside
    ]


def counted(found: dict[str, list[str]]) -> Table:
    """The table of `each_pod`.

    >>> counted({"ollama-1": ["404", "200"], "ollama-2": []})
    POD        200   404   LATEST
    ollama-1   1     1     ✗✓
    ollama-2   0     0
    """
    kinds = sorted({status for given in found.values() for status in given})
    rows = []
    for name, given in found.items():
        counts = Counter(given)
        strip = "".join("✓" if status < "400" else "✗" for status in given[-_STRIP:])
        rows.append([name, *(counts[status] for status in kinds), strip])
    items = [{"pod": name, "statuses": dict(Counter(given))} for name, given in found.items()]
    return Table(["POD", *kinds, "LATEST"], rows, items=items, empty="no Pod is ready")
