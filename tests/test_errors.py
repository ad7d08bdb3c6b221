"""labkit/errors.py: every error is three lines, and the tree in the docstring is the real one."""

import re

import pytest

from labkit import errors
from labkit.errors import BuildFailed, CheckFailed, LabError, OllamaSaid, PodFailed

CLASSES = [value for value in vars(errors).values() if isinstance(value, type)]
ERRORS = [value for value in CLASSES if issubclass(value, LabError)]


# what some errors carry beside their three lines
EXTRA = {
    BuildFailed: {"log": "build.log"},
    PodFailed: {"reason": "OOMKilled"},
    CheckFailed: {"verdict": None},
}


def make(kind: type[LabError], *parts: str) -> LabError:
    extra = {"status": 500} if issubclass(kind, OllamaSaid) else EXTRA.get(kind, {})
    return kind(*parts, **extra)


def test_the_docstring_draws_exactly_the_classes_that_exist():
    drawn = re.findall(r"[├└]── (\w+) +\S", errors.__doc__)
    assert sorted(drawn) == sorted(kind.__name__ for kind in ERRORS if kind is not LabError)


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_is_three_lines_whatever_its_parts_are(kind):
    error = make(kind, "it\nhappened", "  line 1\n\n line 2\r\n", "this\tcommand")
    lines = str(error).splitlines()
    assert lines[:2] == [f"{kind.__name__}: it happened", "saw: line 1 line 2"]
    assert lines[2].startswith("try: this command")
    assert len(lines) == 3
    assert (error.happened, error.saw) == ("it happened", "line 1 line 2")


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_ends_the_command_with_no_or_could_not_tell(kind):
    assert kind.exit_code in (1, 2)


def test_a_notebook_shows_the_three_lines_in_place_of_a_traceback():
    error = LabError("a", "b", "c")
    assert error._render_traceback_() == ["LabError: a", "saw: b", "try: c"]


def test_a_failed_build_names_its_log():
    error = make(BuildFailed, "a", "b", "c")
    assert str(error.log) == "build.log"
    assert error.hint == "c (the whole output is in build.log)"
