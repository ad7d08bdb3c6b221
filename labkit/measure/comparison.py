"""`lab.compare`: is one load test faster than another, and how sure is that?"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import exp, hypot, inf, log1p
from random import Random
from typing import Any, NamedTuple

from labkit.load.figures import between
from labkit.load.result import Result
from labkit.measure import load_figures, load_sides
from labkit.measure.load_figures import Figure, Value
from labkit.measure.load_sides import Given, Side
from labkit.measure.resampling import Spread, freedom, spread, student
from labkit.ui.table import FRAME, Table

SCHEMA = "labkit.load-compare/1"
CONFIDENCE = 0.95
BUCKET = 0.0005  # half a bucket of a histogram, relative: no figure is known better
FROM_RUN_TO_RUN = 0.02  # a machine's own speed changes by so much: one run cannot show less
SAME = "no difference that these runs can show"
PERHAPS = (
    "? perhaps: by chance one figure in twenty looks like this, one run differs so much from the"
    " next, or a result is doubtful"
)
MOST = 10.0  # a larger share, of nearly nothing, is printed as "> +1000 %"
TOO_SHORT = "too few blocks of time: a longer run, or --repeat"
NO_BLOCKS = "a result keeps no blocks of time: measure it again"


class Difference(NamedTuple):
    """One figure of two sides, and how the second differs from the first.

    `change`, `low` and `high` are shares of the first side's figure (0.1: 10 % more), those of
    `failed` percentage points. The interval has 95 % confidence; None where `why` says so. Where
    the first figure can have been 0, no share is the most: `high` is infinite, and null as JSON.
    """

    figure: Figure
    load: load_sides.Load
    one: Value | None
    two: Value | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    clear: bool = False  # also when all figures of the comparison are looked at
    why: str = ""
    doubtful: bool = False  # a result has reasons for doubt: what differs may be the client

    @property
    def shown(self) -> bool:
        """Do the runs show a difference: is 0 outside of the interval?"""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def verdict(self) -> str:
        """In words, with a sign."""
        if self.change is None or self.low is None:
            return f"– {self.why}"
        if not self.shown:
            return "= none that these runs can show"
        better = (self.change > 0) == self.figure.more_is_better
        word = "▼ better" if better else "▲ worse"
        if self.clear:
            return word
        return f"? perhaps {word[2:]}"

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        ends = [self.one, self.two]
        numbers = {"change": self.change, "low": self.low, "high": self.high}
        return {
            "figure": self.figure.name,
            "rate": self.load[0],
            "clients": self.load[1],
            "values": [value and load_figures.plain(value) for value in ends],
            **{
                name: None if part is None or part == inf else round(part, 6)
                for name, part in numbers.items()
            },
            "verdict": self.verdict,
        }


class Comparison:
    """Two sides, figure by figure: `.differences`, `.warnings`, `.table()`, `.plain()` for JSON."""

    def __init__(self, one: Side, two: Side, names: Sequence[str] = load_figures.SHOWN) -> None:
        self.one, self.two = one, two
        self.warnings = load_sides.warnings(one, two)
        loads = [load for load in one.loads() if load in two.loads()]
        pairs = [(load, one.at(load), two.at(load)) for load in loads]
        if len(one.loads()) == len(two.loads()) == 1:  # nothing else it could be compared with
            pairs = [(one.loads()[0], one.results, two.results)]
        figures = [load_figures.figure(name) for name in names]
        wanted = [(figure, *pair) for pair in pairs for figure in figures]
        chance = Random(26)  # the same results always give the same intervals
        self.differences = [
            found
            for figure, load, a, b in wanted
            if (found := _difference(figure, load, a, b, len(wanted), chance))
        ]
        self.swept = len(pairs) > 1

    @property
    def shown(self) -> list[Difference]:
        """Those that are clear: seldom more than one comparison in twenty has one by chance."""
        return [one for one in self.differences if one.clear]

    def table(self) -> Table:
        """One row a figure; the difference is of the second side, as a share of the first."""
        rows = []
        for each in self.differences:
            rate, clients = each.load
            row = [f"{rate:g}/s" if rate else clients] if self.swept else []
            ends = [_shown(each.figure, value) for value in (each.one, each.two)]
            rows.append([*row, each.figure.label, *ends, *_change(each), each.verdict])
        columns = ["FIGURE", self.one.name, self.two.name, "DIFFERENCE", "95 % INTERVAL", "VERDICT"]
        caption = f"{self.two.name} compared with {self.one.name}"
        empty = f"{caption}: no level is in both"
        columns = [*(["LOAD"] if self.swept else []), *columns]
        return Table(columns, rows, caption=caption, empty=empty, items=self.items)

    @property
    def items(self) -> list[dict[str, Any]]:
        """The differences as plain objects."""
        return [one.plain() for one in self.differences]

    def plain(self) -> dict[str, Any]:
        """The object of schema `labkit.load-compare/1`."""
        return {
            "schema": SCHEMA,
            "sides": [self.one.name, self.two.name],
            "confidence": CONFIDENCE,
            "differences": self.items,
            "warnings": self.warnings,
        }

    def said(self) -> list[str]:
        """The whole in a sentence, and what to know beside it."""
        clear = [f"{each.figure.label} {_change(each)[0]}" for each in self.shown]
        if clear:
            whole = f"{self.two.name} differs: {', '.join(clear)}"
        elif any(one.low is not None for one in self.differences):
            whole = f"{self.two.name}: {SAME}"
        else:
            whole = "nothing can be said: no figure has an interval"
        unsure = [PERHAPS] if any(one.shown and not one.clear for one in self.differences) else []
        return [whole, *unsure, *(f"● {warning}" for warning in self.warnings)]

    def __repr__(self) -> str:
        return "\n".join([repr(self.table()), *self.said()])

    def _repr_html_(self) -> str:
        words = "".join(f"<div>{escape(line)}</div>" for line in self.said())
        return f'{self.table()._repr_html_()}<div style="{FRAME}">{words}</div>'


def compare(one: Given, two: Given | None = None) -> Comparison:
    """Return how the second load test differs from the first, with an interval for each figure.

        before = lab.load_test("service/ollama", clients=1, requests=20)
        after = lab.load_test("service/ollama", clients=2, requests=20)
        lab.compare(before, after)

    Equals `./lab load compare BEFORE.json AFTER.json` of two results in files. Each side is a file
    of `./lab load -o json`, what `lab.load_test` returned, or a list of those: the runs of one
    side. One file with two sides, of `--repeat 5 --against OTHER`, is enough alone.

    A difference is a share of the first side's figure (0.1: 10 % more), `failed` is in percentage
    points. Its interval has 95 % confidence. It comes from a bootstrap over blocks of time, because
    requests that follow each other are alike. Where 0 is inside, the runs show no difference, and
    the ends of the interval are how large one can still be. `.differences` has the numbers,
    `.warnings` says where plans or machines differ.

    Raises LabError: a file cannot be read, or is not a result of a load test.
    """
    first, second = load_sides.sides([one] if two is None else [one, two])[:2]
    return Comparison(first, second)


def _difference(
    figure: Figure,
    load: load_sides.Load,
    one: list[Result],
    two: list[Result],
    figures: int,
    chance: Random,
) -> Difference | None:
    """None: neither side has the figure."""
    missing = [figure.missing(results) for results in (one, two)]
    if missing == ["not measured"] * 2:
        return None
    values = [
        None if why else figure.value(side) for why, side in zip(missing, (one, two), strict=True)
    ]
    a, b = values
    if a is None or b is None:
        return Difference(figure, load, a, b, why="; ".join(dict.fromkeys(filter(None, missing))))
    absolute = figure.name == load_figures.FAILED
    if not absolute and not (a.high and b.high):
        return Difference(figure, load, a, b, why="one of them is 0")
    change = b.middle - a.middle if absolute else b.middle / a.middle - 1
    known = Difference(figure, load, a, b, change / 100 if absolute else change)
    if not all(run.blocks.each for run in (*one, *two)):
        return known._replace(why=NO_BLOCKS)
    found = [spread([run.blocks.each for run in side], figure.build, chance) for side in (one, two)]
    if found[0] is None or found[1] is None:
        return known._replace(why=TOO_SHORT)
    low, high = _interval(a, b, found[0], found[1], CONFIDENCE, absolute=absolute)
    wide = _interval(a, b, found[0], found[1], 1 - (1 - CONFIDENCE) / figures, absolute=absolute)
    small = FROM_RUN_TO_RUN if min(len(one), len(two)) == 1 else 0.0
    doubtful = any(run.reasons for run in (*one, *two))
    clear = not doubtful and (wide[0] > small or wide[1] < -small)
    return known._replace(low=low, high=high, clear=clear, doubtful=doubtful)


def _interval(
    a: Value, b: Value, one: Spread, two: Spread, confidence: float, *, absolute: bool
) -> tuple[float, float]:
    """The ends of the change: sampling, and what is not known of the values themselves."""
    errors = [
        each.error if absolute else each.error / each.value if each.value else 0.0
        for each in (one, two)
    ]
    reach = student(confidence, freedom(errors[0], one.blocks, errors[1], two.blocks))
    reach *= hypot(*errors)
    if absolute:
        return (b.low - a.high - reach) / 100, (b.high - a.low + reach) / 100
    bucket = 2 * log1p(BUCKET)
    spare = exp(reach + bucket)
    return b.low / a.high / spare - 1, b.high / a.low * spare - 1 if a.low else inf


def _shown(figure: Figure, value: Value | None) -> str:
    """With both ends where they differ in the digits that are shown."""
    if value is None:
        return "–"
    return f"{between(value.low, value.high)}{figure.unit}"


def _change(each: Difference) -> tuple[str, str]:
    """The difference and its interval, in percent; of a share that failed in points."""
    unit = " points" if each.figure.name == load_figures.FAILED else " %"
    if each.change is None:
        return "–", "–"
    change = f"{signed(each.change)}{unit}"
    if each.low is None or each.high is None:
        return change, "–"
    return change, f"{signed(each.low)} … {signed(each.high)}{unit}"


def signed(share: float) -> str:
    """A share in percent, with its sign.

    >>> signed(0.1034), signed(-0.5), signed(0.0), signed(46300.0)
    ('+10.3', '-50.0', '+0.0', '> +1000')
    """
    if share > MOST:
        return f"> {MOST * 100:+.0f}"
    text = f"{share * 100:+.1f}"
    return "+0.0" if text == "-0.0" else text
