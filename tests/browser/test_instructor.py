"""An instructor in JupyterLab: runs the notebook, then brings the namespace about by clicks."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from labkit.setup.host import speed
from tests.browser.conftest import OUTPUTS, RUN_ALL, Jupyter, kept, opened


@pytest.fixture(scope="module")
def desk(browser: Browser, jupyter: Jupyter, requests: list[str]) -> Iterator[Page]:
    """The instructor's notebook after Run All, in a workspace of its own."""
    url = jupyter.url.replace("/lab/tree/00-start", "/lab/workspaces/desk/tree/instructor")
    page = opened(browser, url, requests)
    page.evaluate(RUN_ALL)
    page.wait_for_function("() => window.labDone", timeout=speed.deadline(100_000))
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def shown(desk: Page) -> Locator:
    """The output that has the buttons."""
    return desk.locator(".jp-OutputArea-output", has=desk.get_by_label("step", exact=True)).first


def press(shown: Locator, name: str, call: str) -> None:
    """Clicks, sees the call that it stands for, and waits until one can click again."""
    button = shown.get_by_role("button", name=name, exact=True)
    button.click()
    expect(shown).to_contain_text(f">>> {call}")
    expect(button).to_be_enabled(timeout=speed.deadline(30_000))


def test_run_all_runs_every_cell_and_none_fails(desk):
    cells = desk.evaluate(OUTPUTS)
    errors = [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"]
    assert errors == []
    assert all(cell["count"] for cell in cells)


def test_the_list_and_the_buttons_have_names_for_a_screen_reader(shown):
    expect(shown.get_by_role("combobox", name="step", exact=True)).to_be_visible()
    for name in ("check", "goto", "reset"):
        expect(shown.get_by_role("button", name=name, exact=True)).to_be_visible()


def test_goto_says_its_call_and_what_it_did_and_does_it(desk, shown, kubectl):
    assert kubectl("get", "pods", "--output", "name") == ""
    shown.get_by_label("step", exact=True).select_option("02-pod/answer")
    press(shown, "goto", 'lab.goto("02-pod/answer")')
    expect(shown).to_contain_text("at the start of 02-pod/answer")
    assert kubectl("get", "pods", "--output", "name").split() == ["pod/ollama"]
    shown.scroll_into_view_if_needed()
    kept(desk, "browser-6-instructor-goto")


def test_a_check_that_fails_shows_its_three_lines_and_no_traceback(desk, shown):
    press(shown, "check", 'lab.check("02-pod/answer")')
    expect(shown).to_contain_text("CheckFailed: 02-pod/answer")
    expect(shown).to_contain_text("saw: ")
    expect(shown).to_contain_text("try: ")
    expect(shown).not_to_contain_text("Traceback")
    expect(shown).not_to_contain_text("lab.goto(")  # what the click before showed is gone
    kept(desk, "browser-7-instructor-check")


def test_a_check_that_passes_says_what_it_saw(shown):
    shown.get_by_label("step", exact=True).select_option("02-pod/run")
    press(shown, "check", 'lab.check("02-pod/run")')
    expect(shown).to_contain_text("✓ 02-pod/run")


def test_reset_empties_the_namespace(desk, shown, kubectl):
    press(shown, "reset", "lab.reset()")
    assert kubectl("get", "pods", "--output", "name") == ""
    kept(desk, "browser-8-instructor-reset")


def test_while_a_button_works_none_can_be_clicked(shown):
    names = ("check", "goto", "reset")
    buttons = [shown.get_by_role("button", name=name, exact=True) for name in names]
    shown.get_by_label("step", exact=True).select_option("02-pod/run")
    buttons[0].click()  # nothing is there: it asks for ten seconds
    for button in buttons:
        expect(button).to_be_disabled()
    expect(shown.get_by_label("step", exact=True)).to_be_disabled()
    for button in buttons:
        expect(button).to_be_enabled(timeout=speed.deadline(30_000))


def test_a_click_while_a_cell_runs_works_too(desk, shown):
    desk.evaluate(_RUN, "import time; time.sleep(3)")
    press(shown, "reset", "lab.reset()")
    expect(shown).to_contain_text("empty, as on the first day")


# begins code in the notebook's kernel, as a cell's
_RUN = """(code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  kernel.requestExecute({code});
}"""
