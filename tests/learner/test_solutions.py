"""labkit/learner/solutions.py: no Run of a learner does an exercise, and every solution is read."""

import json

import nbformat
import pytest

from labkit.jupyter.limits import tags
from labkit.learner import places, solutions

LESSONS = sorted(places.lessons().glob("[0-9]*.ipynb"))
FOLDED = "<details>\n<summary>A solution</summary>\n\n```python\n{}\n```\n\n</details>"


def exercises(file) -> list[list]:
    """The cell of each exercise of a lesson, and the two after it."""
    cells = nbformat.read(file, as_version=4).cells
    return [cells[n : n + 3] for n, cell in enumerate(cells) if "exercise" in tags(cell)]


@pytest.mark.parametrize("file", LESSONS, ids=lambda file: file.stem)
def test_no_cell_that_runs_does_an_exercise(file):
    for exercise, solution, check in exercises(file):
        assert [line for line in exercise.source.splitlines() if not line.startswith("#")] == []
        assert solution.cell_type == "markdown" and solutions.code(solution)
        assert "check" in tags(check)
        step = check.source.partition('lab.check("')[2].partition('"')[0]
        assert solutions.of(step) == solutions.code(solution)


def test_there_are_as_many_exercises_as_solutions_and_enough_of_both():
    cells = [cell for file in LESSONS for cell in nbformat.read(file, as_version=4).cells]
    found = sum(len(exercises(file)) for file in LESSONS)
    assert found == sum(map(solutions.is_solution, cells)) >= 12


def test_a_step_without_an_exercise_has_no_solution():
    assert solutions.of("00-start/run") == solutions.of("03-service/answers") == ""


@pytest.mark.parametrize(
    "source",
    [
        "```python\n1\n```",
        "<details>\n<summary>A</summary>\n```python\n1\n```\n</details>",  # shown as plain text
        "<details>\n\n```python\n1\n```\n\n</details>",
        f"{FOLDED.format('1')}\n\nMore text.",
        FOLDED.format("1\n```\n\n```python\n2"),
        FOLDED.format("").replace("python\n\n", "python\n"),
    ],
)
def test_another_form_is_no_solution_and_stays_what_it_is(source):
    cell = {"cell_type": "markdown", "metadata": {"tags": ["solution"]}, "source": source}
    assert solutions.code(cell) is None
    assert solutions.runnable({"cells": [dict(cell)]}) == {"cells": [cell]}


def test_only_a_cell_with_the_tag_is_run():
    cell = {"cell_type": "markdown", "metadata": {}, "source": FOLDED.format("1")}
    assert solutions.runnable({"cells": [dict(cell)]}) == {"cells": [cell]}
    cell["metadata"] = {"tags": ["solution", "work-pull"]}
    (run,) = solutions.runnable({"cells": [dict(cell, id="x")]})["cells"]
    assert run == {
        "cell_type": "code",
        "execution_count": None,
        "id": "x",
        "metadata": {"tags": ["solution", "work-pull"]},
        "outputs": [],
        "source": "1",
    }


def test_a_source_may_be_a_list_of_lines_as_in_the_file():
    cell = {"source": FOLDED.format("1\n2").splitlines(keepends=True)}
    assert solutions.code(json.loads(json.dumps(cell))) == "1\n2"
