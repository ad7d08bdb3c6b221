"""What every lesson has: a head, a link to the next lesson, and no client that loses its output."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
FOLLOWED = list(pairwise(LESSONS))
BY_NAME = {"ids": lambda file: file.stem}


def cells(file: Path, kind: str) -> list[str]:
    found = nbformat.read(file, as_version=4).cells
    return [cell.source for cell in found if cell.cell_type == kind]


@pytest.mark.parametrize("file", LESSONS, **BY_NAME)
def test_a_lesson_begins_with_its_time_its_needs_and_what_you_will_be_able_to_do(file):
    head = cells(file, "markdown")[0]
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", head, re.MULTILINE))
    assert {"time", "needs", "changes", "you will be able to"} <= rows.keys()


@pytest.mark.parametrize(("file", "following"), FOLLOWED, **BY_NAME)
def test_a_lesson_ends_with_a_link_to_the_next_one_which_links_back(file, following):
    assert f"**Next:** [{following.stem}]({following.name})" in cells(file, "markdown")[-1]
    assert f"| comes after | [{file.stem}]({file.name})" in cells(following, "markdown")[0]


@pytest.mark.parametrize("file", LESSONS, **BY_NAME)
def test_every_link_to_another_notebook_leads_to_one(file):
    linked = re.findall(r"\]\(([^)]+\.ipynb)\)", "\n".join(cells(file, "markdown")))
    assert [name for name in linked if not (NOTEBOOKS / name).exists()] == []


@pytest.mark.parametrize("file", LESSONS, **BY_NAME)
def test_a_client_that_ends_quickly_waits_for_its_body_so_that_its_output_is_seen(file):
    clients = [source for source in cells(file, "code") if "alpine/httpie" in source]
    assert [source for source in clients if "--ignore-stdin" in source] == []
    for source in clients:
        assert re.search(r"^echo .* \|\n +kubectl run .* --rm -i ", source, re.MULTILINE)
        assert "--timeout=" in source


@pytest.mark.parametrize("file", LESSONS, **BY_NAME)
def test_no_lesson_needs_slides(file):
    assert not re.search(r"\bslides?\b", "\n".join(cells(file, "markdown")), re.IGNORECASE)


def test_the_mistake_of_10_stands_in_a_folded_cell_that_prints_nothing_of_it():
    found = nbformat.read(NOTEBOOKS / "10-troubleshoot.ipynb", as_version=4).cells
    (plant,) = [cell for cell in found if "app=olama" in cell.source]
    assert plant.metadata["jupyter"]["source_hidden"]
    assert "app=olama >/dev/null" in plant.source
