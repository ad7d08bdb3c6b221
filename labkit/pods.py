"""What each Pod does: who answered (`lab.each_pod`), and what runs inside (`lab.processes`)."""

from __future__ import annotations

import re
from collections import Counter

from labkit import inside, kubectl, targets
from labkit.display import echo
from labkit.session import Session, current
from labkit.table import Table

# a line of Ollama's access log: [GIN] 2026/01/01 - 12:00:00 | 200 |  1s | 10.0.0.1 | POST "/x"
_ACCESS = re.compile(r'\[GIN\] \S+ - \S+ \|\s*(\d{3}) \|[^|]*\|[^|]*\| \w+\s+"([^"]+)"')
_STRIP = 30  # the latest answers that a strip shows


def each_pod(target: str, *, path: str = "/api/generate") -> Table:
    """Who answered and who refused: each Pod's answers, as its own access log has them.

        lab.each_pod("deployment/ollama")

    One row a Pod: how many answers of each HTTP status to requests for `path`, and a strip of
    the latest thirty, ✓ below 400 and ✗ from there on. Equals `kubectl logs --selector=LABELS
    --prefix --tail=-1`, counted. Raises NotFound, Unreachable (it has no Pod).
    """
    session = current()
    labels = targets.selector(targets.found(session, targets.parsed(session, target)))
    echo(kubectl.line("logs", *([] if labels else [target]), selector=labels, prefix=True, tail=-1))
    return counted(answers(session, target, path))


def answers(session: Session, target: str, path: str) -> dict[str, list[str]]:
    """Pod → the statuses of its answers to requests for `path`, in order; ready Pods only."""
    found = {}
    for pod in targets.pods_of(session, targets.parsed(session, target)):
        if targets.ready(pod):
            name = pod["metadata"]["name"]
            container = {"container": pod["spec"]["containers"][0]["name"]}
            where = f"{session.api.resource('pods').path(session.namespace, name)}/log"
            found[name] = statuses(session.api.text(where, query=container), path)
    return dict(sorted(found.items()))


def statuses(log: str, path: str) -> list[str]:
    """The HTTP statuses of answers to requests for `path`, as Ollama's access log has them.

    >>> line = '[GIN] 2026/01/01 - 12:00:00 | 404 | 5ms | 10.0.0.1 | POST     "/api/generate"'
    >>> statuses(line, "/api/generate"), statuses(line, "/api/pull")
    (['404'], [])
    """
    return [status for status, asked in _ACCESS.findall(log) if asked == path]


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


def processes(target: str) -> Table:
    """What runs in a Pod: each process, its memory, and its share of a processor.

        lab.processes("pod/ollama")

    Equals `kubectl exec TARGET -- top -b -c -n 1`; largest first, memory in units of 1024.
    Raises NotFound, CommandFailed (its image has no `top`).
    """
    session = current()
    command = ("top", "-b", "-c", "-n", "1", "-w", "200")
    echo(kubectl.line("exec", target, command=command))
    pod = targets.pod_of(session, targets.parsed(session, target))
    return _processes(inside.ran(session, pod, command).stdout)


def _processes(text: str) -> Table:
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if line.split()[:1] == ["PID"])
    names = lines[start].split()
    wanted = [names.index(name) for name in ("PID", "RES", "%CPU")]
    rows = []
    for line in lines[start + 1 :]:
        words = line.split(maxsplit=len(names) - 1)
        if len(words) == len(names) and words[-1].split()[0] != "top":
            rows.append([*(words[index] for index in wanted), words[-1]])
    rows.sort(key=lambda row: -_kib(row[1]))
    columns = ["PID", "MEMORY", "CPU %", "COMMAND"]
    return Table(columns, [[row[0], _shown(_kib(row[1])), *row[2:]] for row in rows])


def _kib(text: str) -> float:
    """
    >>> _kib("14208"), _kib("1.5g"), _kib("300.5m")
    (14208.0, 1572864.0, 307712.0)
    """
    unit = {"m": 1024, "g": 1024**2, "t": 1024**3}.get(text[-1:].lower())
    return float(text[:-1]) * unit if unit else float(text)


def _shown(kib: float) -> str:
    return f"{kib / 1024:.0f} MiB" if kib >= 1024 else f"{kib:.0f} KiB"
