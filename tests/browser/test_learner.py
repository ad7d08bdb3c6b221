"""A newcomer in JupyterLab: opens the printed URL, runs 00, does its exercise by keyboard."""

import re
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from labkit.setup.host import speed
from tests.browser.conftest import OUTPUTS, RUN_ALL, SOLVE

# text, its colour, and what is painted behind it
COLOURS = """() => {
  const found = [];
  for (const node of document.querySelectorAll(".jp-OutputArea-output *")) {
    const text = [...node.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join("");
    if (!text.trim() || !node.checkVisibility()) continue;
    let behind = node, colour = "rgba(0, 0, 0, 0)";
    while (behind && /, 0\\)$|transparent/.test(colour)) {
      colour = getComputedStyle(behind).backgroundColor;
      behind = behind.parentElement;
    }
    found.push([text.trim(), getComputedStyle(node).color, colour]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def states(page: Page) -> list[set[str]]:
    """Runs all of 00 once; the different texts that each output had meanwhile."""
    seen: list[set[str]] = []
    page.evaluate(SOLVE)
    page.evaluate(RUN_ALL)
    deadline = time.monotonic() + speed.deadline(120)
    while not page.evaluate("() => window.labDone"):
        assert time.monotonic() < deadline, "00 had not ended after 120 s"
        for index, text in enumerate(page.locator(".jp-OutputArea").all_inner_texts()):
            seen += [set()] * (index >= len(seen))
            seen[index] = seen[index] | {text}
    return seen


def test_the_printed_url_opens_00_and_asks_for_no_password(page, screenshot):
    expect(page.get_by_role("heading", name="00 · Start")).to_be_visible()
    assert "/lab/tree/00-start.ipynb" in page.url
    screenshot("browser-1-opened")


def test_nothing_pops_up(page):
    expect(page.locator(".jp-Notebook")).to_be_visible()
    assert page.locator(".Toastify__toast, .jp-Dialog").all_inner_texts() == []


def test_run_all_runs_every_cell_and_none_fails(page, states, screenshot):
    cells = page.evaluate(OUTPUTS)
    errors = [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"]
    assert errors == []
    assert [cell["count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert len(cells) > 10
    page.locator(".jp-OutputArea-output").last.scroll_into_view_if_needed()
    screenshot("browser-2-light")


def test_a_live_output_is_seen_to_move(states):
    assert max(len(texts) for texts in states) >= 3


def test_no_host_outside_is_asked(page, states, requests):
    hosts = {urlsplit(url).hostname for url in requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {"127.0.0.1"}


@pytest.mark.usefixtures("states")
def test_every_displayed_value_is_in_the_accessibility_tree(page):
    tree = _words(page.locator(".jp-Notebook").aria_snapshot())
    values = page.locator(".jp-OutputArea-output td, .jp-OutputArea-output th").all_inner_texts()
    values += page.locator(".jp-OutputArea-output [role=status]").all_inner_texts()
    assert len(values) > 30
    missing = [value for value in values if value.strip() and _words(value) not in tree]
    assert missing == []


@pytest.mark.usefixtures("states")
def test_tables_have_headers_and_live_outputs_are_statuses_for_a_screen_reader(page):
    assert page.get_by_role("columnheader", name="STATUS").count() >= 1
    assert page.locator(".jp-OutputArea-output").get_by_role("status").count() >= 5


@pytest.mark.usefixtures("states")
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_displayed_texts_can_be_read_in_both_themes(page, theme, screenshot):
    page.evaluate(
        f"() => window.jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}})"
    )
    wanted = str("Light" in theme).lower()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", wanted)
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)  # it covers the change
    found = page.evaluate(COLOURS)
    assert len(found) > 30
    faint = [(text, front, back) for text, front, back in found if _contrast(front, back) < 4.5]
    assert faint == []
    screenshot("browser-3-" + theme.split()[1].lower())


@pytest.mark.usefixtures("states")
def test_the_exercise_can_be_done_by_keyboard_alone(page, kubectl, screenshot):
    assert kubectl("get", "pods", "--output", "name") == ""
    keys = page.keyboard
    page.locator(".jp-Notebook").focus()
    exercise = page.evaluate(_INDEX, "exercise")
    keys.press("Escape")
    for _ in range(100):  # up to the first cell, wherever we are
        keys.press("k")
    for _ in range(exercise):
        keys.press("j")
    keys.press("Enter")
    keys.press("Control+a")
    for line in (
        'lab.run("mine", image="ollama/ollama")',
        'lab.wait("pod/mine")',
        'lab.pull(at="pod/mine")',
    ):
        keys.type(line)
        keys.press("Enter")
    keys.press("Shift+Enter")
    page.wait_for_function(_IDLE_AFTER, arg=exercise)
    keys.press("Escape")
    keys.press("j")  # over the folded solution
    keys.press("Shift+Enter")
    check = page.evaluate(_INDEX, "check-after-solution")
    output = page.locator(".jp-Cell").nth(check).locator(".jp-OutputArea-output")
    expect(output.first).to_contain_text("✓ 00-start/your-turn")
    screenshot("browser-4-keyboard")
    kubectl("delete", "pod", "mine", "--now")


# the place of the first cell with that tag, among all cells
_INDEX = """(wanted) => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  const tags = [...Array(cells.length).keys()].map(i => cells.get(i).getMetadata("tags") || []);
  if (wanted === "check-after-solution") return tags.findIndex(t => t.includes("solution")) + 1;
  return tags.findIndex(t => t.includes(wanted));
}"""
# its first answer is the run's own: three verbs, three lines that say how they ended
_IDLE_AFTER = """(index) => {
  const panel = window.jupyterapp.shell.currentWidget;
  const text = JSON.stringify(panel.content.model.cells.get(index).outputs.toJSON());
  return panel.sessionContext.session.kernel.status === "idle" && text.includes("pulled");
}"""


def test_the_table_of_contents_lists_the_sections(page):
    page.evaluate("() => { window.jupyterapp.commands.execute('toc:show-panel') }")
    contents = page.locator(".jp-TableOfContents-content")
    turn = "Your turn: a Pod mine that answers"
    for heading in ("Run Ollama", "Pull a model", "Ask", turn, "Tidy up"):
        expect(contents.get_by_role("treeitem", name=heading, exact=True)).to_be_visible()


def test_a_terminal_in_jupyterlab_acts_in_the_learners_namespace(page, jupyter, screenshot):
    page.evaluate("() => { window.jupyterapp.commands.execute('terminal:create-new') }")
    terminal = page.locator(".jp-Terminal .xterm-helper-textarea")
    terminal.wait_for(state="attached")
    terminal.focus()
    file = jupyter.work / "seen.txt"
    space = "kubectl config view --minify -o jsonpath='{..namespace}'"
    page.keyboard.type(f"echo $({space}) $MODEL > seen.part && mv seen.part seen.txt")
    page.keyboard.press("Enter")
    deadline = time.monotonic() + speed.deadline(20)
    while not file.exists():
        assert time.monotonic() < deadline, "the terminal has not run the line"
        page.wait_for_timeout(100)
    assert re.fullmatch(r"lab \S+/lab-llama", file.read_text().strip())
    screenshot("browser-5-terminal")


def test_nothing_was_written_to_the_users_own_jupyter(page, jupyter):
    written = {path.name for path in jupyter.home.iterdir()}
    assert not written & {".jupyter", ".ipython", ".local"}, written


def _words(text: str) -> str:
    return re.sub(r"[^\w%.✓✗■-]+", " ", text).strip()


def _contrast(front: str, back: str) -> float:
    """The ratio of WCAG 2 between two CSS colours: 1 to 21."""
    bright, dark = sorted((_luminance(front), _luminance(back)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
