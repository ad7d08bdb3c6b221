"""Several labs at once: `./lab reset` of each in a process of its own, and a table of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from labkit.setup.cluster import labs as kube
from labkit.setup.host import paths, speed
from labkit.ui.table import Table

OWN = "(the lab's own)"
LIMIT_S = 420.0  # on the reference machine


def labs() -> list[str]:
    """The contexts of the labs that this machine knows; "" is its own."""
    known = paths.state("contexts")
    files = sorted(known.iterdir()) if known.is_dir() else []
    found = [file for file in files if not file.name.endswith(".json")]  # beside its kubeconfig
    own = [""] if kube.Lab().kubeconfig.exists() else []
    return own + [urllib.parse.unquote(file.name) for file in found]


def reset(contexts: list[str], step: str) -> Table:
    """Reset all of them at the same time; return how each ended, `.items` with exit codes."""
    with ThreadPoolExecutor(max(len(contexts), 1)) as pool:
        items = list(pool.map(lambda context: _reset(context, step), contexts))
    rows = [[i["context"] or OWN, i["result"], f"{i['seconds']:.1f}", i["saw"]] for i in items]
    return Table(["LAB", "RESULT", "SECONDS", "SAW"], rows, items=items, empty="no labs")


def _reset(context: str, step: str) -> dict:
    words = [sys.executable, "-P", "-m", "labkit", "reset", *([step] if step else [])]
    words += ["--yes", "-o", "json", *(["--context", context] if context else [])]
    begun, limit_s = time.monotonic(), speed.deadline(LIMIT_S)
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        code, said = done.returncode, done.stdout if done.returncode == 0 else done.stderr
    except subprocess.TimeoutExpired:
        code, said = 2, f"not done after {limit_s:g} s"
    count = len(json.loads(said)["changes"]) if code == 0 else 0
    saw = f"{count} change{'s' * (count != 1)}" if code == 0 else _error(said)
    result = {0: "done", 1: "failed"}.get(code, "could not tell")
    seconds = round(time.monotonic() - begun, 1)
    return {"context": context, "code": code, "result": result, "seconds": seconds, "saw": saw}


def _error(said: str) -> str:
    """The first two of an error's three lines, in one.

    >>> _error("waiting: pod/x\\nNotUp: there is no lab\\nsaw: no kubeconfig\\ntry: ./lab up")
    'NotUp: there is no lab; no kubeconfig'
    """
    lines = said.strip().splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith("saw: ") and n]
    if not starts:
        return lines[-1] if lines else "no output"
    return f"{lines[starts[-1] - 1]}; {lines[starts[-1]].removeprefix('saw: ')}"
