"""Writes docs/troubleshooting.md from the tables of mistakes.

Run by hand when a row in labkit/diagnosis has changed: `python tools/troubleshooting.py`.
"""

from __future__ import annotations

from pathlib import Path

from labkit.diagnosis.mistake import Mistake
from labkit.diagnosis.ranking import ROWS

FILE = Path(__file__).resolve().parents[1] / "docs" / "troubleshooting.md"
_INTRO = """\
# Troubleshooting

Generated from the rows in `labkit/diagnosis` by `python tools/troubleshooting.py`; edit those.

**An error of `./lab` or labkit** is three lines. The third is what to try. [errors.md](errors.md)
lists all of them.

**`./lab up` does not finish.** After a reboot, a killed engine, or a kill at any moment, `./lab
up` continues from what exists. When it does not:

```sh
./lab logs cluster
./lab down
./lab up
```

**JupyterLab asks for a password or token.** The address that `./lab notebook` prints has it.

**`kubectl run --rm -it` shows nothing for a minute.** The client ended before kubectl attached to
it. Press Ctrl-C, then read `kubectl logs` of that Pod. (The lab's own builds of the lesson
clients wait for kubectl; public images do not.)

**Prompts get no answer from an Ollama that is ready.** A client that disconnected can block it
until it restarts ([client-left](#client-left)). `kubectl rollout restart deployment/ollama`, or
delete the Pod and run it again. The new one may have to pull the model.

**`process has terminated: signal: killed`, or an answer that ends with `unexpected EOF`.** The
model needs more memory than the container may have. Ollama 0.34 loads it anyway and the kernel
kills it, where 0.24 may refuse with `model requires more system memory`. Raise the limit, or use
a smaller model.

The tables list what goes wrong with Ollama on Kubernetes: symptom, cause and fix. Look for the word
that you see in the first one. `./lab diagnose`, and `lab.diagnose()` in a notebook, name the causes
that fit a namespace now, of the lab's cluster or, with `--context`, of any other that you may read.
A check that fails names the likely one. The notebook `10-troubleshoot` plants a mistake for you to
find. `./lab diagnose --facts` prints what was read, without secrets, for a report. For everything
else, `./lab logs cluster` shows events, Pods and logs.
"""
# words that a learner sees, in kubectl's columns, in an answer, in a log
WORDS = (
    "Pending",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "RunContainerError",
    "CrashLoopBackOff",
    "Init:",
    "OOMKilled",
    "Evicted",
    "restarts",
    "FailedPostStartHook",
    "FailedMount",
    "Readiness probe",
    "connection refused",
    "no such host",
    "time out",
    "no answer",
    "unexpected EOF",
    "401",
    "403",
    "404",
    "500",
    "pull model manifest",
    "permission denied",
    "forbidden",
    "denied",
    "Conflict",
    "helm",
    "quota",
    "no space left",
    "too many open files",
    "endpoints",
)


def text(mistakes: tuple[Mistake, ...]) -> str:
    """What docs/troubleshooting.md must hold for this table."""
    lines = [_INTRO, "| the word that you see | it may be |", "|---|---|"]
    lines += [f"| {word} | {_links(word, mistakes)} |" for word in WORDS]
    lines += ["", "| you see | it may be |", "|---|---|"]
    lines += [f"| {row.symptom} | [{row.id}](#{row.id}) |" for row in mistakes]
    for row in mistakes:
        lines += ["", f"## {row.id}", "", f"**{row.symptom}**", ""]
        lines += [f"- Cause: {row.cause}.", f"- Fix: {row.fix}.", f"- Look: `{row.look}`"]
        lines += [f"- labkit reads: {row.source}."]
        lines += [f"- It is something else if {row.unless}."] if row.unless else []
    return "\n".join(lines) + "\n"


def _links(word: str, mistakes: tuple[Mistake, ...]) -> str:
    rows = [row for row in mistakes if word.casefold() in row.symptom.casefold()]
    return ", ".join(f"[{row.id}](#{row.id})" for row in rows)


def wanted() -> str:
    """What docs/troubleshooting.md must hold."""
    return text(ROWS)


if __name__ == "__main__":
    FILE.write_text(wanted())
