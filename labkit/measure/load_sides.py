"""What is compared: sides, each with the results of its runs, from files or as measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from labkit.errors import LabError
from labkit.load.errors import LoadError
from labkit.load.plan import FIELDS
from labkit.load.result import Result
from labkit.measure.load_result import SWEEP, Measured

REPEAT = "labkit.load-repeat/1"
Given = str | Path | Measured | Sequence[Measured]
Load = tuple[float | None, int]  # rate and clients

_OF_A_RUN = {"url", "addresses", "seed", "worker", "workers"}  # what may differ without a word
_MACHINE = ("system", "architecture", "processor", "cores")
_HINT = "./lab load -o json … > A.json writes one"


class Side(NamedTuple):
    """One target as it was measured: its results, of all runs and levels."""

    name: str
    results: list[Result]

    def loads(self) -> list[Load]:
        """Rate and clients of each level, in their order."""
        return list(dict.fromkeys((one.plan.rate, one.plan.clients) for one in self.results))

    def at(self, load: Load) -> list[Result]:
        """The runs of one level."""
        return [one for one in self.results if (one.plan.rate, one.plan.clients) == load]


def sides(given: Sequence[Given]) -> list[Side]:
    """Two sides or more, each with a name of its own. Raises LabError."""
    found = [side for one in given for side in _sides(one)]
    if len(found) < 2:
        saw = ", ".join(side.name for side in found) or "no result"
        raise LabError("a comparison needs two results", saw, "./lab load compare A.json B.json")
    return named(found)


def named(found: Sequence[Side]) -> list[Side]:
    """The same sides, with numbers in their names where these are alike."""
    names = [side.name for side in found]
    return [
        Side(f"{name} ({index + 1})" if names.count(name) > 1 else name, side.results)
        for index, (name, side) in enumerate(zip(names, found, strict=True))
    ]


def _sides(given: Given) -> Iterator[Side]:
    if isinstance(given, Measured):
        yield Side(given.target, given.levels)
    elif isinstance(given, str | Path):
        yield from _of_file(Path(given))
    else:
        runs = list(given)
        if not runs:
            raise LabError("a side has no run", "an empty list", "lab.compare([a1, a2], [b1, b2])")
        yield Side(runs[0].target, [level for run in runs for level in run.levels])


def _of_file(file: Path) -> list[Side]:
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        saw = error.strerror or str(error)
        raise LabError(f"{file} cannot be read", saw, _HINT) from None
    except ValueError as error:
        raise LabError(f"{file} is not a result of a load test", str(error), _HINT) from None
    try:
        return of_plain(raw, file.stem)
    except (LoadError, LookupError, TypeError, AttributeError) as error:
        saw = error.saw if isinstance(error, LoadError) else f"{type(error).__name__}: {error}"
        raise LabError(f"{file} is not a result of a load test", saw, _HINT) from None


def of_plain(raw: Any, name: str) -> list[Side]:
    """The sides in an object of any schema of a load test: a run, a sweep, or repeated ones.

    Two sides that were measured in turns have the names of their targets.
    """
    schema = raw.get("schema")
    if schema == REPEAT:
        found = [(one["target"], one["runs"]) for one in raw["sides"]]
        named = [(target if len(found) > 1 else name, runs) for target, runs in found]
        return [Side(target, [Result.from_json(run) for run in runs]) for target, runs in named]
    if schema == SWEEP:
        return [Side(name, [Result.from_json(level) for level in raw["levels"]])]
    return [Side(name, [Result.from_json(raw)])]


def repeated(sides: Sequence[Side]) -> dict[str, Any]:
    """The object that `of_plain` reads: targets, and the results of their runs."""
    kept = [{"target": side.name, "runs": [one.plain() for one in side.results]} for side in sides]
    return {"schema": REPEAT, "sides": kept}


def warnings(one: Side, two: Side) -> list[str]:
    """What makes the two less comparable, in words: plans, machines, doubts, single runs."""
    found = []
    plans = [side.results[0].plan.plain() for side in (one, two)]
    for field in FIELDS:
        a, b = (plan[field] for plan in plans)
        if a != b and field not in _OF_A_RUN:
            found.append(f"the plans differ in {field}: {_short(a)} and {_short(b)}")
    machines = [side.results[0].machine for side in (one, two)]
    if all(machines):
        for part in _MACHINE:
            a, b = (machine.get(part) for machine in machines)
            if a != b:
                found.append(f"the machines differ in {part}: {_short(a)} and {_short(b)}")
        a, b = (machine["load_average"] for machine in machines)
        if abs(a - b) > max(1.0, machines[0]["cores"] / 2):
            found.append(f"one machine was busier: load average {a:g} and {b:g}")
    else:
        found.append("a result does not say which machine measured it: it is of an older labkit")
    for side in (one, two):
        doubts = dict.fromkeys(reason for run in side.results for reason in run.reasons)
        found += [f"{side.name} is doubtful: {reason}" for reason in doubts]
        if any(run.interrupted for run in side.results):
            found.append(f"{side.name} was interrupted")
    if min(len(side.results) // len(side.loads()) for side in (one, two)) == 1:
        found.append(
            "one run of a side: what differs from run to run is not in the intervals"
            " (./lab load --repeat 5 TARGET --against OTHER)"
        )
    return found


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
