"""labkit/ui/live.py: what a pipe and a kernel show of an operation, and of how it ends."""

import threading
import time

import pytest

from labkit.errors import LabError
from labkit.ui.live import Live, echo

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

BEHIND = """
go, end = threading.Event(), threading.Event()
def work():
    go.wait(30); live.show("in a later cell")
    live.done("at its end"); end.set()
live = display.Live("behind")
live.show("begun")
threading.Thread(target=work).start()
"""


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


def test_an_error_leaves_what_failed_and_says_itself_why(capsys):
    with pytest.raises(LabError), Live("pull"):
        raise LabError("no such model", "404", "ollama list")
    with pytest.raises(ZeroDivisionError), Live("divide"):
        _ = 1 / 0
    assert capsys.readouterr().out == "✗ failed: pull\n✗ failed: divide (ZeroDivisionError)\n"


def test_an_answer_takes_the_place_of_the_state_before_it(capsys):
    with Live("ask") as live:
        live.show("loading the model")
        live.append("A ")
        live.append("Pod.")
    assert capsys.readouterr().out == "loading the model\nA Pod.\n"


def test_an_answer_loses_its_escape_sequences_wherever_they_are_cut(capsys):
    with Live("pull") as live:
        for part in ("suc\x1b", "[Kcess [", "K\x1b[?2", "026l\n", "an end\x1b[1"):
            live.append(part)
        live.done("\x1b[32mdone\x1b[0m")
    assert capsys.readouterr().out == "success [K\nan end1\n✓ done\n"


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
    assert outputs[-2]["data"]["text/plain"] == "A <b>Pod\n✗ failed: ask"
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


def test_kernel_what_is_shown_while_a_later_cell_runs_belongs_to_its_own(kernel):
    """ipykernel from 7.1 on gives what a thread shows to whichever cell runs then."""
    client = kernel.__self__.client
    asked = []
    shown: dict[str, list[str]] = {}
    for code in (BEHIND, "go.set(); end.wait(30); print('mine')"):
        asked.append(client.execute(code))
        kind, state = "", ""
        while (kind, state) != ("status", "idle"):
            message = client.get_iopub_msg(timeout=60)
            parent, kind = message["parent_header"].get("msg_id"), message["msg_type"]
            state = message["content"].get("execution_state", "") if parent == asked[-1] else ""
            if "data" in message["content"] or kind == "stream":
                text = message["content"].get("text") or message["content"]["data"]["text/plain"]
                shown.setdefault(parent, []).append(f"{kind}: {text.strip()}")
        client.get_shell_msg(timeout=60)
    assert shown[asked[1]] == ["stream: mine"]
    first, *_, last = shown[asked[0]]
    assert (first, last) == ("display_data: begun", "update_display_data: ✓ at its end")
