"""jupyter/junit.py: read from files that a real pytest wrote, of tests and of a notebook."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labkit.jupyter import junit

TESTS = """
import pytest

class TestAny:
    def test_good(self): pass

def test_bad():
    assert 1 == 2, "so it is"

def test_late(record_property):
    record_property("past-limit", "true")
    raise TimeoutError("it took too long")

def test_says_so():
    raise TimeoutError("past its limit of 3 s: nobody answers")

@pytest.fixture
def broken():
    yield
    raise ValueError("torn down")

def test_left(broken): pass

@pytest.mark.skip(reason="no root here")
def test_skipped(): pass

@pytest.mark.xfail(reason="known")
def test_known(): assert False
"""
COLOUR = "\x1b"


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Name → case, of all that a pytest ran."""
    folder = tmp_path_factory.mktemp("junit")
    (folder / "test_any.py").write_text(TESTS)
    cells = [new_code_cell("1"), new_code_cell("1 / 0"), new_code_cell("2")]
    nbformat.write(new_notebook(cells=cells), folder / "any.ipynb")
    words = [sys.executable, "-P", "-m", "pytest", "-plabkit.jupyter", "--nbval-lax"]
    words += ["--nbval-current-env", *junit.options(folder / "all"), "."]
    env = {**os.environ, "HOME": str(folder)}
    subprocess.run(words, cwd=folder, env=env, check=False, capture_output=True)
    found = junit.read(folder / "all")
    assert found is not None
    return {case.name: case for case in found}


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("test_good", "passed"),
        ("test_bad", "failed"),
        ("test_left", "failed"),
        ("test_skipped", "skipped"),
        ("test_known", "failed"),
        ("Cell 0", "passed"),
        ("Cell 1", "failed"),
    ],
)
def test_each_outcome_is_told(cases, name, outcome):
    assert cases[name].outcome == outcome


def test_a_case_has_the_name_of_its_file(cases):
    assert cases["test_good"].id == "test_any.py::test_good"
    assert cases["Cell 1"].id == "any.ipynb::Cell 1"


def test_a_failure_says_what_pytest_says_around_its_error(cases):
    said = junit.excerpt(cases["test_bad"].text)
    assert '>       assert 1 == 2, "so it is"' in said
    assert "E       AssertionError: so it is" in said
    assert cases["test_known"].text.startswith("xfailed: known")
    assert "torn down" in cases["test_left"].text


def test_a_cells_failure_is_its_error_without_colours(cases):
    said = junit.excerpt(cases["Cell 1"].text)
    assert said[-1] == "ZeroDivisionError: division by zero"
    assert len(said) <= 11
    assert not any(escape in line for line in said for escape in (COLOUR, "#x1B"))


def test_past_its_limit_is_told_by_a_property_and_by_no_word_of_the_message(cases):
    assert cases["test_late"].past_limit
    assert not cases["test_says_so"].past_limit
    assert not cases["test_bad"].past_limit


def test_all_files_of_a_path_are_read_and_none_of_another(tmp_path):
    for name in ("a-1", "a-2", "ab"):
        (tmp_path / f"{name}.xml").write_text(f'<testsuite><testcase name="{name}"/></testsuite>')
    assert [case.name for case in junit.read(tmp_path / "a")] == ["a-1", "a-2"]


@pytest.mark.parametrize("text", [None, "", "<testsuite><testc"])
def test_no_file_or_a_broken_one_is_none(tmp_path, text):
    if text is not None:
        Path(tmp_path / "a.xml").write_text(text)
    assert junit.read(tmp_path / "a") is None
