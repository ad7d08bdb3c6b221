"""labkit/lessons/checks.py and steps.py: when a check passes, how long it waits, what it says."""

import re
import time
from pathlib import Path

import nbformat
import pytest

from labkit.errors import ApiSilent, CheckFailed, NotFound, NotStarted, UnknownStep, Unreachable
from labkit.kube import session
from labkit.lessons import checks, steps
from labkit.lessons.seen import Seen
from labkit.lessons.step import Step

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(session, "_current", session.Session("lab", "", None))
    monkeypatch.setattr(checks, "PAUSE_S", 0.02)


@pytest.fixture
def step(monkeypatch):
    """`step(a, b, …)`: a step whose check sees these, one at each look, the last one for ever."""

    def make(*seen: bool) -> list[bool]:
        left = list(seen)
        looked = []

        def check(_):
            passed = left.pop(0) if len(left) > 1 else left[0]
            looked.append(passed)
            return Seen(passed, f"look {len(looked)}", "try this")

        monkeypatch.setattr(steps, "STEPS", (Step("09-x/y", "Title", check),))
        return looked

    return make


def test_a_check_passes_on_two_looks_one_after_the_other(step):
    looked = step(False, True, False, True, True)
    assert checks.check("09-x/y", timeout_s=5).saw == "look 5"
    assert looked == [False, True, False, True, True]


def test_a_check_that_never_passes_says_what_it_saw_and_what_to_try(step):
    step(False)
    begun = time.monotonic()
    with pytest.raises(CheckFailed) as raised:
        checks.check("09-x/y", timeout_s=0.3)
    assert 0.3 <= time.monotonic() - begun < checks.WAIT_S
    lines = str(raised.value).splitlines()
    assert lines[0] == "CheckFailed: 09-x/y (Title): not done"
    assert lines[1].startswith("saw: look ")
    assert lines[2] == "try: try this"


def test_with_no_time_it_looks_once(step, monkeypatch):
    monkeypatch.setenv("LAB_CHECK_WAIT_S", "0")
    looked = step(False)
    with pytest.raises(CheckFailed):
        checks.check("09-x/y")
    assert looked == [False]


def test_a_notebooks_name_stands_for_all_of_its_steps(step):
    step(True)
    verdict = checks.check("09-x/y", timeout_s=1)
    assert str(verdict) == "09-x/y: look 2"
    assert checks.check("09-x", timeout_s=1).step == "09-x/y"


def test_a_pod_that_goes_while_it_is_asked_is_something_seen(monkeypatch):
    errors = [Unreachable("gone", "no Pod", "try"), NotFound("gone", "no Pod", "try")]

    def check(_):
        if errors:
            raise errors.pop()
        return Seen(True, "there again")

    monkeypatch.setattr(steps, "STEPS", (Step("09-x/y", "Title", check),))
    assert checks.check("09-x/y", timeout_s=5).saw == "there again"


def test_solved_looks_once_and_raises_nothing(step, capsys):
    looked = step(False)
    assert not checks.solved("09-x/y")
    assert looked == [False]
    assert capsys.readouterr().out == ""
    step(True)
    assert checks.solved("09-x/y")
    assert "09-x/y is solved already" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "00-star", "00-start/", "00-start/runn", "start"])
def test_an_unknown_step_names_those_that_are_near(name):
    with pytest.raises(UnknownStep) as raised:
        checks.check(name)
    assert "00-start" in raised.value.saw


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("03-service/right-prot", "03-service/right-port"),
        ("03-servcie", "03-service"),
        ("5-models-everywhere/hook", "05-models-everywhere/hook"),
        ("", "00-start"),
    ],
)
def test_an_unknown_step_names_the_nearest_three_and_where_all_are(name, near):
    with pytest.raises(UnknownStep) as raised:
        checks.check(name)
    named = raised.value.saw.removeprefix("the nearest: ").split(", ")
    assert len(set(named)) == 3
    assert named[0] == near
    for step in named:
        assert steps.named(step)
    assert raised.value.hint == f'lab.check("{near}"), or lab.check_all(), which lists all steps'


def test_without_start_a_check_says_so(monkeypatch):
    monkeypatch.setattr(session, "_current", None)
    with pytest.raises(NotStarted):
        checks.check("00-start")


def test_every_step_belongs_to_a_notebook_that_checks_it_and_no_other_is_checked():
    asked = set()
    for file in NOTEBOOKS.glob("*.ipynb"):
        cells = nbformat.read(file, as_version=4).cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        found = set(re.findall(r'lab\.check\("([^"]+)"\)', source))
        assert all(name.startswith(f"{file.stem}/") for name in found)
        asked |= found
    assert asked == {step.id for step in steps.STEPS}


def failing(monkeypatch, times: int) -> None:
    left = [ApiSilent("the API server does not answer", "refused", "./lab status")] * times

    def check(_):
        if left:
            raise left.pop()
        return Seen(True, "it is there", "")

    monkeypatch.setattr(steps, "STEPS", (Step("09-x/y", "Title", check),))


def test_an_api_server_that_is_away_for_a_moment_fails_no_check(monkeypatch):
    failing(monkeypatch, 3)
    assert checks.check("09-x/y", timeout_s=30).saw == "it is there"


def test_one_that_stays_away_is_told_and_is_no_verdict(monkeypatch):
    failing(monkeypatch, 10**5)
    with pytest.raises(ApiSilent, match=r"asked again for \d+ s"):
        checks.check("09-x/y", timeout_s=0.5)
