"""./lab check, goto and reset: exit codes, what is asked, and that JSON stands alone."""

import json

import pytest

from labkit import __main__ as main
from labkit import checks, filling, hints, mistakes, session, several, steps
from labkit.errors import ApiSilent
from labkit.steps import Seen, Step
from labkit.table import Table


@pytest.fixture(autouse=True)
def here(store, monkeypatch):
    """The commands' session is the one on the API server in memory."""
    monkeypatch.setattr(session, "enter", lambda missing_ok=False: session.current())
    monkeypatch.setattr(filling, "left", lambda here, state: [])
    monkeypatch.setattr(mistakes, "likely", lambda here: None)
    monkeypatch.setattr(hints, "_given", {})
    monkeypatch.setenv("LAB_CHECK_WAIT_S", "0")
    store.add({"kind": "ConfigMap", "metadata": {"name": "mine"}})


@pytest.fixture
def terminal(monkeypatch):
    """A person at a terminal, who answers so."""

    def answers(text: str) -> list[str]:
        asked = []
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or text)
        return asked

    return answers


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, []), ("", 1, ["configmap/mine"])])
def test_a_person_is_shown_the_changes_and_asked(store, terminal, capsys, answer, code, left):
    asked = terminal(answer)
    assert main.main(["reset"]) == code
    assert store.names() == left
    assert asked == ["Change namespace lab so? [y/N] "]
    assert "delete   configmap/mine   no part of this step" in capsys.readouterr().out


def test_yes_and_no_terminal_ask_nobody(store, terminal, monkeypatch):
    asked = terminal("n")
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

    monkeypatch.setattr(several, "reset", reset)
    monkeypatch.setattr(several, "labs", lambda: ["", "a", "b"])
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


def test_without_a_step_each_is_asked_once_and_not_waited_for(looking, monkeypatch):
    monkeypatch.setenv("LAB_CHECK_WAIT_S", "30")
    looking(NOT_YET)
    (verdict,) = checks.ask()
    assert (verdict.passed, verdict.fix) == (False, "run one")
