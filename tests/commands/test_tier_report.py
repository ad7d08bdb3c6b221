"""commands/tier_report.py: the table, first failures and the closing line of `./lab test`."""

from pathlib import Path

import pytest

from labkit.commands import tier_report
from labkit.commands.tier_report import Run, Tier
from labkit.jupyter.junit import Case

PASSED = [Case("tests/test_a.py", f"test_{n}", "passed") for n in range(3)]
FAILED = Case("tests/test_b.py", "test_b", "failed", "no", "code\nE   no\nafter")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """The reference machine, until a test says otherwise."""
    monkeypatch.setenv("LAB_SPEED", "1")


def test_the_table_has_seconds_budget_counts_and_why_a_tier_was_not_run():
    tiers = [
        Tier("quick", [Run("ruff", 0), Run("pytest", 0, PASSED)], 41.2),
        Tier("build", [Run("up", 1, tail=["BuildFailed: no"])], 2600.0),
        Tier("steps", not_run="the lab did not come up"),
    ]
    assert (
        tier_report.table(tiers, "a laptop")
        == """\
this machine: a laptop; budgets in seconds of it
tier       seconds   budget   passed   failed  skipped  result
quick           41      240        3        0        0  passed
build         2600     2520        0        1        0  failed
steps            0      480        0        0        0  not run: the lab did not come up
total         2641     3240        3        1        0  failed
warning: build took 2600 s, its budget is 2520 s"""
    )


@pytest.mark.parametrize(("speed", "budget"), [("1", 240), ("0.5", 480), ("0.25", 960), ("2", 240)])
def test_budgets_follow_the_machine(monkeypatch, speed, budget):
    monkeypatch.setenv("LAB_SPEED", speed)
    tier = Tier("quick", [Run("pytest", 0, PASSED)], budget - 1)
    said = tier_report.table([tier], "any")
    assert said.splitlines()[2].split()[2] == str(budget)
    assert "warning" not in said
    tier.seconds = budget + 1
    assert f"warning: quick took {budget + 1} s, its budget is {budget} s" in (
        tier_report.table([tier], "any")
    )


def test_the_reasons_of_skipped_tests_are_told_once_each():
    skipped = [Case("a", str(n), "skipped", "needs\n root") for n in range(4)]
    said = tier_report.table([Tier("quick", [Run("pytest", 0, skipped)])], "any")
    assert said.splitlines()[-1] == "skipped 4 in quick: needs root"


def test_of_each_tier_the_first_failure_of_the_first_command_that_failed_is_told():
    later = Run("pytest", 1, [Case("tests/test_c.py", "test_c", "failed", "", "E  later")])
    log = Path("cluster.log")
    tiers = [Tier("quick", [Run("pytest", 0, PASSED)])]
    tiers += [Tier("cluster", [Run("pytest", 1, [*PASSED, FAILED], log=log), later])]
    tiers += [Tier("steps", [later])]
    assert list(tier_report.first_failures(tiers)) == [
        "first failure, in cluster: tests/test_b.py::test_b\ncode\nE   no\nafter\n"
        "the cluster's state at that moment: cluster.log",
        "first failure, in steps: tests/test_c.py::test_c\nE  later",
    ]
    assert list(tier_report.first_failures(tiers[:1])) == []


def test_a_command_without_tests_is_told_by_its_last_lines():
    said = tier_report.report([Tier("quick", [Run("ruff check", 1, tail=["E501", "1 error"])])], "")
    assert said.endswith(
        "\n\nfirst failure, in quick: $ ruff check\nE501\n1 error\n\n0 passed, 1 failed, 0 skipped"
    )


@pytest.mark.parametrize("code", [1, 2])
def test_the_closing_line_never_says_that_none_failed_when_one_could_not_tell(code):
    tiers = [
        Tier("quick", [Run("pytest", 0, PASSED)]),
        Tier("steps", [Run("pytest", code, PASSED)]),
    ]
    assert tier_report.closing(tiers) == "6 passed, 1 failed, 0 skipped"
