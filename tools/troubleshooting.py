"""Writes docs/troubleshooting.md from the table of classic mistakes.

Run by hand when mistakes.py has changed: `python tools/troubleshooting.py`.
"""

from __future__ import annotations

from pathlib import Path

from labkit.diagnosis.mistakes import MISTAKES, Mistake

FILE = Path(__file__).resolve().parents[1] / "docs" / "troubleshooting.md"
_INTRO = """\
# Troubleshooting

Generated from `labkit/diagnosis/mistakes.py` by `python tools/troubleshooting.py`; edit that file.

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

**Prompts get no answer from an Ollama that is ready.** A client may have disconnected in the
middle of an answer (Ctrl-C, a timeout). This can block Ollama 0.24 until it restarts; it was not
seen with 0.34. `kubectl rollout restart deployment/ollama`, or delete the Pod and run it again.
The new one may have to pull the model.

**`process has terminated: signal: killed`, or an answer that ends with `unexpected EOF`.** The
model needs more memory than the container may have. Ollama 0.34 loads it anyway and the kernel
kills it, where 0.24 may refuse with `model requires more system memory`. Raise the limit, or use
a smaller model.

The table lists the classic mistakes of Ollama on Kubernetes: symptom, cause and fix. A check that
fails names the likely cause, from the state of the cluster at that moment. A test makes each
mistake in a real cluster. The notebook `10-troubleshoot` plants one of them for you to find. For
everything else, `./lab logs cluster` shows events, Pods and logs.
"""


def text(mistakes: tuple[Mistake, ...]) -> str:
    """What docs/troubleshooting.md must hold for this table."""
    lines = [_INTRO, "| you see | it may be |", "|---|---|"]
    lines += [f"| {row.symptom} | [{row.id}](#{row.id}) |" for row in mistakes]
    for row in mistakes:
        lines += ["", f"## {row.id}", "", f"**{row.symptom}**", ""]
        lines += [f"- Cause: {row.cause}.", f"- Fix: {row.fix}.", f"- Look: `{row.look}`"]
        lines += [f"- labkit reads: {row.source}."]
    return "\n".join(lines) + "\n"


def wanted() -> str:
    """What docs/troubleshooting.md must hold."""
    return text(MISTAKES)


if __name__ == "__main__":
    FILE.write_text(wanted())
