"""docs/errors.md says what the tree of errors says."""

from pathlib import Path

from tools import errors

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_tree_makes_it():
    text = (ROOT / "docs/errors.md").read_text()
    assert text == errors.wanted(errors.REMEDIES), "run: python -m tools.errors"


def test_a_page_that_is_behind_would_be_found():
    changed = {**errors.REMEDIES, "NotUp": "something else"}
    assert errors.wanted(changed) != errors.wanted(errors.REMEDIES)


def test_every_error_has_a_remedy_and_every_remedy_an_error():
    assert [kind.__name__ for kind in errors.kinds()] == list(errors.REMEDIES)
