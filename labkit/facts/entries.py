"""The facts: each with the versions that it was seen with, read from seen/*.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("seen")
RUN = "run"  # the source of a fact that was seen here
Step = dict[str, Any]


@dataclass(frozen=True)
class Fact:
    """One sentence about a real part, and how to ask the part for it.

    `seen` has what the probe saw, by version, oldest first: `{"0.24.0": {"status": 404}}`. A value
    holds from its version to the next one. `cannot` is why the lab has no part to ask.
    """

    id: str
    says: str
    of: str
    page: str
    seen: dict[str, dict[str, Any]]
    date: str
    matters: str
    source: str = RUN
    needs: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    files: tuple[tuple[str, Any], ...] = ()
    changes: bool = False
    deadline_s: float = 10.0
    cannot: str = ""

    def expected(self, version: str) -> dict[str, Any] | None:
        """What was seen with this version, or the newest before it; None where that is not known.

        >>> fact = Fact("x", "", "Ollama", "", {"0.24.0": {"a": 1}, "0.34.2": {"a": 2}}, "", "")
        >>> [fact.expected(version) for version in ("0.9.9", "0.24.0", "0.30.0", "0.40.1", "")]
        [None, {'a': 1}, {'a': 1}, {'a': 2}, {'a': 2}]
        """
        known = list(self.seen.items())
        if not number(version):
            return known[-1][1]
        older = [value for seen, value in known if number(seen) <= number(version)]
        return older[-1] if older else None

    @property
    def newest(self) -> str:
        """The newest version that it was seen with."""
        return list(self.seen)[-1]


def number(version: str) -> tuple[int, ...]:
    """The numbers of a version; empty for one that says nothing, such as a build without any.

    >>> number("v0.34.2-rc1"), number("0.0.0"), number("unknown")
    ((0, 34, 2), (), ())
    """
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    numbers = tuple(map(int, found[1].split("."))) if found else ()
    return numbers if any(numbers) else ()


def every(folder: Path = FOLDER) -> list[Fact]:
    """All facts, page after page in the order of their files' names."""
    return [fact for file in sorted(folder.glob("*.yaml")) for fact in _page(file)]


def _page(file: Path) -> list[Fact]:
    page = yaml.safe_load(file.read_text(encoding="utf-8"))
    common = {name: value for name, value in page.items() if name != "facts"}
    return [_fact({**common, "id": id_, **entry}) for id_, entry in page["facts"].items()]


def _fact(entry: dict[str, Any]) -> Fact:
    words = str(entry.pop("needs", "")).split()
    seen: dict[str, dict[str, Any]] = {}
    for versions, value in entry.pop("seen").items():
        for version in str(versions).split(", "):
            seen[version] = value or {}
    return Fact(
        **{name: value for name, value in entry.items() if name not in _LISTS},
        needs=tuple(words),
        seen=dict(sorted(seen.items(), key=lambda one: number(one[0]))),
        steps=tuple(entry.get("steps", ())),
        after=tuple(entry.get("after", ())),
        files=tuple(entry.get("files", {}).items()),
    )


_LISTS = {"steps", "after", "files"}
