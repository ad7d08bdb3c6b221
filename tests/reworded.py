"""A pytest plugin that rewords every error of labkit: `pytest -p tests.reworded tests/kube …`.

What happened and what to try are labkit's own words, and become others. What was seen may be
another program's, and stays. A test whose assertion shows the new words is one of wording, and is
skipped as such. Each other failure is a decision that was taken by a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import errors
from labkit.load.errors import LoadError

MARK = "_LAB_"  # stands before each reworded text


def reworded(text: str) -> str:
    """
    >>> reworded("pod/x is not ready")
    '_LAB_POD/X IS NOT READY'
    """
    return text if text.startswith(MARK) else f"{MARK}{text.upper()}"


def pytest_configure(config: pytest.Config) -> None:
    config.option.verbose = 2  # else an assertion is shown without the end of a long text
    for kind in (errors.LabError, LoadError):
        _reword(kind)


def _reword(kind: type[errors.LabError] | type[LoadError]) -> None:
    made = kind.__init__

    def init(self: errors.LabError, happened: str, saw: str, hint: str) -> None:
        made(self, reworded(happened), saw, reworded(hint))

    kind.__init__ = init  # type: ignore[method-assign, assignment]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report = yield
    if not (report.failed and call.when == "call" and call.excinfo):
        return report
    is_assertion = call.excinfo.errisinstance((AssertionError, pytest.fail.Exception))
    paths = [Path(str(entry.path)) for entry in call.excinfo.traceback]
    asked = [path for path in paths if path.parent.name != "_pytest"]  # pytest.raises is a frame
    is_ours = bool(asked) and asked[-1].name.startswith(("test_", "conftest"))
    if is_assertion and is_ours and MARK in str(call.excinfo.value):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, "a test of wording")
    return report
