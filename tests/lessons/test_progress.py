"""labkit/lessons/progress.py: the progress line of a notebook, in a real kernel."""

import pytest

from labkit.learner import passed, places
from labkit.lessons import checks, progress, steps
from labkit.lessons.seen import Seen
from tests.ui.conftest import Kernel

BEGIN = """
import labkit as lab
from labkit.kube import session
from labkit.lessons import checks, steps
from labkit.lessons.seen import Seen

checks.PAUSE_S = 0.01
session._current = session.Session("lab", "", None)
session.start = lambda namespace: session._current
steps.STEPS = tuple(step._replace(check=lambda _: Seen(True, "fine")) for step in steps.STEPS)
lab.start()
"""


@pytest.fixture
def learner(tmp_path, monkeypatch):
    """`learner(notebook)`: a kernel of that notebook, as JupyterLab starts one."""
    kernels = []
    monkeypatch.setenv(places.WORK, str(tmp_path))

    def begin(name: str) -> Kernel:
        monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / name))
        kernels.append(Kernel())
        return kernels[-1]

    yield begin
    for kernel in kernels:
        kernel.stop()


def lines(outputs: list[dict]) -> list[str]:
    """The states of the progress line among these outputs."""
    kinds = ("display_data", "update_display_data")
    texts = [out["data"]["text/plain"] for out in outputs if out["type"] in kinds]
    return [text for text in texts if "steps passed:" in text]


def test_the_line_is_shown_at_the_start_and_kept_while_steps_pass(learner):
    kernel = learner("00-start.ipynb")
    status, outputs = kernel.run(BEGIN)
    assert status == "ok", outputs
    assert lines(outputs) == ["0 of 3 steps passed: → next: run · ○ pull · ○ your-turn"]
    (shown,) = [out for out in outputs if "progress" in str(out.get("data"))]
    status, outputs = kernel.run('lab.check("00-start/run")')
    (line,) = lines(outputs)
    assert line.startswith("1 of 3 steps passed: ✓ run ") and "→ next: pull" in line
    (update,) = [out for out in outputs if "steps passed:" in str(out.get("data"))]
    assert update["type"] == "update_display_data"
    assert update["transient"]["display_id"] == shown["transient"]["display_id"]
    assert '<progress aria-label="00-start: steps passed" value="1" max="3">' in str(update["data"])
    said = str(outputs)
    assert "✓ 00-start/run: fine (1 of 3 steps of 00-start passed)" in said


def test_a_new_kernel_begins_with_what_was_passed_before(learner):
    first = learner("00-start.ipynb")
    assert first.run(f'{BEGIN}\nlab.check("00-start/run")')[0] == "ok"
    _, outputs = learner("00-start.new.ipynb").run(BEGIN)
    assert lines(outputs)[0].startswith("1 of 3 steps passed: ✓ run ")


@pytest.mark.parametrize("name", ["mine.ipynb", "instructor.ipynb"])
def test_another_notebook_shows_no_line(learner, name):
    status, outputs = learner(name).run(BEGIN)
    assert status == "ok", outputs
    assert lines(outputs) == []


@pytest.fixture
def here(store, tmp_path, monkeypatch):
    monkeypatch.setenv(places.WORK, str(tmp_path))
    monkeypatch.setattr(checks, "PAUSE_S", 0.01)
    monkeypatch.setattr(checks.hints, "likely", lambda _: None)


def now(monkeypatch, **verdicts: bool) -> None:
    """What each check of notebook 00 sees from now on."""

    def step(name: str, ok: bool) -> steps.Step:
        return steps.one(f"00-start/{name}")._replace(check=lambda _: Seen(ok, "seen"))

    found = {name.replace("_", "-"): ok for name, ok in verdicts.items()}
    monkeypatch.setattr(steps, "STEPS", tuple(step(name, ok) for name, ok in found.items()))


def test_check_without_a_step_shows_what_was_passed_and_how_the_cluster_is_now(
    here, monkeypatch, capsys
):
    now(monkeypatch, run=True, pull=True, your_turn=True)
    checks.check("00-start/run")
    checks.check("00-start/pull")
    capsys.readouterr()
    now(monkeypatch, run=False, pull=True, your_turn=True)  # after tidy-up
    table = checks.check()
    at = progress.clock(passed.kept("", "lab")["00-start/run"].isoformat())
    assert list(table) == [
        ["00-start/run", "not yet", at, "seen"],
        ["00-start/pull", "done", at, "seen"],
        ["00-start/your-turn", "done", "", "seen"],
    ]
    assert table.caption == "namespace lab: steps passed 2 of 3, done in the cluster now 2"
    assert capsys.readouterr().out == "$ ./lab check\n"


def test_looking_at_all_steps_keeps_none_as_passed(here, monkeypatch):
    now(monkeypatch, run=True, pull=True)
    checks.check()
    assert passed.kept("", "lab") == {}


def test_lab_check_of_a_step_in_a_terminal_keeps_it_too(here, monkeypatch):
    now(monkeypatch, run=True, pull=False)
    found = checks.ask("00-start")
    assert list(passed.kept("", "lab")) == ["00-start/run"]
    assert [bool(one.passed_at) for one in found] == [True, False]
    now(monkeypatch, run=False, pull=False)
    (verdict,) = checks.ask("00-start/run")
    said = checks.report([verdict]).splitlines()
    assert said[0] == "00-start/run: not yet"
    assert said[1].startswith("passed at ") and said[1].endswith(", and no longer so")


def test_what_could_not_be_kept_is_told_and_fails_no_check(here, monkeypatch, tmp_path, capsys):
    (tmp_path / passed.RECORD).mkdir()
    now(monkeypatch, run=True)
    assert checks.check("00-start/run").passed
    assert "could not be written to your folder of notebooks" in capsys.readouterr().out
