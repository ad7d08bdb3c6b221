"""`./lab load compare A.json B.json …`: reads results, prints how they differ, ends with a code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from labkit.errors import LabError
from labkit.measure import load_figures, load_limits, load_sides
from labkit.measure.comparison import Comparison
from labkit.measure.load_limits import Limit
from labkit.measure.load_sides import Side

USAGE = """\
Usage: ./lab load compare A.json B.json … [options]

Compare results of `./lab load -o json`: each with the first. One file with two sides, of
`./lab load --repeat 5 TARGET --against OTHER -o json`, is enough alone.

  --fail-if CONDITION  such as 'ttft.p95 > +5%' or 'tokens_per_s < -10%', any number of times:
                       the command fails when the whole 95 % interval is beyond it.
                       Figures: requests_per_s, tokens_per_s, failed; ttft, gap, latency, queue
                       with .mean, .p50, .p90, .p95, .p99 or .p99_9
  -o FORMAT            text (the default) or json (schema labkit.load-compare/1)

Exit codes: 0 no limit was passed, 1 one was, 2 these runs cannot tell, or could not be read.
"""
FORMATS = ("text", "json")


def command(words: Sequence[str]) -> int:
    """The command; its exit code. Raises LabError: a wrong option, or not a result."""
    files: list[str] = []
    conditions: list[str] = []
    output = "text"
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=") if word.startswith("-") else (word, "", "")
        if name in ("-h", "--help"):
            print(USAGE, end="")
            return 0
        if name in ("--fail-if", "-o"):
            if not equals and not left:
                raise _wrong(f"{name} needs a value", word)
            value = value if equals else left.pop(0)
            if name == "--fail-if":
                conditions.append(value)
            elif value in FORMATS:
                output = value
            else:
                raise _wrong("-o does not take this value", f"{value}: one of {', '.join(FORMATS)}")
        elif word.startswith("-"):
            raise _wrong("this is not an option of compare", word)
        else:
            files.append(word)
    limits = [load_limits.limit(text) for text in conditions]
    return show(load_sides.sides(files), limits, output)


def show(sides: Sequence[Side], limits: Sequence[Limit], output: str) -> int:
    """Print each side's comparison with the first; the exit code of the limits."""
    names = list(dict.fromkeys([*load_figures.SHOWN, *(one.figure for one in limits)]))
    found = [Comparison(sides[0], other, names) for other in sides[1:]]
    judged = [[load_limits.judge(comparison, one) for one in limits] for comparison in found]
    if output == "json":
        plain = [
            {**one.plain(), "limits": [each._asdict() | {"limit": each.limit.text} for each in of]}
            for one, of in zip(found, judged, strict=True)
        ]
        print(json.dumps(plain[0] if len(plain) == 1 else plain))
    else:
        print("\n\n".join(map(repr, found)))
        for comparison, of in zip(found, judged, strict=True):
            for each in of:
                whose = f"{comparison.two.name}: " if len(found) > 1 else ""
                print(f"{whose}{each.said}", file=sys.stdout)
    return load_limits.exit_code([each for of in judged for each in of])


def _wrong(happened: str, saw: str) -> LabError:
    return LabError(happened, saw, "./lab load compare --help")
