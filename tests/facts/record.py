"""Records what the real parts answer to the probes, for the tests here: recorded/PART-VERSION.json.

    python tests/facts/record.py --ollama http://127.0.0.1:11434 --may-change

The options are those of `./lab facts`. What is as expected is recorded, the rest is printed.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from labkit.commands import facts as command
from labkit.commands.parser import parsed
from labkit.facts import probe, runner

FOLDER = Path(__file__).with_name("recorded")
NAME = "labkit-facts-000000"  # of what was created, which is another one each time
HEADERS = ("location", "access-control-allow-origin")


class Recording(probe.Probe):
    """A probe that keeps what it was answered."""

    replies: list[dict[str, Any]]
    last: Recording

    def __enter__(self) -> Recording:
        self.replies = []
        Recording.last = self
        return super().__enter__()

    def clean_up(self, steps: Any) -> None:
        self.replies, kept = [], self.replies
        super().clean_up(steps)
        self.replies = kept

    def ask(self, step: dict[str, Any]) -> dict[str, Any]:
        reply = super().ask(step)
        self.replies.append(trimmed(reply))
        return reply


def trimmed(reply: dict[str, Any]) -> dict[str, Any]:
    """The reply as the stand-in needs it: JSON as JSON, and few headers."""
    kept = {name: value for name, value in reply.items() if name not in ("first", "last", "text")}
    if "headers" in kept:
        headers = kept["headers"].items()
        kept["headers"] = {name: value for name, value in headers if name in HEADERS}
    if "json" in kept:
        kept.pop("lines", None)
        kept["json"] = short(kept["json"])
    elif "text" in reply and not kept.get("lines"):
        kept["text"] = reply["text"]
    return kept


def short(value: Any) -> Any:
    """The same without lists as long as a vocabulary."""
    if isinstance(value, dict):
        return {name: short(one) for name, one in value.items()}
    return value[:20] if isinstance(value, list) else value


def main(words: list[str]) -> None:
    options = parsed(["facts", *words])
    runner.Probe = Recording
    found: dict[str, dict[str, Any]] = {}
    where = command.where_to_ask(options)
    for fact in command.chosen(options):
        row = runner.row(fact, where, fact.deadline_s)
        if row.verdict == runner.AS_EXPECTED:
            steps = len(row.fact.steps)  # the last one may have been asked again and again
            replies = Recording.last.replies
            replies = [*replies[: steps - 1], replies[-1]]
            file = f"{row.fact.of}-{row.version}.json"
            found.setdefault(file, {})[row.fact.id] = replies
        elif row.saw and not row.fact.cannot:
            print(f"{row.verdict}: {row.fact.id}: {row.saw}")
    where.clean_up()
    for name, answers in found.items():
        file = FOLDER / name
        old = json.loads(file.read_text()) if file.exists() else {}
        text = json.dumps(old | answers, indent=1, sort_keys=True)
        text = re.sub(r"/[^\s\"]*/models/blobs/", "/ollama/models/blobs/", text)
        file.write_text(text.replace(where.values["NAME"], NAME) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
