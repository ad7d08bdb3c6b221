"""labkit/jupyter/copies.py: the learner's copies are brought, and never written over."""

import pytest

from labkit.jupyter import copies
from labkit.learner import places


@pytest.fixture
def school(tmp_path):
    """The folders of the lessons, with one in it, and of the learner."""
    source, work = tmp_path / "notebooks", tmp_path / "work"
    source.mkdir()
    (source / "00-start.ipynb").write_text("first")
    return source, work


def names(work) -> list[str]:
    return sorted(file.name for file in work.glob("*.ipynb"))


def test_what_is_missing_is_brought(school):
    source, work = school
    assert copies.refresh(work, source) == []
    assert (work / "00-start.ipynb").read_text() == "first"
    (source / "01-ollama.ipynb").write_text("later")
    copies.refresh(work, source)
    assert names(work) == ["00-start.ipynb", "01-ollama.ipynb"]


def test_a_copy_that_the_learner_works_in_is_left_alone(school):
    source, work = school
    copies.refresh(work, source)
    (work / "00-start.ipynb").write_text("first, with my outputs")
    assert copies.refresh(work, source) == []
    assert (work / "00-start.ipynb").read_text() == "first, with my outputs"
    assert names(work) == ["00-start.ipynb"]


def test_a_changed_lesson_arrives_beside_the_copy_and_is_told_once(school):
    source, work = school
    copies.refresh(work, source)
    (source / "00-start.ipynb").write_text("second")
    assert copies.refresh(work, source) == ["00-start.new.ipynb"]
    assert copies.refresh(work, source) == []
    assert (work / "00-start.ipynb").read_text() == "first"
    assert (work / "00-start.new.ipynb").read_text() == "second"


def test_a_third_edition_replaces_an_untouched_second_and_no_touched_one(school):
    source, work = school
    copies.refresh(work, source)
    for edition in ("second", "third"):
        (source / "00-start.ipynb").write_text(edition)
        assert copies.refresh(work, source) == ["00-start.new.ipynb"]
    (work / "00-start.new.ipynb").write_text("third, with my outputs")
    (source / "00-start.ipynb").write_text("fourth")
    assert copies.refresh(work, source) == ["00-start.new-2.ipynb"]
    assert (work / "00-start.new.ipynb").read_text() == "third, with my outputs"


def test_a_new_edition_that_the_learner_deleted_does_not_come_back(school):
    source, work = school
    copies.refresh(work, source)
    (source / "00-start.ipynb").write_text("second")
    copies.refresh(work, source)
    (work / "00-start.new.ipynb").unlink()
    assert copies.refresh(work, source) == []
    assert names(work) == ["00-start.ipynb"]


def test_a_deleted_copy_comes_back_as_it_is_today(school):
    source, work = school
    copies.refresh(work, source)
    (work / "00-start.ipynb").unlink()
    copies.refresh(work, source)
    assert (work / "00-start.ipynb").read_text() == "first"


@pytest.mark.parametrize("record", [None, "", "{", "[]"])
def test_without_its_record_nothing_of_the_learners_is_lost(school, record):
    source, work = school
    copies.refresh(work, source)
    (work / "00-start.ipynb").write_text("mine")
    (work / places.LESSONS).unlink()
    if record is not None:
        (work / places.LESSONS).write_text(record)
    assert copies.refresh(work, source) == ["00-start.new.ipynb"]
    assert (work / "00-start.ipynb").read_text() == "mine"
