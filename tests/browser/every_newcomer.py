"""A newcomer walks a notebook by keyboard alone, slips, and does what the first hint says.

Part of `./lab test long`. newcomer.yaml has what is typed; the exercises are done as a learner does
them, in their own cell.
"""

import re
from pathlib import Path

import pytest
import yaml

from tests.browser import keyboard
from tests.browser.conftest import kept, opened

TABLE = yaml.safe_load(Path(__file__).with_name("newcomer.yaml").read_text())


@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_newcomer_comes_through_by_keyboard_and_by_the_first_hint(browser, jupyter, name):
    page = opened(browser, jupyter.url.replace("00-start", name) + "&reset", [])
    learner = keyboard.Learner(page)
    todo = list(TABLE[name]["slips"])
    exercises = dict(TABLE[name]["exercises"])
    learner.to(0)
    _slip(learner, todo, "")
    for _ in range(1, learner.cell()["last"] + 1 - learner.cell()["index"]):
        learner.to(learner.cell()["index"] + 1)
        cell = learner.cell()
        if cell["kind"] != "code":
            continue
        if "exercise" in cell["tags"]:
            learner.write(next(text for part, text in exercises.items() if part in cell["text"]))
        printed = learner.run()
        print(f"--- {cell['index']} {cell['text']}\n{printed}")
        if "lab.check(" in cell["text"]:
            assert "✓" in printed, (cell["text"], printed)
        learner.to(cell["index"])
        _slip(learner, todo, cell["text"])
    kept(page, f"newcomer-{name}")
    page.context.close()
    assert todo == []


def _slip(learner: keyboard.Learner, todo: list[dict], text: str) -> None:
    """All that is typed below the cell with that text, and what the hint makes of it."""
    here = [one for one in todo if (one["after"] in text if one["after"] else not text)]
    for one in here:
        todo.remove(one)
        printed = learner.try_below(one["wrong"])
        print(f"--- slip: {one['wrong']}\n{printed}")
        assert re.search(one["says"], printed), (one, printed)
        said = keyboard.hint(printed)
        if one.get("action") == "first cell":
            assert "run the first cell" in said, (one, printed)
            _first_cell(learner)
        else:
            line = keyboard.followed(one["wrong"], said)
            assert line, (one, printed)
            learner.to(learner.cell()["index"] - 1)
            mended = learner.try_below(line)
            assert "try:" not in mended, (one, line, mended)
        if one.get("again"):
            learner.to(learner.cell()["index"] - 1)
            printed = learner.try_below(one["wrong"])
            assert "try:" not in printed, (one, printed)
        learner.to(learner.cell()["index"] - 1)


def _first_cell(learner: keyboard.Learner) -> None:
    here = learner.cell()["index"]
    learner.to(0)
    while learner.cell()["kind"] != "code" or "lab.start()" not in learner.cell()["text"]:
        learner.to(learner.cell()["index"] + 1)
    learner.run()
    learner.to(here)
