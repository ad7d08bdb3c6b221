"""Writes docs/facts.md from labkit/facts/seen.

Run by hand when an entry has changed: `python tools/facts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from labkit.facts.compare import shown
from labkit.facts.entries import RUN, Fact, every

FILE = Path(__file__).resolve().parents[1] / "docs" / "facts.md"
_INTRO = """\
# What the real parts do

Generated from `labkit/facts/seen` by `python tools/facts.py`; edit those files.

Each row was seen when the real part ran, with the versions that it names. Many of them are where a
good guess is wrong. `./lab facts` asks the parts again and prints what differs: the lab's own
parts, or yours:

```sh
./lab facts
./lab facts --ollama http://127.0.0.1:11434
./lab facts --ollama http://127.0.0.1:11434 --may-change
./lab facts --context CTX -n NS
```

Without `--may-change` it only reads. With it, it loads, pulls and creates what a fact needs, under
names that begin with `labkit-facts`, and deletes that again. It sends nothing to any other address.
A version that is newer than the newest one here is compared with that one. "Not probed" means that
the lab does not have the part.

"""


def text(facts: Sequence[Fact]) -> str:
    """What docs/facts.md must hold for these facts."""
    pages = [(page, list(rows)) for page, rows in groupby(facts, key=lambda fact: fact.page)]
    found = (
        _INTRO + f"{len(facts)} facts, {sum(bool(f.steps) for f in facts)} of them with a probe.\n"
    )
    for page, rows in pages:
        found += (
            f"\n## {page}\n\n| fact | what was seen | matters to | seen with |\n|---|---|---|---|\n"
        )
        found += "".join(_row(fact) for fact in rows)
    return found


def _row(fact: Fact) -> str:
    seen = "<br>".join(_version(fact, version) for version in fact.seen)
    how = "not probed" if fact.cannot else "`--may-change`" if fact.changes else ""
    source = fact.date if fact.source == RUN else f"{fact.date}, {fact.source}"
    end = f"{seen}<br>{source}" + (f"<br>{how}" if how else "")
    name = f'<a id="{fact.id}"></a>`{fact.id}`'
    return f"| {name} | {_cell(fact.says)} | {_cell(fact.matters)} | {end} |\n"


def _version(fact: Fact, version: str) -> str:
    """The version, and what was seen with it where that is not the same with all of them."""
    values = list(fact.seen.values())
    told = ", ".join(f"{path}: {shown(value, 60)}" for path, value in fact.seen[version].items())
    name = f"{fact.of} {version}"
    return name if all(value == values[0] for value in values) else f"{name}: `{told}`"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def wanted() -> str:
    """What docs/facts.md must hold."""
    return text(every())


if __name__ == "__main__":
    FILE.write_text(wanted())
