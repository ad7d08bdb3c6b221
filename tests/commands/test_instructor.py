"""commands/instructor.py: the instructor's tables say what was asked; buttons are the calls."""

import datetime
import json
import re
from pathlib import Path

import pytest

from labkit.commands import instructor
from labkit.commands import status as parts
from labkit.diagnosis import mistakes
from labkit.errors import LabError, NotStarted
from labkit.kube import session
from labkit.learner import places
from labkit.lessons import checks, steps
from labkit.lessons.reset import goto
from labkit.setup.host import paths

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(monkeypatch):
    made = session.Session("lab-x", "", Path("nowhere"))
    monkeypatch.setattr(session, "_current", made)
    return made


@pytest.fixture
def school(monkeypatch, tmp_path):
    """`school(name, minutes, facts)`: a lesson; with facts the copy that was executed, too."""
    monkeypatch.setattr(places, "lessons", lambda: tmp_path)
    monkeypatch.setenv("LAB_ARTIFACTS", str(tmp_path / "artifacts"))

    def add(name: str, minutes: int, facts: dict | None = None) -> None:
        source = [f"# {name}\n", "| | |\n", f"| time | {minutes} minutes |\n"]
        lesson = {"cells": [{"cell_type": "markdown", "source": source}]}
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(lesson))
        if facts is not None:
            copy = {"metadata": {"labkit": facts}}
            paths.write_text(tmp_path / "artifacts" / f"{name}.ipynb", json.dumps(copy))

    return add


def test_status_is_the_parts_under_the_readiness_line_and_needs_no_start(monkeypatch, capsys):
    monkeypatch.setattr(session, "_current", None)
    monkeypatch.setenv("LAB_CONTEXT", "cloud")
    found = [parts.Part("tools", True, "6 here"), parts.Part("images", False, "missing: x")]
    monkeypatch.setattr(parts, "parts", lambda context: found if context == "cloud" else [])
    table = instructor.status()
    assert table.caption == (
        "Not ready for the workshop: images (missing: x); try ./lab up --context cloud"
    )
    assert repr(table).splitlines()[0] == table.caption
    assert list(table) == [["tools", "ok", "6 here"], ["images", "no", "missing: x"]]
    assert table.items[1] == {"name": "images", "works": False, "saw": "missing: x"}
    assert capsys.readouterr().out == "$ ./lab status --context cloud\n"


def test_all_checks_are_a_table_and_plain_data_for_programs(monkeypatch, here, capsys):
    at = datetime.datetime(2026, 2, 1, 9, 45).astimezone()
    found = [
        checks.Verdict("00-start/run", "Pod ollama is ready", passed_at=at.isoformat()),
        checks.Verdict("00-start/pull", "no model", passed=False, fix="pull it"),
        checks.Verdict("01-ollama/run", "nobody answers", passed=None),
    ]
    monkeypatch.setattr(checks, "ask", lambda step: [] if step else found)
    table = instructor.check_all()
    assert table.column("now") == ["done", "not yet", "could not tell"]
    assert table.column("passed at") == ["1 Feb 09:45", "", ""]
    assert table.caption == "namespace lab-x: steps passed 1 of 3, done in the cluster now 1"
    assert json.loads(json.dumps(table.items))[1]["fix"] == "pull it"
    assert table.csv().splitlines()[1] == "00-start/run,done,1 Feb 09:45,Pod ollama is ready"
    assert capsys.readouterr().out == "$ ./lab check\n"


def test_check_all_and_the_buttons_want_a_start(monkeypatch):
    monkeypatch.setattr(session, "_current", None)
    for call in (instructor.check_all, instructor.step_buttons):
        with pytest.raises(NotStarted):
            call()


def test_the_timetable_adds_up_what_the_notebooks_say_and_tells_what_was_measured(school):
    school("00-start", 5, {"seconds": 12.4, "failed": ""})
    school("01-more", 70, {"seconds": 30.0, "failed": "Cell 3"})
    school("02-last", 10)
    school("instructor", 99)
    table = instructor.timetable("22:50")
    assert list(table) == [
        ["00-start", "22:50", "5", "12"],
        ["01-more", "22:55", "70", ""],
        ["02-last", "0:05", "10", ""],
    ]
    assert table.caption == (
        "85 minutes without breaks, until 0:15; RUN S is measured by ./lab test notebooks"
    )
    assert table.items[0] == {
        "notebook": "00-start",
        "begins": "22:50",
        "minutes": 5,
        "run_s": 12.4,
    }


def test_a_timetable_that_is_all_measured_does_not_say_how_to_measure(school):
    school("00-start", 5, {"seconds": 12.4, "failed": ""})
    assert instructor.timetable().caption == "5 minutes without breaks, until 0:05"


@pytest.mark.parametrize("text", ["", "9", "25:00", "9.30", "noon"])
def test_a_time_that_is_none_is_said(text):
    with pytest.raises(LabError, match="is not a time of day"):
        instructor.timetable(text)


def test_every_notebook_says_its_minutes_and_the_readme_says_the_same():
    said = re.findall(
        r"^\| `(\d\d[a-z]?-[\w-]+)` \| (\d+) \|", (ROOT / "README.md").read_text(), re.M
    )
    table = instructor.timetable()
    assert said == list(zip(table.column("notebook"), table.column("minutes"), strict=True))
    assert all(item["minutes"] for item in table.items)


def test_what_goes_wrong_is_the_table_of_mistakes():
    table = instructor.troubles()
    assert table.columns == ["SYMPTOM", "CAUSE", "FIX", "LOOK"]
    assert [item["id"] for item in table.items] == [one.id for one in mistakes.MISTAKES]
    assert table.items[0]["look"] == table[0][3]
    json.dumps(table.items)


def test_in_a_terminal_the_buttons_are_the_plain_calls(monkeypatch, here, capsys):
    called = []
    monkeypatch.setattr(checks, "check", lambda step: called.append(("check", step)))
    monkeypatch.setattr(goto, "goto", lambda step: called.append(("goto", step)))
    monkeypatch.setattr(goto, "reset", lambda *step: called.append(("reset", *step)))
    buttons = instructor.step_buttons()
    first = steps.STEPS[0].id
    calls = [f'lab.check("{first}")', f'lab.goto("{first}")', "lab.reset()"]
    assert capsys.readouterr().out.splitlines() == calls == repr(buttons).splitlines()
    buttons.value = "03-service/right-port"
    for action in ("check", "goto", "reset"):
        buttons.press(action)
    step = "03-service/right-port"
    assert called == [("check", step), ("goto", step), ("reset",)]
    with pytest.raises(LabError, match="03-service/right-port"):
        buttons.value = "03-service/nonsense"
