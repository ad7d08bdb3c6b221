"""./lab check, goto and reset: exit codes, what is asked, and that JSON stands alone."""

import json
import threading
from pathlib import Path

import pytest

from labkit.commands import main, reset_many, terminal
from labkit.diagnosis import mistakes, ranking, record, report
from labkit.errors import ApiSilent
from labkit.kube import session
from labkit.lessons import checks, hints, steps
from labkit.lessons.reset import fill
from labkit.lessons.seen import Seen
from labkit.lessons.step import Step
from labkit.setup.cluster import labs
from labkit.ui.table import Table


@pytest.fixture(autouse=True)
def here(store, monkeypatch):
    """The commands' session is the one on the API server in memory."""
    monkeypatch.setattr(session, "enter", lambda **options: session.current())
    monkeypatch.setattr(fill, "left", lambda here, state: [])
    monkeypatch.setattr(ranking, "likely", lambda here: None)
    monkeypatch.setattr(hints, "_given", {})
    monkeypatch.setenv("LAB_CHECK_WAIT_S", "0")
    store.add({"kind": "ConfigMap", "metadata": {"name": "mine"}})


@pytest.fixture
def own_terminal(monkeypatch):
    """A terminal whose kubectl acts on the lab."""
    monkeypatch.setattr(terminal, "KUBECONFIG", str(labs.Lab().kubeconfig))


@pytest.fixture
def person(monkeypatch):
    """A person at a terminal, who answers so."""

    def answers(text: str) -> list[str]:
        asked = []
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or text)
        return asked

    return answers


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, []), ("", 1, ["configmap/mine"])])
def test_a_person_is_shown_the_changes_and_asked(store, person, capsys, answer, code, left):
    asked = person(answer)
    assert main.main(["reset"]) == code
    assert store.names() == left
    assert asked == ["Change namespace lab so? [y/N] "]
    assert "delete   configmap/mine   no part of this step" in capsys.readouterr().out


def test_yes_and_no_terminal_ask_nobody(store, person, monkeypatch):
    asked = person("n")
    assert main.main(["reset", "--yes"]) == 0
    assert asked == []
    store.add({"kind": "ConfigMap", "metadata": {"name": "mine"}})
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert main.main(["reset"]) == 0
    assert store.names() == []


