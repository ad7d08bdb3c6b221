import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from labkit.display import Live, Shown, choice, echo, in_notebook
from labkit.errors import LabError

MANY = """
with display.Live("count") as live:
    for number in range(2000):
        live.show(f"{number} of 2000")
        end = time.monotonic() + 0.0005
        while time.monotonic() < end: pass
"""
LONG = """
with display.Live("a long pull") as live:
    live.show("7 of 9 MB")
    threading.Event().wait(30)
"""
FAILING = """
with display.Live("ask") as live:
    live.append("A <b>Pod")
    raise LabError("it broke", "nothing", "again")
"""
ANSWER = """
with display.Live("ask") as live:
    live.show("loading the model")
    live.append("A ")
    live.append("Pod.")
"""
LATE = """
painted = threading.Event()
with display.Live("quiet") as live:
    surface = live._surface
    whole = surface.paint
    surface.paint = lambda stream, line, html, **how: (
        whole(stream, line, html, **how), line == "second" and painted.set())
    live.show("first"); live.show("second")
    assert painted.wait(5) and not live._over
    live.done("over")
"""
BACKGROUND = """
def work():
    for number in range(300): live.show(f"{number}")
with display.Live("thread") as live:
    thread = threading.Thread(target=work)
    thread.start(); thread.join()
    live.done("300 steps")
"""
SHOWN = """
class Result(display.Shown):
    def __repr__(self): return "the result"
    def _repr_html_(self): return "<b>the result</b>"
result = Result()
result"""


class Kernel:
    """A real kernel; `run` gives the cell's status and its outputs, in order."""

    def __init__(self) -> None:
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3", transport="ipc")
        self.manager.start_kernel(stderr=subprocess.DEVNULL)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, *, interrupt_at_output: bool = False) -> tuple[str, list[dict]]:
        outputs: list[dict] = []

        def on_output(message: dict) -> None:
            if message["msg_type"] not in ("status", "execute_input"):
                outputs.append({"type": message["msg_type"], **message["content"]})
                if len(outputs) == 1 and interrupt_at_output:
                    self.manager.interrupt_kernel()

        reply = self.client.execute_interactive(code, timeout=60, output_hook=on_output)
        return reply["content"]["status"], outputs

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Callable]:
    started = Kernel()
    status, _ = started.run(
        "import sys, threading, time\n"
        "from labkit import display\n"
        "from labkit.errors import LabError\n"
        "display.on_failed_command()"
    )
    assert status == "ok"
    yield started.run
    started.stop()


