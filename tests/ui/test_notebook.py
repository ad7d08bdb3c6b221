"""labkit/ui/notebook.py: results and failed commands in a kernel; nothing of it outside one."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from labkit.ui import notebook
from labkit.ui.notebook import Shown, in_notebook

SHOWN = """
class Result(notebook.Shown):
    def __repr__(self): return "the result"
    def _repr_html_(self): return "<b>the result</b>"
result = Result()
result"""


def test_outside_a_kernel_nothing_of_ipython_is_imported():
    code = (
        "import sys\n"
        "from labkit.ui import live, notebook, widgets\n"
        "widgets.choice('n', [1, 2], 1); notebook.on_failed_command(); notebook.Shown()\n"
        "with live.Live('x') as shown: shown.show('y')\n"
        "print(sorted({'IPython', 'ipywidgets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "y\n[]\n"
    assert not in_notebook()


@pytest.mark.parametrize(
    ("cell", "happened"),
    [
        ("!false", "false ended with exit code 1"),
        ("!echo no; exit 3", "echo no; exit 3 ended with exit code 3"),
        ("%%bash -e\nfalse\necho on", "false ended with exit code 1"),
        ("import subprocess; subprocess.run(['ls', '/a b'], check=True)", "ls '/a b' ended with"),
    ],
)
def test_kernel_a_failed_command_fails_its_cell_in_three_lines(kernel, cell, happened):
    status, outputs = kernel(cell)
    assert status == "error"
    error = outputs[-1]
    assert error["ename"] == "CommandFailed" and len(error["traceback"]) == 3
    assert error["traceback"][0].startswith(f"CommandFailed: {happened}")


def test_kernel_a_result_is_painted_in_later_cells_only(kernel):
    assert kernel(SHOWN) == ("ok", [])
    _, outputs = kernel("result")
    assert outputs[0]["data"] == {
        "text/plain": "the result",
        "text/html": "<b>the result</b>",
    }


COLOURED = r"""
class Coloured(notebook.Shown):
    def __repr__(self): return "a \x1b[1mre\x1b[0msult\x1b[?25h [K"
coloured = Coloured()"""
STATE = r"""
with display.Live("x") as live:
    live.show("\x1b[32msuccess\x1b[K")
"""


def test_kernel_no_output_shows_an_escape_sequence(kernel):
    kernel(COLOURED)
    _, outputs = kernel("coloured")
    assert outputs[0]["data"] == {"text/plain": "a result [K"}
    _, outputs = kernel(STATE)
    assert "<span>success</span>" in outputs[-1]["data"]["text/html"]
    assert outputs[-1]["data"]["text/plain"] == "success"


def test_a_result_may_be_a_frozen_dataclass():
    @dataclass(frozen=True)
    class Result(Shown):
        text: str

    assert Result("x") == Result("x") and "x" in repr(Result("x"))


def test_a_long_text_scrolls_in_a_box_once_all_of_it_is_there_and_a_short_one_has_none(monkeypatch):
    shown = []
    monkeypatch.setattr(notebook, "display", lambda bundle, **_: shown.append(bundle))
    for text, last in (("line\n" * 16, True), ("line\n" * 15, True), ("line\n" * 16, False)):
        notebook.NotebookOutput().paint(text, "", "", last=last)
    assert ['tabindex="0"' in bundle["text/html"] for bundle in shown] == [True, False, False]
    assert all(bundle["text/plain"].startswith("line\nline\n") for bundle in shown)
