"""labkit/ui/widgets.py: a choice and a panel are controls in a kernel, and plain values."""

import pytest

from labkit.errors import LabError
from labkit.ui.widgets import choice

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
panel = controls.panel("step", ["a", "b"], actions, 'lab.{}("{}")'.format)
row, output = panel._widget.children
widgets = row.children
"""


def text(outputs: list[dict]) -> str:
    """What was printed: a line may arrive in pieces."""
    return "".join(output["text"] for output in outputs if output["type"] == "stream")


def test_without_a_kernel_a_choice_is_a_plain_value():
    colour = choice("colour", ["red", "blue"], "blue")
    colour.value = "red"
    assert colour.value == "red"
    with pytest.raises(LabError, match="options: red, blue"):
        colour.value = "green"
    with pytest.raises(LabError):
        choice("colour", ["red"], "green")


def test_kernel_a_choice_is_a_widget_with_a_plain_value(kernel):
    _, outputs = kernel("size = controls.choice('size', [1, 2, 4], 2)")
    shown = outputs[-1]["data"]
    assert shown["text/plain"] == "size: 2 (of 1, 2, 4)"
    assert "application/vnd.jupyter.widget-view+json" in shown
    # what a click does
    kernel("size._control.index = 2")
    _, outputs = kernel("print(size.value)")
    assert outputs == [{"type": "stream", "name": "stdout", "text": "4\n"}]


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
    _, outputs = kernel("print([w.disabled for w in widgets], notebook.click.runs)")
    assert text(outputs) == f"{[False] * 4} False\n"
