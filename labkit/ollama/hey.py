"""Clients that run in the cluster as Pods: `lab.hey` sends requests and reads hey's report."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

from labkit.errors import CommandFailed, LabError
from labkit.kube import pod_run
from labkit.setup.host import speed
from labkit.ui import units
from labkit.ui.live import Live
from labkit.ui.notebook import Shown, in_notebook

HEY = "nixery.dev/hey"
ANSWER_S, HEY_S = 60, 300.0  # one request, all of them; on the reference machine


@dataclass(frozen=True)
class Report(Shown):
    """hey's report: its text, and its figures; all times in seconds."""

    text: str = field(repr=False)
    concurrency: int
    statuses: dict[int, int]  # HTTP status → how many answers
    errors: int  # requests without an answer
    total_s: float
    requests_per_s: float
    mean_s: float
    fastest_s: float
    slowest_s: float
    percentiles_s: dict[int, float]  # 50, 90, 99 …

    @property
    def answers(self) -> int:
        """How many answers there were; hey may send fewer than it was told."""
        return sum(self.statuses.values())

    def _html(self) -> str:
        """Its figures in a line, and hey's own report, in columns, at a click."""
        text = f'<pre style="margin:0">{escape(self.text.strip())}</pre>'
        more = f"<details><summary>hey's whole report</summary>{text}</details>"
        return f"{escape(repr(self))}{more}"

    def __repr__(self) -> str:
        said = ", ".join(f"{count} × {status}" for status, count in self.statuses.items())
        errors = units.count(self.errors, "error")
        rate = f"{self.requests_per_s:.2f} requests/s, mean {self.mean_s:.2f} s"
        return f"{said or 'no answers'}, {errors}; {rate}"


def hey(
    url: str,
    *,
    n: int = 10,
    c: int = 10,
    t: int | None = None,
    body: dict[str, Any] | None = None,
    keepalive: bool = True,
    timeout_s: float | None = None,
) -> Report:
    """Send n requests, c at a time, from a Pod in the cluster; return hey's report.

        lab.hey("http://ollama:11434/api/generate", c=2, body={"model": lab.model})

    Equals `kubectl run hey --rm -it --image nixery.dev/hey -- hey -c C -n N -t T …`, POST when
    there is a body. `t` is the seconds that one request may take, by default 60 and more on a slow
    machine; without `keepalive` each opens a connection of its own. hey sends a multiple of c: 10
    at 4 are 8. Raises LabError for fewer requests than clients, CommandFailed, and TimedOut after
    `timeout_s` seconds (300, and more on a slow machine).
    """
    if n < c:
        happened = f"{units.count(c, 'client')} cannot send {units.count(n, 'request')}"
        raise LabError(happened, "hey wants at least one request for each client", f"n={n}, c={n}")
    t = math.ceil(speed.deadline(ANSWER_S, t))
    timeout_s = speed.deadline(HEY_S, timeout_s)
    words = ["hey", "-c", str(c), "-n", str(n), "-t", str(t)]
    if body is not None:
        words += ["-m", "POST", "-d", json.dumps(body)]
    words += [] if keepalive else ["-disable-keepalive"]
    output = pod_run.ended("hey", [*words, url], image=HEY, timeout_s=timeout_s)
    report = read(output.text, c)
    if not in_notebook():
        print(output.text)
    with Live("hey") as live:
        live.done(repr(report), report._html())
    return report


def read(text: str, concurrency: int) -> Report:
    """The figures in what hey printed. Raises CommandFailed when that is not a report."""
    if "Requests/sec:" not in text:
        last = (text.strip().splitlines() or ["nothing"])[-1]
        raise CommandFailed("hey gave no report", last, "hey's own words are above")
    statuses = re.findall(r"^\s*\[(\d+)\]\s+(\d+) responses", text, re.MULTILINE)
    # "[3]	Post \"http://…\": context deadline exceeded"
    failed = text.partition("Error distribution:")[2]
    errors = re.findall(r"^\s*\[(\d+)\]", failed, re.MULTILINE)
    found = re.findall(r"^\s*(\d+)%+ in ([\d.]+) secs", text, re.MULTILINE)
    return Report(
        text=text,
        concurrency=concurrency,
        statuses={int(status): int(count) for status, count in statuses},
        errors=sum(map(int, errors)),
        total_s=_number(text, "Total"),
        requests_per_s=_number(text, "Requests/sec"),
        mean_s=_number(text, "Average"),
        fastest_s=_number(text, "Fastest"),
        slowest_s=_number(text, "Slowest"),
        percentiles_s={int(share): float(seconds) for share, seconds in found},
    )


def _number(text: str, name: str) -> float:
    found = re.search(rf"^\s*{name}:\s+([\d.]+)", text, re.MULTILINE)
    return float(found[1]) if found else float("nan")  # without an answer there is no average