def test_json_stands_alone(capsys):
    assert main.main(["goto", "00-start/pull", "-o", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["step"], said["heading"]) == ("00-start/pull", "Pull a model")
    assert [change["target"] for change in said["changes"]] == ["configmap/mine", "pod/ollama"]


def test_an_unknown_step_is_a_clear_no(store, capsys):
    for words in (["goto", "00-strat"], ["reset", "00-strat"], ["check", "00-strat"]):
        assert main.main(words) == 1
    assert "UnknownStep: no step is called '00-strat'" in capsys.readouterr().err
    assert store.changes == []


def test_several_labs_are_reset_at_once_and_the_worst_counts(monkeypatch, capsys):
    def reset(contexts, step):
        items = [{"context": c, "code": code} for c, code in zip(contexts, (0, 2, 1), strict=False)]
        return Table(["LAB"], [[c] for c in contexts], items=items)

    monkeypatch.setattr(reset_many, "reset", reset)
    monkeypatch.setattr(reset_many, "labs", lambda: ["", "a", "b"])
    assert main.main(["reset", "--context", "a", "--context", "b"]) == 2
    assert main.main(["reset", "--all", "-o", "json"]) == 1
    assert main.main(["reset", "--all", "--context", "a"]) == 2
    assert "--context was given too" in capsys.readouterr().err


@pytest.fixture
def looking(monkeypatch):
    """`looking(a, b)`: two steps whose checks see this, or raise it."""

    def make(*found) -> None:
        def check(seen):
            def look(here):
                if isinstance(seen, Exception):
                    raise seen
                return seen

            return look

        made = [Step(f"0{n}-x/y", "Title", check(seen)) for n, seen in enumerate(found)]
        monkeypatch.setattr(steps, "STEPS", tuple(made))

    return make


DONE, NOT_YET = Seen(True, "a Pod"), Seen(False, "no Pod", "run one")
SILENT = ApiSilent("the API server does not answer", "nobody", "./lab status")


@pytest.mark.parametrize(
    ("found", "code"), [((DONE, DONE), 0), ((NOT_YET, SILENT), 1), ((DONE, SILENT), 2)]
)
def test_a_check_ends_with_yes_no_or_could_not_tell(looking, capsys, found, code):
    looking(*found)
    assert main.main(["check"]) == code
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3
    assert main.main(["check", "-o", "json"]) == code
    verdicts = json.loads(capsys.readouterr().out)
    assert [one["step"] for one in verdicts] == ["00-x/y", "01-x/y"]


@pytest.mark.parametrize(("seen", "code"), [(DONE, 0), (NOT_YET, 1), (SILENT, 2)])
def test_a_named_step_is_told_with_all_that_is_known(looking, capsys, seen, code):
    looking(seen)
    assert main.main(["check", "00-x/y"]) == code
    said = capsys.readouterr().out
    assert f"00-x/y: {['done', 'not yet', 'could not tell'][code]}" in said
    assert ("try: run one" in said) == (code == 1)


@pytest.mark.usefixtures("own_terminal")
def test_a_question_comes_with_a_line_to_look_and_the_command_for_more(monkeypatch, capsys):
    one = steps.one("03-service/right-port")._replace(check=lambda here: NOT_YET)
    monkeypatch.setattr(steps, "STEPS", (one,))
    assert main.main(["check", one.id]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "03-service/right-port: not yet",
        "saw: no Pod",
        f"question: {one.ladder.question}",
        f"look: {one.ladder.look}",
        "more: ./lab hint 03-service/right-port",
    ]


@pytest.mark.usefixtures("own_terminal")
def test_what_to_try_is_a_line_for_the_terminal(looking, capsys):
    looking(Seen(False, "no model", 'lab.pull("x", at="pod/ollama")'))
    assert main.main(["check", "00-x/y"]) == 1
    line = "kubectl exec pod/ollama -- ollama pull x"
    assert f"try: {line}\n" in capsys.readouterr().out
    assert main.main(["check", "00-x/y", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["fix"] == line


@pytest.mark.usefixtures("own_terminal")
def test_a_hint_is_the_question_and_where_to_look_and_the_command_when_asked_for(capsys):
    step = "03-service/pulled"
    ladder = steps.one(step).ladder
    assert main.main(["hint", step]) == 0
    first = [f"{step}: {ladder.question}", ladder.pointer, f"look: {ladder.look}"]
    assert capsys.readouterr().out.splitlines() == first
    assert main.main(["hint", step, "--command"]) == 0
    model = "models.lab-system:5001/library/lab-llama"
    line = f"kubectl exec deployment/ollama -- ollama pull --insecure {model}"
    assert capsys.readouterr().out.splitlines() == [*first, f"try: {line}"]


@pytest.mark.usefixtures("own_terminal")
def test_a_hint_names_the_likely_cause_where_there_is_one(monkeypatch, capsys):
    mistake = mistakes.Mistake("x", symptom="s", cause="no Pod", fix="f", look="kubectl get x")
    monkeypatch.setattr(ranking, "likely", lambda here: mistake)
    assert main.main(["hint", "03-service/pulled"]) == 0
    _, pointer, look = capsys.readouterr().out.splitlines()
    assert pointer.startswith("Likely: no Pod. ")
    assert look == "look: kubectl get x"
    assert main.main(["hint", "03-servcie"]) == 1


@pytest.fixture
def notebook(monkeypatch):
    """`notebook(look, count)`: a notebook of so many steps, whose checks are this function."""

    def make(look, count: int) -> None:
        made = [Step(f"03-x/{n}", "Title", look) for n in range(count)]
        monkeypatch.setattr(steps, "STEPS", tuple(made))
        monkeypatch.setenv("LAB_CHECK_WAIT_S", "30")

    return make


def test_the_steps_of_a_notebook_are_asked_at_the_same_time_and_not_waited_for(notebook, capsys):
    together = threading.Barrier(5)
    looked = []

    def look(here):
        together.wait(timeout=30)  # broken by one that comes alone
        looked.append(here)
        return NOT_YET

    notebook(look, 5)
    assert main.main(["check", "03-x"]) == 1
    assert len(looked) == 5
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["STEP", *(f"03-x/{n}" for n in range(5))]


def test_with_wait_a_step_is_asked_again_until_it_is_done(notebook, capsys):
    seen = [DONE, DONE, NOT_YET]
    notebook(lambda here: seen.pop(), 1)
    assert main.main(["check", "03-x/0", "--wait"]) == 0
    assert seen == []
    assert "03-x/0: done" in capsys.readouterr().out


def test_to_wait_for_every_step_is_refused(notebook, capsys):
    notebook(lambda here: NOT_YET, 2)
    assert main.main(["check", "--wait"]) == 2
    assert "try: ./lab check STEP --wait" in capsys.readouterr().err


def test_the_likely_cause_is_looked_for_once_and_told_of_each_that_is_not_done(
    notebook, monkeypatch, capsys
):
    mistake = mistakes.Mistake("x", symptom="s", cause="no Pod", fix="run it", look="./lab status")
    looks = []
    monkeypatch.setattr(ranking, "likely", lambda here: looks.append(here) or mistake)
    notebook(lambda here: NOT_YET, 2)
    assert main.main(["check", "03-x", "-o", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["cause"], one["fix"]) for one in found] == [("no Pod", "run it")] * 2
    assert len(looks) == 1
    notebook(lambda here: DONE, 2)
    assert main.main(["check", "03-x"]) == 0
    assert len(looks) == 1


def test_without_a_step_each_is_asked_once_and_not_waited_for(looking, monkeypatch):
    monkeypatch.setenv("LAB_CHECK_WAIT_S", "30")
    looking(NOT_YET)
    (verdict,) = checks.ask()
    assert (verdict.passed, verdict.fix) == (False, "run one")


RECORDED = Path(__file__).parents[1] / "diagnosis" / "recorded"


@pytest.mark.parametrize(
    ("file", "code", "named"),
    [("liveness-404", 1, "liveness-probe-wrong"), ("corrected", 0, "no known cause seen")],
)
def test_recorded_facts_are_diagnosed_without_a_cluster(capsys, file, code, named):
    assert main.main(["diagnose", "--from", str(RECORDED / f"{file}.yaml")]) == code
    assert named in capsys.readouterr().out


def test_a_diagnosis_for_programs_is_json(capsys):
    line = ["diagnose", "--from", str(RECORDED / "liveness-404.yaml"), "-o", "json"]
    assert main.main(line) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in found["found"]] == ["liveness-probe-wrong"]
    assert "memory-limit" in found["ruled_out"]


def test_what_are_no_facts_and_what_is_asked_twice_is_told(capsys, tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert main.main(["diagnose", "--from", str(tmp_path / "a.yaml")]) == 1
    assert "these are not recorded facts" in capsys.readouterr().err
    assert main.main(["diagnose", "--from", "x", "-n", "lab"]) == 2
    assert "--from reads recorded facts" in capsys.readouterr().err


def test_the_facts_of_a_namespace_are_printed_for_a_report(store, capsys, monkeypatch):
    here = report.Place(session.current(), outside=True)
    monkeypatch.setattr(report, "place", lambda namespace, context: here)
    assert main.main(["diagnose", "--facts"]) == 0
    said = capsys.readouterr().out
    assert record.load(said).namespace == session.current().namespace
