"""`./lab load --repeat N TARGET --against OTHER`: the same plan several times, targets in turns.

What drifts with time, such as another program on the machine, then meets both targets alike.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence

from labkit.load import __main__ as engine_main
from labkit.load import report
from labkit.load.errors import LoadError
from labkit.load.options import split
from labkit.load.result import Result
from labkit.measure import load_compare, load_limits, load_sides, load_test
from labkit.measure.load_sides import Side

OWN = ("--repeat", "--against", "--fail-if")
MOST = 100


def wanted(words: Sequence[str]) -> bool:
    """Is it a repeated load test?"""
    return not {"--repeat", "--against"}.isdisjoint(split(list(words))[1])


def turns(count: int, repeat: int) -> Iterator[int]:
    """Which target is next: in turns, and each round in the other order.

    >>> list(turns(2, 3)), list(turns(1, 2))
    ([0, 1, 1, 0, 0, 1], [0, 0])
    """
    for number in range(repeat):
        yield from range(count) if number % 2 == 0 else reversed(range(count))


def command(words: Sequence[str]) -> int:
    """The command; its exit code. Raises what a load test raises, LabError: a wrong condition."""
    try:
        return _run(words)
    except LoadError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _run(words: Sequence[str]) -> int:
    left, conditions = _without_conditions(words)
    limits = [load_limits.limit(text) for text in conditions]
    target, own, rest = split(left)
    load_test.enter(left)
    repeat = _repeat(own.pop("--repeat", "1"))
    targets = [target, *filter(None, [own.pop("--against", "")])]
    options = [word for pair in own.items() for word in pair]
    asked = [load_test.asked([*rest, *options, each]) for each in targets]
    output = asked[0].options.output
    if output not in load_compare.FORMATS:
        raise LoadError("several runs are printed as text or json", f"-o {output}", "-o json")
    if limits and len(targets) == 1:
        hint = "--against TARGET, or ./lab load compare"
        raise LoadError("--fail-if compares two targets", f"one target, {target}", hint)
    runs: list[list[Result]] = [[] for _ in targets]
    interrupted = False
    with contextlib.redirect_stdout(sys.stderr):  # the answer alone is on standard output
        for index in turns(len(targets), repeat):
            measured = load_test.measured(asked[index])
            runs[index] += measured.levels
            interrupted = measured.interrupted
            if interrupted:
                break
    sides = [Side(each.target, found) for each, found in zip(asked, runs, strict=True) if found]
    failed = sum(one.failed for side in sides for one in side.results)
    code = _show(sides, limits, output)
    if interrupted:
        return engine_main.INTERRUPTED
    return code or (engine_main.FAILED if failed else 0)


def _show(sides: list[Side], limits: list[load_limits.Limit], output: str) -> int:
    if output == "json":
        print(json.dumps(load_sides.repeated(sides)))
        if len(sides) < 2 or not limits:
            return 0
        with contextlib.redirect_stdout(sys.stderr):
            return load_compare.show(load_sides.named(sides), limits, "text")
    for side in sides:
        print(f"{side.name}:")
        print(report.sweep(side.results) + "\n")
    return load_compare.show(load_sides.named(sides), limits, "text") if len(sides) > 1 else 0


def _repeat(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise LoadError("--repeat wants a number of runs", text or "nothing", "--repeat 5")
    return int(text)


def _without_conditions(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words without `--fail-if`, and its conditions: it may come several times."""
    left, found, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name != "--fail-if":
            left.append(word)
        elif equals or rest:
            found.append(value if equals else rest.pop(0))
        else:
            raise LoadError("--fail-if needs a value", word, "./lab load --help")
    return left, found
