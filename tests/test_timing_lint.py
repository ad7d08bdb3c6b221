"""No test's verdict depends on the speed of the machine.

A fixed sleep is too short on a slow machine, and a bound in bare seconds too tight: both are
refused in tests/, but where tests/timing.yaml says why one stands. A pause in a loop that looks
again is none, nor is a program in a string. Notebooks have the linter's own rule.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).parent
ALLOWED = yaml.safe_load((TESTS / "timing.yaml").read_text())
AT_MOST = 20  # lower it with each that goes; it never grows
SHORT_S = 0.5
HANG_S = (
    60  # a wait that ends when it is met, and fails after so long, has met something that hangs
)
CLOCKS = {"monotonic", "perf_counter", "time"}
SECONDS = re.compile(r"(?:^|_)(?:seconds|elapsed|took|duration|lasted|waited)$|_m?s$")


def found(source: str) -> list[tuple[str, str]]:
    """Each fixed sleep and each bound in bare seconds: the function it is in, and itself."""
    tree = ast.parse(source)
    hits = []

    def look(node: ast.AST, inside: str, looped: bool, numbers: dict) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside, looped = inside or node.name, False
            numbers = named(ast.walk(node), numbers)
        looped = looped or isinstance(node, ast.While)
        if isinstance(node, ast.Call) and last_name(node.func) == "sleep" and not looped:
            length = number(node.args[0], numbers) if node.args else None
            if length is not None and length >= SHORT_S:
                hits.append((inside, ast.unparse(node)))
        if isinstance(node, ast.Assert) or (isinstance(node, ast.If) and fails(node)):
            compares = [one for one in ast.walk(node.test) if isinstance(one, ast.Compare)]
            is_if = isinstance(node, ast.If)
            hits.extend(
                (inside, ast.unparse(one)) for one in compares if bounds(one, numbers, is_if)
            )
        for child in ast.iter_child_nodes(node):
            look(child, inside, looped, numbers)

    look(tree, "", False, named(tree.body, {}))
    return hits


def named(nodes: Iterable[ast.AST], known: dict) -> dict:
    """Names → what they are, of those that are a number, or that many seconds from now."""
    found = dict(known)
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = from_now(node.value, found) or number(node.value, found)
    return found


def from_now(node: ast.expr, numbers: dict) -> float | None:
    """The seconds of `time.monotonic() + 5`; None from HANG_S on."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
        return None
    clocks = [isinstance(one, ast.Call) and last_name(one.func) in CLOCKS for one in parts(node)]
    rest = [one for one, is_clock in zip(parts(node), clocks, strict=True) if not is_clock]
    seconds = number(rest[0], numbers) if len(rest) == 1 and any(clocks) else None
    return None if seconds is None or seconds >= HANG_S else seconds


def parts(node: ast.BinOp) -> list[ast.expr]:
    return [node.left, node.right]


def fails(node: ast.If) -> bool:
    """Does it end the test: pytest.fail(…), raise AssertionError?"""
    calls = [one for child in node.body for one in ast.walk(child) if isinstance(one, ast.Call)]
    raises = [one for one in node.body if isinstance(one, ast.Raise) and one.exc]
    return any(last_name(one.func) == "fail" for one in calls) or any(
        "AssertionError" in ast.unparse(one) for one in raises
    )


def bounds(compare: ast.Compare, numbers: dict, is_if: bool = False) -> bool:
    """Does it want seconds to be fewer than a bare number? An `if` that fails is the other way."""
    sides = [compare.left, *compare.comparators]
    for operator, left, right in zip(compare.ops, sides, sides[1:], strict=False):
        more, less = (ast.Gt | ast.GtE), (ast.Lt | ast.LtE)
        if isinstance(operator, less if is_if else more):
            left, right = right, left
        elif not isinstance(operator, more if is_if else less):
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
        "most = 2; assert took < most",
        "deadline = time.monotonic() + 2; assert time.monotonic() < deadline",
        "deadline = LONG_S + time.time()\n    while not met(): assert time.time() <= deadline",
        "if time.monotonic() - begun > 5: pytest.fail('late')",
        "if 5 < took: raise AssertionError('late')",
    ],
)
def test_a_verdict_that_depends_on_speed_is_found(line):
    assert len(found(f"LONG_S = 2.0\nHANG_S = 60\ndef test_x():\n    {line}")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(0.1)",
        "time.sleep(pause_s)",
        "while not met(): time.sleep(1)",
        "assert time.monotonic() < deadline",
        "assert time.monotonic() - begun >= 1",
        "deadline = time.monotonic() + speed.deadline(5); assert time.monotonic() < deadline",
        "deadline = time.monotonic() + HANG_S; assert time.monotonic() < deadline",
        "if time.monotonic() - begun < 1: pytest.fail('early')",
        "if time.monotonic() - begun > 5: print('late')",
        "assert took_s < checks.WAIT_S",
        "assert len(found) < 3",
        "assert first.seconds < second.seconds",
    ],
)
def test_what_waits_for_something_or_compares_with_something_is_not(line):
    assert found(f"LONG_S = 2.0\nHANG_S = 60\ndef test_x():\n    {line}") == []
