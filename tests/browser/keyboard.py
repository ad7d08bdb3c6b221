"""A learner at the keyboard: opens a notebook, runs cells, writes lines, reads what they print."""

import json
import re
import time

from playwright.sync_api import Page

from labkit.setup.host import speed

WRITE_S = 5  # into a cell
WALK_S = 60  # to any cell of a notebook
CELL_S = 240  # one that pulls, builds or measures, on the reference machine
# the active cell: its place, its kind, the number of its run, its tags, its text, what it printed
CELL = """() => {
  const panel = window.jupyterapp.shell.currentWidget, book = panel.content;
  const cell = book.activeCell;
  return JSON.stringify({
    mode: book.mode, index: book.activeCellIndex, last: book.widgets.length - 1,
    kind: cell.model.type, tags: cell.model.getMetadata("tags") || [],
    count: cell.model.executionCount ?? null, text: cell.model.sharedModel.source,
    outputs: cell.model.outputs ? cell.model.outputs.toJSON() : [],
    busy: panel.sessionContext.session?.kernel?.status,
  });
}"""


class Learner:
    """One person in one notebook, by keys alone; JavaScript only reads."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def cell(self) -> dict:
        return json.loads(self.page.evaluate(CELL))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def to(self, index: int) -> None:
        """Walk to the cell of that place."""
        deadline = time.monotonic() + speed.deadline(WALK_S)
        while (now := self.cell())["index"] != index or now["mode"] == "edit":
            # in a cell's text the first Escape may close a list of completions only
            is_edited = now["mode"] == "edit"
            self.press("Escape" if is_edited else "j" if now["index"] < index else "k")
            assert time.monotonic() < deadline, f"not at cell {index}: {now}"

    def run(self) -> str:
        """Shift+Enter: run this cell, stand on the next one; what it printed."""
        before = self.cell()
        self.press("Shift+Enter")
        if before["kind"] != "code":
            return ""
        after = self._ended(before)
        self.to(min(before["index"] + 1, after["last"]))
        return text(after["outputs"])

    def write(self, line: str) -> None:
        """Replace the text of this cell."""
        self.press("Enter", "Control+a", "Delete")
        # as pasted: JupyterLab's own closing quotes do not come between
        self.page.keyboard.insert_text(line)
        deadline = time.monotonic() + speed.deadline(WRITE_S)
        while (now := self.cell()["text"]) != line:  # the editor takes it a moment later
            assert time.monotonic() < deadline, (line, now)
            self.page.wait_for_timeout(50)

    def try_below(self, line: str) -> str:
        """A new cell below this one, with that line in it; what it printed."""
        self.to(self.cell()["index"])
        self.press("b")
        self.write(line)
        return self.run()

    def restart_kernel(self) -> None:
        self.press("Escape", "0", "0")
        self.page.locator(".jp-Dialog").wait_for()
        self.press("Enter")
        self.page.locator(".jp-Dialog").wait_for(state="detached")

    def _ended(self, before: dict) -> dict:
        """The cell that was sent, when it has its number."""
        deadline = time.monotonic() + speed.deadline(CELL_S)
        self.to(before["index"])
        while True:
            now = self.cell()
            if now["count"] not in (None, before["count"]) and now["busy"] == "idle":
                return now
            assert time.monotonic() < deadline, f"this cell has not ended: {now['text']}"
            self.page.wait_for_timeout(100)


def text(outputs: list[dict]) -> str:
    """What a cell shows, as plain text."""
    found = []
    for output in outputs:
        if output["output_type"] == "stream":
            found.append("".join(output["text"]))
        elif output["output_type"] == "error":
            found.append("\n".join(output["traceback"]))
        else:
            found.append("".join(output["data"].get("text/plain", "")))
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", "\n".join(found))


def hint(printed: str) -> str:
    """What the last `try:` of it names; empty without one."""
    lines = [line.strip() for line in printed.splitlines()]
    tries = [line.removeprefix("try:").strip() for line in lines if line.startswith("try:")]
    return tries[0] if tries else ""


def followed(wrong: str, said: str) -> str:
    """The line that a learner writes who does what the hint says, to the letter.

    >>> followed("lab.pul()", "lab.pull")
    'lab.pull()'
    >>> followed("lab.generate('x', keepalive=60)", "keep_alive= in place of keepalive=")
    "lab.generate('x', keep_alive=60)"
    >>> followed("lab.get(pods)", '"pods" in quotes, if it is a name')
    'lab.get("pods")'
    >>> followed('lab.models(at="pod/a ")', '"pod/a" in place of "pod/a "')
    'lab.models(at="pod/a")'
    >>> followed("lab.wait('pod/a')", 'lab.run("a", image="ollama/ollama") first')
    'lab.run("a", image="ollama/ollama")'
    """
    said = said.strip().rstrip(".")
    if found := re.fullmatch(r'"(.+)" in place of "(.+)"|(\S+) in place of (\S+)', said):
        right, mistake = found[1] or found[3], found[2] or found[4]
        return wrong.replace(mistake, right)
    if found := re.match(r'"(\S+)" in quotes', said):
        return wrong.replace(found[1], f'"{found[1]}"')
    if re.fullmatch(r"lab\.\w+", said):  # the right name of what was called
        return re.sub(r"^(lab\.)?\w+", said, wrong)
    if re.match(r"!?(lab\.\w+\(|kubectl |ollama |for )", said):
        line = re.split(r", (?:then|or|and|which) | first\b| shows |; ", said)[0]
        return line if line.startswith(("lab.", "for ", "!")) else f"!{line}"
    return ""
