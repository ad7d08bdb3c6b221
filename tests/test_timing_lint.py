"""No test's verdict depends on the speed of the machine.

A fixed sleep is too short on a slow machine, and a bound in bare seconds too tight: both are
refused in tests/, but where tests/timing.yaml says why one stands. A pause in a loop that looks
again is none, nor is a program in a string. Notebooks have the linter's own rule.
"""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).parent
ALLOWED = yaml.safe_load((TESTS / "timing.yaml").read_text())
AT_MOST = 20  # lower it with each that goes; it never grows
SHORT_S = 0.5
CLOCKS = {"monotonic", "perf_counter", "time"}
SECONDS = re.compile(r"(?:^|_)(?:seconds|elapsed|took|duration|lasted|waited)$|_m?s$")


def found(source: str) -> list[tuple[str, str]]:
    """Each fixed sleep and each bound in bare seconds: the function it is in, and itself."""
    tree = ast.parse(source)
    numbers = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            numbers[node.targets[0].id] = number(node.value, numbers)
    hits = []

    def look(node: ast.AST, inside: str, looped: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside, looped = inside or node.name, False
        looped = looped or isinstance(node, ast.While)
        if isinstance(node, ast.Call) and last_name(node.func) == "sleep" and not looped:
            length = number(node.args[0], numbers) if node.args else None
            if length is not None and length >= SHORT_S:
                hits.append((inside, ast.unparse(node)))
        if isinstance(node, ast.Assert):
            compares = [one for one in ast.walk(node.test) if isinstance(one, ast.Compare)]
            hits.extend((inside, ast.unparse(one)) for one in compares if bounds(one, numbers))
        for child in ast.iter_child_nodes(node):
            look(child, inside, looped)

    look(tree, "", False)
    return hits


def bounds(compare: ast.Compare, numbers: dict) -> bool:
    """Does it want that seconds are fewer than a bare number?"""
    sides = [compare.left, *compare.comparators]
    for operator, left, right in zip(compare.ops, sides, sides[1:], strict=False):
        if isinstance(operator, ast.Gt | ast.GtE):
            left, right = right, left
        elif not isinstance(operator, ast.Lt | ast.LtE):
            continue
        if are_seconds(left) and number(right, numbers) is not None:
            return True
    return False


def are_seconds(node: ast.expr) -> bool:
    for part in ast.walk(node):
        name = last_name(part)
        if SECONDS.search(name) and not name.isupper():
            return True
        if isinstance(part, ast.Call) and last_name(part.func) in CLOCKS:
            return True
    return False


def last_name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def number(node: ast.expr, numbers: dict) -> float | None:
    """What the expression is when it is made of numbers of this file alone."""
    if isinstance(node, ast.Name):
        return numbers.get(node.id)
    if isinstance(node, ast.BinOp):
        sides = number(node.left, numbers), number(node.right, numbers)
        return None if None in sides else max(sides)
    known = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return float(node.value) if known else None


def test_no_test_sleeps_or_bounds_seconds_but_where_it_says_why():
    hits = Counter()
    for file in sorted(TESTS.rglob("*.py")):
        name = file.relative_to(TESTS).as_posix()
        hits.update((f"{name}::{inside}", what) for inside, what in found(file.read_text()))
    allowed = Counter((one["where"], one["what"]) for one in ALLOWED)
    new, gone = hits - allowed, allowed - hits
    assert not new, "wait for what is meant, or compare with the time that it would take otherwise"
    assert not gone, "it is no more: take it from tests/timing.yaml, and lower AT_MOST"


def test_the_list_of_those_that_stand_gives_a_reason_for_each_and_only_shrinks():
    assert all(set(one) == {"where", "what", "why"} and one["why"] for one in ALLOWED)
    assert len(ALLOWED) == AT_MOST


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(0.5)",
        "sleep(LONG_S)",
        "time.sleep(1 + 0.1)",
        "for _ in range(3): time.sleep(2)",
        "assert time.monotonic() - begun < 5",
        "assert 0.2 <= time.perf_counter() - begun < LONG_S",
        "assert 5 > took",
        "assert result.duration_s <= 3 and done",
        "assert all(seconds < 2 for seconds in found)",
    ],
)
def test_a_verdict_that_depends_on_speed_is_found(line):
    assert len(found(f"LONG_S = 2.0\ndef test_x():\n    {line}")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(0.1)",
        "time.sleep(pause_s)",
        "while not met(): time.sleep(1)",
        "assert time.monotonic() < deadline",
        "assert time.monotonic() - begun >= 1",
        "assert took_s < checks.WAIT_S",
        "assert len(found) < 3",
        "assert first.seconds < second.seconds",
    ],
)
def test_what_waits_for_something_or_compares_with_something_is_not(line):
    assert found(f"LONG_S = 2.0\ndef test_x():\n    {line}") == []