def test_outside_a_kernel_nothing_of_ipython_is_imported():
    code = (
        "import sys, labkit.display as d; d.choice('n', [1, 2], 1); d.on_failed_command()\n"
        "with d.Live('x') as live: live.show('y')\n"
        "d.Shown(); print(sorted({'IPython', 'ipywidgets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "y\n[]\n"
    assert not in_notebook()


def test_echo_prints_the_line_behind_a_prompt(capsys):
    echo("kubectl get pods -l 'a in (b)'")
    assert capsys.readouterr().out == "$ kubectl get pods -l 'a in (b)'\n"


def test_a_pipe_shows_progress_by_quarters(capsys):
    with Live("pull") as live:
        for megabytes in range(101):
            live.progress(megabytes, 100, f"{megabytes} MB")
        live.done("pulled")
    assert capsys.readouterr().out.splitlines() == [
        "0 % 0 MB",
        "25 % 25 MB",
        "50 % 50 MB",
        "75 % 75 MB",
        "100 % 100 MB",
        "✓ pulled",
    ]


def test_an_interrupt_leaves_stopped_and_goes_on(capsys):
    with pytest.raises(KeyboardInterrupt), Live("pull lab-llama") as live:
        live.show("7 of 9 MB")
        raise KeyboardInterrupt
    assert capsys.readouterr().out.endswith("■ stopped: pull lab-llama (last seen: 7 of 9 MB)\n")


def test_an_error_leaves_what_happened_and_goes_on(capsys):
    with pytest.raises(LabError), Live("pull"):
        raise LabError("no such model", "404", "ollama list")
    with pytest.raises(ZeroDivisionError), Live("divide"):
        _ = 1 / 0
    assert capsys.readouterr().out == "✗ failed: no such model\n✗ failed: ZeroDivisionError\n"


def test_an_answer_takes_the_place_of_the_state_before_it(capsys):
    with Live("ask") as live:
        live.show("loading the model")
        live.append("A ")
        live.append("Pod.")
    assert capsys.readouterr().out == "loading the model\nA Pod.\n"


def test_after_its_end_a_late_thread_changes_nothing(capsys):
    with Live("pull") as live:
        live.done("pulled")
        live.show("99 %", milestone=True)
        live.append("more")
    assert capsys.readouterr().out == "✓ pulled\n"


def test_threads_may_show_at_the_same_time(capsys):
    with Live("race") as live:
        threads = [
            threading.Thread(target=lambda: [live.show("same", milestone=True) for _ in range(200)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert capsys.readouterr().out == "same\n"


def test_without_a_kernel_a_choice_is_a_plain_value():
    colour = choice("colour", ["red", "blue"], "blue")
    colour.value = "red"
    assert colour.value == "red"
    with pytest.raises(LabError, match="options: red, blue"):
        colour.value = "green"
    with pytest.raises(LabError):
        choice("colour", ["red"], "green")


def test_kernel_two_thousand_states_are_one_output_repainted_four_times_a_second(kernel):
    began = time.monotonic()
    status, outputs = kernel(MANY)
    took_s = time.monotonic() - began
    assert status == "ok"
    assert [output["type"] for output in outputs] == [
        "display_data",
        *["update_display_data"] * (len(outputs) - 1),
    ]
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    assert 3 <= len(outputs) <= 2 + 4 * took_s
    assert outputs[-1]["data"]["text/plain"] == "1999 of 2000"
    assert 'aria-busy="true"' in outputs[0]["data"]["text/html"]
    assert '<div role="status" style' in outputs[-1]["data"]["text/html"]


def test_kernel_a_state_before_a_long_silence_is_painted(kernel):
    status, outputs = kernel(LATE)
    assert status == "ok", outputs
    assert [o["data"]["text/plain"] for o in outputs] == ["first", "second", "✓ over"]


def test_kernel_an_interrupt_leaves_stopped(kernel):
    status, outputs = kernel(LONG, interrupt_at_output=True)
    assert status == "error" and outputs[-1]["ename"] == "KeyboardInterrupt"
    shown = outputs[-2]["data"]
    assert shown["text/plain"] == "■ stopped: a long pull (last seen: 7 of 9 MB)"
    assert "■ <span>stopped: a long pull" in shown["text/html"]


def test_kernel_an_error_keeps_the_answer_so_far_and_shows_three_lines(kernel):
    status, outputs = kernel(FAILING)
    assert status == "error"
    assert outputs[-2]["data"]["text/plain"] == "A <b>Pod\n✗ failed: it broke"
    assert "A &lt;b&gt;Pod" in outputs[-2]["data"]["text/html"]
    assert outputs[-1]["traceback"] == ["LabError: it broke", "saw: nothing", "try: again"]


def test_kernel_an_answer_takes_the_place_of_the_state_before_it(kernel):
    _, outputs = kernel(ANSWER)
    assert outputs[0]["data"]["text/plain"] == "loading the model"
    assert outputs[-1]["data"]["text/plain"] == "A Pod."
    assert "loading" not in outputs[-1]["data"]["text/html"]


def test_kernel_a_background_thread_paints_into_the_same_output(kernel):
    status, outputs = kernel(BACKGROUND)
    assert status == "ok"
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    assert outputs[-1]["data"]["text/plain"] == "✓ 300 steps"


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


def test_kernel_a_choice_is_a_widget_with_a_plain_value(kernel):
    _, outputs = kernel("size = display.choice('size', [1, 2, 4], 2)")
    shown = outputs[-1]["data"]
    assert shown["text/plain"] == "size: 2 (of 1, 2, 4)"
    assert "application/vnd.jupyter.widget-view+json" in shown
    # what a click does
    kernel("size._control.index = 2")
    _, outputs = kernel("print(size.value)")
    assert outputs == [{"type": "stream", "name": "stdout", "text": "4\n"}]


def test_a_result_may_be_a_frozen_dataclass():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Result(Shown):
        text: str

    assert Result("x") == Result("x") and "x" in repr(Result("x"))


PANEL = """
import ipywidgets
def work(name):
    state["disabled"] = [w.disabled for w in widgets]
    with display.Live("work") as live:
        live.show("begun"); live.done(f"worked on {name}")
def fail(name): raise LabError("it broke", "nothing", "again")
def stop(name): raise KeyboardInterrupt
state = {}
actions = {"work": work, "fail": fail, "stop": stop}
panel = display.panel("step", ["a", "b"], actions, 'lab.{}("{}")'.format)
row, output = panel._widget.children
widgets = row.children
"""


def text(outputs: list[dict]) -> str:
    """What was printed: a line may arrive in pieces."""
    return "".join(output["text"] for output in outputs if output["type"] == "stream")


def test_kernel_a_panel_is_named_controls_with_the_plain_calls_as_text(kernel):
    status, outputs = kernel(PANEL)
    assert status == "ok", outputs
    (shown,) = [o["data"] for o in outputs if o["type"] == "display_data"]
    assert shown["text/plain"].splitlines()[0] == 'lab.work("a")'
    assert "application/vnd.jupyter.widget-view+json" in shown
    _, outputs = kernel("print([w.description for w in widgets], widgets[1].tooltip)")
    assert text(outputs) == "['step', 'work', 'fail', 'stop'] lab.work(\"…\")\n"


def test_kernel_a_click_does_the_work_in_plain_lines_with_the_buttons_off(kernel):
    kernel(PANEL)
    status, outputs = kernel("panel.value = 'b'; widgets[1].click()")
    assert status == "ok", outputs
    assert text(outputs) == '>>> lab.work("b")\nbegun\n✓ worked on b\n'
    _, outputs = kernel("print(state, [w.disabled for w in widgets])")
    assert text(outputs) == f"{{'disabled': {[True] * 4}}} {[False] * 4}\n"


@pytest.mark.parametrize(
    ("button", "shown"),
    [
        (2, '>>> lab.fail("a")\nLabError: it broke\nsaw: nothing\ntry: again\n'),
        (3, '>>> lab.stop("a")\n'),
    ],
)
def test_kernel_a_click_that_fails_shows_three_lines_and_the_buttons_work_again(
    kernel, button, shown
):
    kernel(PANEL)
    status, outputs = kernel(f"widgets[{button}].click()")
    assert status == "ok", outputs
    assert text(outputs) == shown
    _, outputs = kernel("print([w.disabled for w in widgets], display._panel.works)")
    assert text(outputs) == f"{[False] * 4} False\n"
