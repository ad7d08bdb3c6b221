"""What `./lab test` says at its end: a table of the tiers, and the first failure of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labkit.commands.tiers import BUDGETS_S
from labkit.jupyter import junit
from labkit.jupyter.junit import Case, worst
from labkit.setup.host import speed

RESULTS = ("passed", "failed", "could not tell")
REASONS = 5  # of skipped tests, the most frequent ones


@dataclass
class Run:
    """One command that ran: its exit code as 0, 1 no or 2 could not tell, and its output.

    `cases` are those of its JUnit files. A command that writes none has its last lines in `tail`.
    """

    command: str
    code: int
    cases: list[Case] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    log: Path | None = None  # what the cluster said when this failed

    @property
    def failed(self) -> list[Case]:
        """The cases that failed."""
        return [case for case in self.cases if case.outcome == "failed"]


@dataclass
class Tier:
    """One tier: what ran of it and how long, or why it did not."""

    name: str
    runs: list[Run] = field(default_factory=list)
    seconds: float = 0
    not_run: str = ""
    notes: list[str] = field(default_factory=list)  # what must be known of its result

    @property
    def code(self) -> int:
        """0, 1 no or 2 could not tell; 0 for one that did not run: another one is to blame."""
        return worst([run.code for run in self.runs])

    @property
    def counts(self) -> Counter[str]:
        """Passed, failed and skipped tests; a command that failed alone counts as one."""
        found = Counter(case.outcome for run in self.runs for case in run.cases)
        found["failed"] += sum(run.code != 0 and not run.failed for run in self.runs)
        return found

    @property
    def result(self) -> str:
        """The last column: how it ended, and what must be known of it."""
        if self.not_run:
            return f"not run: {self.not_run}"
        return "; ".join([RESULTS[self.code], *self.notes])


def report(tiers: list[Tier], machine: str) -> str:
    """The table, each tier's first failure, and on the last line the counts of all."""
    parts = [table(tiers, machine), *first_failures(tiers), closing(tiers)]
    return "\n\n".join(parts)


def table(tiers: list[Tier], machine: str) -> str:
    """One line for each tier, warnings of those over their budget, and why tests were skipped."""
    lines = [f"this machine: {machine}; budgets in seconds of it"]
    lines.append("tier       seconds   budget   passed   failed  skipped  result")
    for tier in tiers:
        lines.append(_row(tier.name, tier.seconds, budget_s(tier), tier.counts, tier.result))
    seconds = sum(tier.seconds for tier in tiers)
    budget = sum(budget_s(tier) for tier in tiers)
    counts = _counts(tiers)
    lines.append(_row("total", seconds, budget, counts, RESULTS[worst([t.code for t in tiers])]))
    for tier in tiers:
        if tier.seconds > budget_s(tier):
            took = f"{tier.name} took {tier.seconds:.0f} s, its budget is {budget_s(tier):.0f} s"
            lines.append(f"warning: {took}")
    return "\n".join([*lines, *_skipped(tiers)])


def budget_s(tier: Tier) -> float:
    """A tier's budget on this machine."""
    return speed.deadline(BUDGETS_S[tier.name])


def _row(name: str, seconds: float, budget: float, counts: Counter[str], result: str) -> str:
    row = f"{name:<9}{seconds:9.0f}{budget:9.0f}"
    return row + "".join(f"{counts[o]:9}" for o in ("passed", "failed", "skipped")) + f"  {result}"


def _counts(tiers: list[Tier]) -> Counter[str]:
    return sum((tier.counts for tier in tiers), Counter())


def _skipped(tiers: list[Tier]) -> Iterator[str]:
    why = Counter(
        f"{tier.name}: {' '.join(case.message.split())}"
        for tier in tiers
        for run in tier.runs
        for case in run.cases
        if case.outcome == "skipped"
    )
    for reason, number in why.most_common(REASONS):
        yield f"skipped {number} in {reason}"


def first_failures(tiers: list[Tier]) -> Iterator[str]:
    """Of each tier's first command that failed: test or cell, and the lines around the error."""
    for tier in tiers:
        failed = [run for run in tier.runs if run.code]
        if failed:
            yield "\n".join(_failure(tier.name, failed[0]))


def _failure(name: str, run: Run) -> Iterator[str]:
    if run.failed:
        case = run.failed[0]
        yield f"first failure, in {name}: {case.id}"
        yield from junit.excerpt(case.text or case.message)
    else:
        yield f"first failure, in {name}: $ {run.command}"
        yield from run.tail
    if run.log:
        yield f"the cluster's state at that moment: {run.log}"


def closing(tiers: list[Tier]) -> str:
    """The counts of all, alone on a line; never "0 failed" when the exit code is another.

    >>> closing([Tier("quick", [Run("ruff check", 1)])])
    '0 passed, 1 failed, 0 skipped'
    """
    counts = _counts(tiers)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))
