"""The mistakes of beginners, and the three lines that each is answered with; all of them exact.

`first_hints/*.yaml` has them: a cell of a notebook, or a line of `./lab`, and what answers it.
Where `cluster` names a file of tests/cluster and a part of it, a test there makes the mistake in a
real cluster; tests/browser/newcomer.yaml makes twenty in a browser.
"""

from __future__ import annotations

import json
import linecache
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

import labkit
from labkit.commands import main
from labkit.errors import LabError
from labkit.kube import session
from labkit.setup.host import lock
from labkit.setup.host.progress import Reporter
from labkit.ui import cell_commands, cell_errors, notebook_file

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parents[1] / "notebooks"
FILES = sorted((HERE / "first_hints").glob("*.yaml"))
ROWS = {
    row["mistake"]: {**row, "file": file.stem}
    for file in FILES
    for row in yaml.safe_load(file.read_text())
}


def status(code: int, reason: str, message: str) -> dict:
    return {"kind": "Status", "code": code, "reason": reason, "message": message}


class World:
    """What answers a cell: an API server, with Ollama behind its proxy paths, and a local one."""

    def __init__(self, discovery: dict[str, dict], answers: dict[str, object]) -> None:
        self._known = json.loads(json.dumps(discovery))
        event = {"resource": "events", "singularResource": "event", "scope": "Namespaced"}
        kinds = self._known["/api"]["items"][0]["versions"][0]["resources"]
        kinds.append({**event, "responseKind": {"kind": "Event"}, "shortNames": ["ev"]})
        self._answers = {}
        for asked, found in answers.items():
            method, _, path = asked.partition(" ")
            root = "/apis/apps/v1" if path.startswith("deployments") else "/api/v1"
            is_short = path and not path.startswith("/")
            key = f"{method} {root}/namespaces/lab/{path}" if is_short else asked
            self._answers[key] = found

    def answer(self, handler) -> None:
        path = handler.path.partition("?")[0]
        if path in self._known:
            handler.send(self._known[path])
            return
        found = self._answers.get(f"{handler.command} {path}")
        if found is None:
            kind, name = path.split("/")[-2:]
            found = status(404, "NotFound", f'{kind} "{name}" not found')
            if name in ("pods", "services", "deployments", "events"):
                names = self._answers.get(name, [])
                items = [{"metadata": {"name": one, "uid": one}} for one in names]
                found = {"metadata": {"resourceVersion": "1"}, "items": items}
                found["columnDefinitions"] = []  # of the table that `get` and `events` ask for
        code = found.get("code", 200) if isinstance(found, dict) else 200
        if isinstance(found, str):
            found = found.encode()
        elif isinstance(found, dict) and "error" in found:  # of Ollama
            code = found.get("status", 404)
            found = {"error": found["error"]}
        handler.send(found, code)


def lines_of(error: BaseException, cell: dict, row: dict) -> list[str]:
    """What the notebook shows of an error."""
    if isinstance(error, LabError):
        return error._render_traceback_()
    if isinstance(error, SyntaxError):
        return cell_errors.typographic(error) or cell_errors.of_a_shell(error) or []
    file = NOTEBOOKS / f"{row.get('notebook', '03-service')}.ipynb"

    def where_set(name: str) -> str | None:
        return notebook_file.heading(file, name, lambda text: re.sub(r"(?m)^\s*[!%].*$", "", text))

    return cell_errors.explained(error, cell, where_set) or []


def plain_paths(text: str) -> str:
    """Without the folders of this machine."""
    return re.sub(r"/\S*/(?=state_home|k8s/)|(?<=looked in )/\S+", "…/", text)


@pytest.fixture
def made(connected, discovery, monkeypatch, capsys):
    """Make a mistake; what it is answered with."""

    def make(row: dict) -> list[str]:
        here = session.Session("lab", "", HERE / "nosuch")
        monkeypatch.setattr(session, "_current", None if row.get("without") == "session" else here)
        if row["file"] != "python":  # those never come as far
            connected(World(discovery, row.get("answers", {})).answer)
            monkeypatch.setenv("OLLAMA_HOST", session.current().api.host)
        if "command" in row:
            monkeypatch.setattr(lock, "WAIT_S", 0)
            with lock.held(Reporter()) if row.get("busy") else nullcontext():
                assert main.main(row["command"].split()[1:]) != 0
            return plain_paths(capsys.readouterr().err).splitlines()
        cell = {"lab": labkit, **row.get("names", {})}
        if row.get("without") == "lab":
            del cell["lab"]
        source, name = row["cell"], f"<cell {row['mistake']}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        try:
            if source.startswith("!"):
                raise cell_commands.conversation(source[1:]) or AssertionError(source)
            exec(compile(source, name, "exec"), cell)  # as a kernel does
        except Exception as error:
            lines = lines_of(error, cell, row)
            printed = capsys.readouterr().out
            assert [line for line in lines if line.partition(": ")[2] in printed] == []  # not twice
            return plain_paths("\n".join(lines)).splitlines()
        return []

    return make


@pytest.mark.parametrize("mistake", ROWS)
def test_a_mistake_is_answered_with_its_first_hint(made, mistake):
    row = ROWS[mistake]
    said = made(row)
    assert said == row["says"]
    first, second, third = said
    assert second.startswith("saw: ") and third.startswith("try: ")
    assert not third.endswith("?") and third[5:] not in (first, second[5:])


def test_there_are_sixty_mistakes_and_each_has_hints_of_its_own():
    assert len(ROWS) == sum(len(yaml.safe_load(file.read_text())) for file in FILES) >= 60
    assert len({tuple(row["says"]) for row in ROWS.values()}) == len(ROWS)
    for row in ROWS.values():
        if "cluster" in row:
            file, _, word = row["cluster"].partition(": ")
            assert word and word in (HERE.parent / "cluster" / file).read_text()
