"""Writes docs/troubleshooting.md from the table of classic mistakes.

Run by hand when mistakes.py has changed: `python -m labkit.troubleshooting`.
"""

from __future__ import annotations

from pathlib import Path

from labkit.mistakes import MISTAKES, Mistake

FILE = Path(__file__).resolve().parents[1] / "docs" / "troubleshooting.md"
_INTRO = """\
# Troubleshooting

The classic mistakes of Ollama on Kubernetes: what one sees, why, and what mends it. A check that
fails names the one that it takes for the cause, from what the cluster says at that moment; a test
makes each of them for real. For everything else, `./lab logs cluster` shows events, Pods and logs.

Generated from labkit/mistakes.py by `python -m labkit.troubleshooting`; edit that one. The notebook
`10-troubleshoot` hides one of them, to be found.
"""


def text(mistakes: tuple[Mistake, ...]) -> str:
    """What docs/troubleshooting.md must hold for this table."""
    lines = [_INTRO, "| you see | it may be |", "|---|---|"]
    lines += [f"| {row.symptom} | [{row.id}](#{row.id}) |" for row in mistakes]
    for row in mistakes:
        lines += ["", f"## {row.id}", "", f"**{row.symptom}**", ""]
        lines += [f"- Cause: {row.cause}.", f"- Fix: {row.fix}.", f"- Look: `{row.look}`"]
        lines += [f"- labkit knows it by: {row.source}."]
    return "\n".join(lines) + "\n"


def wanted() -> str:
    """What docs/troubleshooting.md must hold."""
    return text(MISTAKES)


if __name__ == "__main__":
    FILE.write_text(wanted())
