"""`lab.processes`: what runs inside a Pod, as `top` there has it."""

from __future__ import annotations

from labkit.kube import exec as kubectl_exec
from labkit.kube import refs
from labkit.kube.session import current
from labkit.ui import kubectl_line
from labkit.ui.live import echo
from labkit.ui.table import Table


def processes(target: str) -> Table:
    """Return what runs in a Pod: each process, its memory, and its share of a processor.

        lab.processes("pod/ollama")

    In an Ollama: `ollama serve`, and for each loaded model a `llama-server` (since 0.30; before,
    `ollama runner`). Equals `kubectl exec TARGET -- top -b -c -n 1`; largest first, memory in units
    of 1024.
    Raises NotFound, CommandFailed (its image has no `top`).
    """
    session = current()
    command = ("top", "-b", "-c", "-n", "1", "-w", "200")
    echo(kubectl_line.line("exec", target, command=command))
    pod = refs.pod_of(session, refs.parsed(session, target))
    return _processes(kubectl_exec.ran(session, pod, command).stdout)


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
