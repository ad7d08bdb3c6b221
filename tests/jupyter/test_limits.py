"""Cells past their limit: whatever they do when they are asked to stop, they fail.

All of them run in one real run of notebooks, two at a time, without a cluster.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labkit.jupyter import limits

SLEEP = "import time\nprint('so far', flush=True)\n"
CATCH = SLEEP + "try:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    "
DEAF = SLEEP + "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)"
FLOOD = """
print("so far")
while True:
    try:
        print("on and on")
    except KeyboardInterrupt:
        pass
"""
# what a cell does that is asked to stop after its limit of one second
BEHAVIOURS = {
    "raises": SLEEP + "time.sleep(600)",
    "returns": CATCH + "pass",
    "late": CATCH + "time.sleep(1)",
    "child": "print('so far', flush=True)\n!sh -c \"trap 'exit 0' INT; sleep 600\"",
    "ignores": DEAF,
    "floods": FLOOD,
    "ends": "import os\n" + CATCH + "os._exit(0)",
    "expected": SLEEP + "time.sleep(600)",
}
TAGS = {"expected": ["timeout-1", "raises-exception"]}
BY_ITSELF = {"raises", "returns", "late", "child", "expected"}  # ends when it is asked to
WELL, BROKEN = "1 + 1", "1 / 0"
PLACES = {"first": 0, "middle": 1, "last": 2}
CASES = [
    (how, place) for how in ("raises", "returns", "late", "child", "ignores") for place in PLACES
]
CASES += [("floods", "first"), ("ends", "middle"), ("expected", "last")]
EXPECTED = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem.startswith("marked"):
            item.add_marker(pytest.mark.xfail)
"""
ALONE = [("returns", "first"), ("child", "middle")]
CHECKED = "import time\nclass CheckFailed(Exception): pass"
# the check is run before the solution too, and takes too long there
SLOW_CHECKS = {
    "check-passes": CATCH + "pass",
    "check-fails": CATCH + "raise CheckFailed('no')",
}


class Ran(NamedTuple):
    """A run of notebooks: its exit code, what it printed, and its junit report."""

    code: int
    said: str
    junit: Path


def cells_of(ran: Ran, name: str) -> list[tuple[str, str]]:
    """Outcome and report of each cell of that notebook."""
    found = []
    for case in ElementTree.parse(ran.junit).iter("testcase"):
        if case.get("classname") == f"{name}.ipynb":
            outcome = next((c for c in case if c.tag in ("failure", "error", "skipped")), None)
            tag = "passed" if outcome is None else outcome.tag
            said = "" if outcome is None else f"{outcome.get('message')}\n{outcome.text}"
            shown = "".join(part.text or "" for part in case.iter("system-out"))
            found.append((tag, said + shown))
    return found


def write(path: Path, *cells: tuple[str, list[str]]) -> None:
    made = [new_code_cell(source, metadata={"tags": tags}) for source, tags in cells]
    nbformat.write(new_notebook(cells=made), path)


def write_past_limit(folder: Path, behaviour: str, place: str) -> None:
    at = PLACES[place]
    cells = [(WELL, [])] * at + [(BEHAVIOURS[behaviour], TAGS.get(behaviour, ["timeout-1"]))]
    write(folder / f"{behaviour}-{place}.ipynb", *cells, *[(BROKEN, [])] * (2 - at))


def run(folder: Path, *program: str, **more: str) -> Ran:
    env = {k: v for k, v in os.environ.items() if not k.startswith("LAB_")}
    env["PYTEST_ADDOPTS"] = "--lab-no-namespace --junitxml=junit.xml -o junit_logging=all"
    words = [sys.executable, "-P", "-m", *program]
    done = subprocess.run(
        words, cwd=folder, env=env | more, capture_output=True, text=True, timeout=300, check=False
    )
    return Ran(done.returncode, done.stdout + done.stderr, folder / "junit.xml")


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Ran:
    """Each behaviour in each place, two notebooks at a time (`-n 2 --dist loadfile`)."""
    folder = tmp_path_factory.mktemp("past-limit")
    for behaviour, place in CASES:
        write_past_limit(folder, behaviour, place)
    for name, check in SLOW_CHECKS.items():
        solution = ("1", ["solution"])
        write(folder / f"{name}.ipynb", (CHECKED, []), solution, (check, ["check", "timeout-1"]))
    return run(folder, "labkit.jupyter.run", ".")


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Ran:
    """Some of them in one process, one after the other."""
    folder = tmp_path_factory.mktemp("past-limit-alone")
    for behaviour, place in ALONE:
        write_past_limit(folder, behaviour, place)
    (folder / "conftest.py").write_text(EXPECTED)
    write(folder / "marked-well.ipynb", (WELL, []))
    write(folder / "marked-broken.ipynb", (BROKEN, []))
    words = ("-p", "labkit.jupyter.plugin", "--nbval-lax", "--nbval-current-env", "-rA")
    return run(folder, "pytest", *words, ".")


def assert_failed(ran: Ran, behaviour: str, place: str) -> None:
    found = cells_of(ran, f"{behaviour}-{place}")
    at = PLACES[place]
    outcomes = [outcome for outcome, _ in found]
    assert outcomes == ["passed"] * at + ["failure"] + ["skipped"] * (2 - at)
    _, report = found[at]
    assert "past its limit: 1 s (asked to stop at " in report
    assert ("ended at " in report) == (behaviour in BY_ITSELF)
    assert "so far" in report
    for _, report in found[at + 1 :]:
        assert f"not run: Cell {at} of this notebook failed" in report


@pytest.mark.parametrize(("behaviour", "place"), CASES)
def test_a_cell_past_its_limit_fails_and_those_after_it_are_not_run(together, behaviour, place):
    assert_failed(together, behaviour, place)


def test_so_it_does_where_nothing_runs_beside_it(alone):
    assert alone.code == 1
    for behaviour, place in ALONE:
        assert_failed(alone, behaviour, place)


@pytest.mark.parametrize("name", ["marked-well", "marked-broken"])
def test_a_cell_that_is_expected_to_fail_fails_whatever_it_does(alone, name):
    ((outcome, report),) = cells_of(alone, name)
    assert outcome == "failure"
    assert "no cell of a notebook is expected to fail" in report
    assert "xpassed" not in alone.said
    assert "xfailed" not in alone.said


@pytest.mark.parametrize("name", SLOW_CHECKS)
def test_a_check_that_takes_too_long_before_the_solution_fails_the_solution(together, name):
    found = cells_of(together, name)
    assert [outcome for outcome, _ in found] == ["passed", "failure", "skipped"]
    assert "run before it: past its limit: 1 s" in found[1][1]


def test_the_run_fails_and_nothing_in_it_was_expected_to_fail(together):
    assert together.code == 1
    assert "xfailed" not in together.said
    assert "xpassed" not in together.said


@pytest.mark.parametrize(
    ("tags", "speed", "seconds"),
    [
        ([], "1.0", 120),
        (["work-load", "check"], "1.0", 300),
        ([], "0.5", 240),
        (["work-build"], "0.25", 2400),
        (["work-build"], "4.0", 600),
        (["timeout-7"], "0.25", 7),  # other people's: as it stands
    ],
)
def test_a_limit_follows_the_kind_of_work_and_the_machine(tags, speed, seconds, monkeypatch):
    monkeypatch.setenv("LAB_SPEED", speed)
    assert limits.limit_s({"metadata": {"tags": tags}}) == seconds
