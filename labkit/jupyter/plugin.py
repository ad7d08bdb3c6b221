"""A pytest plugin for notebooks in the lab: `pytest -p labkit.jupyter.plugin --nbval-lax …`.

| what it adds to nbval | how a notebook chooses it |
|---|---|
| a namespace of its own for each notebook, removed after it | not with `--lab-no-namespace` |
| the first failing cell ends its notebook | always |
| a dead kernel is noticed, no message is lost | always (kernel.py) |
| a cell past its limit fails, whatever it does | always; tags `work-…` say the kind of work |
| no cell is expected to fail, none passes against that, and none is left out | always |
| a folded solution is run; the check of its exercise fails before it | tags `solution`, `check` |
| what the cell showed, events, Pods and logs in the report of a failure | always |
| the executed notebook, as it would look | folder `$LAB_ARTIFACTS`, else `artifacts/` |
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import nbformat
import nbval.plugin
import pytest

from labkit.errors import LabError
from labkit.jupyter import executed, junit, namespace
from labkit.jupyter.kernel import CellCutOff, Kernel
from labkit.jupyter.limits import limit_s, tags
from labkit.learner import places, solutions

CHECK_WAIT = "LAB_CHECK_WAIT_S"  # labkit.lessons.checks reads it
_STATE = pytest.StashKey["_Notebook"]()
_MADE = pytest.StashKey[list[str]]()


class _Reader:
    """What nbval takes for nbformat: it reads solutions, which are Markdown, as cells to run."""

    def read(self, *args: Any, **options: Any) -> nbformat.NotebookNode:
        return solutions.runnable(nbformat.read(*args, **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(nbformat, name)


class _Notebook:
    """One notebook while it runs."""

    def __init__(self) -> None:
        self.namespace = ""
        self.before: dict[str, str] = {}
        self.begun = time.monotonic()
        self.work = tempfile.TemporaryDirectory(prefix="work-")  # of a learner who begins
        self.failed = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("labkit", "notebooks in the lab")
    text = "run the notebooks where they say, without a namespace of their own"
    group.addoption("--lab-no-namespace", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    nbval.plugin.RunningKernel = Kernel  # looked up when a notebook begins
    nbval.plugin.nbformat = _Reader()  # and this, when one is collected
    config.stash[_MADE] = []
    # the process that a namespace's label names: this one, or the one whose worker this is
    os.environ.setdefault("LAB_PROVING_PID", str(os.getpid()))
    worker = hasattr(config, "workerinput")
    if not worker and not config.option.lab_no_namespace:
        namespace.remove_leftovers()


def pytest_unconfigure(config: pytest.Config) -> None:
    made = config.stash.get(_MADE, [])
    try:
        namespace.remove(*made)  # also of a notebook that Ctrl-C ended
    except LabError as error:  # the next run removes what a silent API server did not
        print(error, file=sys.stderr)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if not isinstance(item, nbval.plugin.IPyNbCell):
        return
    notebook = item.parent.stash.get(_STATE, None)
    if notebook is None:  # its first cell: nbval starts the kernel after this
        notebook = item.parent.stash[_STATE] = _Notebook()
        _begin(item.config, item.parent, notebook)
    if notebook.failed:
        pytest.skip(f"not run: {notebook.failed} of this notebook failed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    if not isinstance(item, nbval.plugin.IPyNbCell):
        return (yield)
    option = item.config.option
    before, option.nbval_cell_timeout = option.nbval_cell_timeout, limit_s(item.cell)
    try:
        if "solution" in tags(item.cell):
            _fails_before(item)
        try:
            result = yield
        finally:
            item.test_outputs = _shown(item)
    except CellCutOff as error:
        _cut_off(item, error)
    except pytest.skip.Exception:  # a comment or a tag of nbval's: the linter names the line
        item.raise_cell_error("this cell was left out, and proves nothing: take its mark away")
    finally:
        option.nbval_cell_timeout = before
    if too_long := executed.too_long(item.parent.nb, item.test_outputs):
        item.raise_cell_error(too_long)
    if item.parent.kernel.status != "ok" and not item.options["check_exception"]:
        why = "this cell failed without an error message: something in it hides its error"
        item.raise_cell_error(why)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)  # so that it has the last word
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    report = yield
    if not isinstance(item, nbval.plugin.IPyNbCell):
        return report
    if hasattr(report, "wasxfail"):  # nbval expects cells to fail after one that took too long
        report.outcome = "failed"
        report.longrepr = f"no cell of a notebook is expected to fail: {report.wasxfail}"
        del report.wasxfail
    if report.failed and report.when != "teardown":
        notebook = item.parent.stash[_STATE]
        notebook.failed = notebook.failed or item.name
        report.sections.append(("what the cell showed", executed.text(item.test_outputs or [])))
        if notebook.namespace:
            report.sections.extend(namespace.describe(notebook.namespace))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    result = yield
    if isinstance(item, nbval.plugin.IPyNbCell) and (
        nextitem is None or nextitem.parent is not item.parent
    ):
        notebook = item.parent.stash[_STATE]
        seconds = time.monotonic() - notebook.begun
        executed.write(item.parent, item.session.items, seconds, notebook.failed)
        if notebook.namespace:
            namespace.remove(notebook.namespace)
        os.environ.clear()
        os.environ.update(notebook.before)
        notebook.work.cleanup()
    return result


def _begin(config: pytest.Config, file: pytest.File, notebook: _Notebook) -> None:
    notebook.before = dict(os.environ)
    os.environ[places.WORK] = notebook.work.name
    os.environ["JPY_SESSION_NAME"] = str(file.path)  # as Jupyter tells a kernel its notebook
    if config.option.lab_no_namespace:
        return
    notebook.namespace = namespace.make(file.path)
    config.stash[_MADE].append(notebook.namespace)
    os.environ["LAB_NAMESPACE"] = notebook.namespace  # which the kernel inherits


def _fails_before(item: nbval.plugin.IPyNbCell) -> None:
    """An exercise whose check passes before the work proves nothing."""
    cells = [cell for cell in item.parent.nb.cells if cell.cell_type == "code"]
    check = next((cell for cell in cells[item.cell_num + 1 :] if "check" in tags(cell)), None)
    if check is None:
        item.raise_cell_error("this solution has no check cell after it")
    kernel = item.parent.kernel
    kernel.failure(f"__import__('os').environ['{CHECK_WAIT}'] = '0'", limit_s({}))
    try:
        error = kernel.failure(check.source, limit_s(check))
    except CellCutOff as cut_off:
        _cut_off(item, cut_off, "the check after this solution, run before it: ")
    kernel.failure(f"del __import__('os').environ['{CHECK_WAIT}']", limit_s({}))
    if error is None:
        item.raise_cell_error("the check after this solution passes without it")
    if error[0] != "CheckFailed":
        text = f"the check after this solution must fail as CheckFailed before it, not {error}"
        item.raise_cell_error(text)


def _shown(item: nbval.plugin.IPyNbCell) -> list[nbformat.NotebookNode]:
    """What the cell left to be seen, in the order in which it came.

    nbval joins all of a cell's lines into one output, before its displays.
    """
    return [nbformat.v4.output_from_msg(message) for message in item.parent.kernel.shown]


def _cut_off(item: nbval.plugin.IPyNbCell, error: CellCutOff, what: str = "") -> NoReturn:
    """Fail this cell with what was said and shown until then."""
    item.user_properties.append(junit.PAST_LIMIT)
    item.test_outputs = [nbformat.v4.output_from_msg(message) for message in error.outputs]
    traces = [output.traceback for output in item.test_outputs if "traceback" in output]
    item.raise_cell_error(f"{what}{error}", "\n".join(line for trace in traces for line in trace))
