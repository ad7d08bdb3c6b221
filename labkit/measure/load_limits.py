"""`--fail-if 'ttft.p95 > +5%'`: a limit on a difference, and what a comparison shows of it."""

from __future__ import annotations

import re
from typing import NamedTuple

from labkit.errors import LabError
from labkit.measure import load_figures
from labkit.measure.comparison import Comparison, Difference, signed

_FORM = re.compile(r"\s*([a-z0-9_.]+)\s*([<>])\s*([+-]?\d+(?:\.\d+)?)\s*%\s*")
_HINT = "--fail-if 'ttft.p95 > +5%', --fail-if 'tokens_per_s < -10%'"


class Limit(NamedTuple):
    """A figure, and the change from which it fails, as a share."""

    text: str
    figure: str
    above: bool  # fails above it; else below
    share: float


class Judged(NamedTuple):
    """What the runs show of a limit: passed it, kept it, or neither (`None`)."""

    limit: Limit
    exceeded: bool | None
    said: str


def limit(text: str) -> Limit:
    """The limit in a text; raises LabError.

    >>> limit("ttft.p95 > +5%")
    Limit(text='ttft.p95 > +5%', figure='ttft.p95', above=True, share=0.05)
    """
    found = _FORM.fullmatch(text)
    if not found:
        raise LabError("--fail-if does not take this condition", text, _HINT)
    name, sign, value = found.groups()
    return Limit(text.strip(), load_figures.figure(name).name, sign == ">", float(value) / 100)


def judge(comparison: Comparison, one: Limit) -> Judged:
    """Is the whole interval beyond the limit, or within it? Of several levels the worst counts."""
    found = [each for each in comparison.differences if each.figure.name == one.figure]
    if not found:
        return Judged(one, None, f"could not tell: {one.text}: {one.figure} was not measured")
    judged = [_judge(each, one) for each in found]
    ranks = {True: 0, None: 1, False: 2}
    return min(judged, key=lambda each: ranks[each.exceeded])


def _judge(each: Difference, one: Limit) -> Judged:
    if each.low is None or each.high is None:
        return Judged(one, None, f"could not tell: {one.text}: {each.why}")
    low, high = (each.low, each.high) if one.above else (-each.high, -each.low)
    share = one.share if one.above else -one.share
    seen = f"between {signed(each.low)} % and {signed(each.high)} %"
    if low > share and each.doubtful:
        return Judged(one, None, f"could not tell: {one.text}: {seen}, but a result is doubtful")
    if low > share:
        return Judged(one, True, f"failed: {one.text}: {seen}")
    if high <= share:
        return Judged(one, False, f"kept: {one.text}: {seen}")
    return Judged(one, None, f"could not tell: {one.text}: {seen}; a longer run, or --repeat")


def exit_code(judged: list[Judged]) -> int:
    """1 when a limit is passed, 2 when that cannot be told, else 0."""
    if any(each.exceeded for each in judged):
        return 1
    return 2 if any(each.exceeded is None for each in judged) else 0
