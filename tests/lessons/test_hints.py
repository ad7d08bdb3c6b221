"""labkit/lessons/hints.py: a question, then where to look, then the command."""

import re
import shlex
import subprocess

import pytest

from labkit.diagnosis import mistakes, ranking
from labkit.errors import CheckFailed, LabError, UnknownStep
from labkit.kube import session
from labkit.lessons import checks, hints, steps
from labkit.lessons.seen import Seen
from tests import helms

STEP = "03-service/right-port"
LADDERS = {step.id: step.ladder for step in steps.STEPS}
LADDER = LADDERS[STEP]
MISTAKE = mistakes.Mistake(
    "port", symptom="s", cause="the Service's port is another", fix="mend it", look="kubectl get x"
)


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(session, "_current", session.Session("lab", "", None))
    monkeypatch.setattr(hints, "_given", {})
    monkeypatch.setattr(checks, "PAUSE_S", 0)
    monkeypatch.setenv("LAB_CHECK_WAIT_S", "0")
    monkeypatch.setattr(ranking, "likely", lambda here: None)


@pytest.fixture
def seen(monkeypatch):
    """What the step's check sees."""
    found = [Seen(False, "nobody answers", "lab.create_service(…)")]
    one = steps.one(STEP)._replace(check=lambda here: found[0])
    monkeypatch.setattr(steps, "STEPS", (one,))
    return found


def test_a_prompt_on_the_line_of_ollama_run_is_answered_without_cut_words():
    """In a cell, and through kubectl without a terminal, it would wrap lines at column 75."""
    commands = "\n".join(ladder.command for ladder in LADDERS.values())
    asked = re.findall(r"ollama run [^'\n]*\"", commands)
    assert len(asked) >= 2 and all("--nowordwrap" in line for line in asked)


def test_each_call_gives_one_rung_more_and_the_last_again_and_again():
    given = [str(hints.hint(STEP)) for _ in range(4)]
    assert given[0] == LADDER.question
    assert given[1] == f"{LADDER.pointer}\n$ {LADDER.look}"
    assert given[2:] == [LADDER.command] * 2


def test_a_failed_check_shows_the_question_and_not_the_answer(seen):
    with pytest.raises(CheckFailed) as raised:
        checks.check(STEP, timeout_s=0)
    lines = str(raised.value).splitlines()
    assert lines[1] == "saw: nobody answers"
    assert lines[2] == f'try: lab.hint("{STEP}"); think first: {LADDER.question}'
    assert LADDER.command not in str(raised.value)
    assert str(hints.hint(STEP)).startswith(LADDER.pointer)
    verdict = raised.value.verdict
    assert (verdict.passed, verdict.look) == (False, LADDER.look)
    assert verdict.fix == "lab.create_service(…)"


def test_a_classic_mistake_is_named_as_the_likely_cause(seen, monkeypatch):
    monkeypatch.setattr(ranking, "likely", lambda here: MISTAKE)
    with pytest.raises(CheckFailed) as raised:
        checks.check(STEP, timeout_s=0)
    assert raised.value.saw == "nobody answers; likely: the Service's port is another"
    assert raised.value.verdict.plain() == {
        "step": STEP,
        "passed": False,
        "saw": "nobody answers",
        "cause": MISTAKE.cause,
        "question": LADDER.question,
        "fix": MISTAKE.fix,
        "look": MISTAKE.look,
        "passed_at": "",
        "waited_s": 0.0,
    }
    second = str(hints.hint(STEP))
    assert second.startswith(f"Likely: {MISTAKE.cause}. ")
    assert second.endswith("$ kubectl get x")


def test_in_a_terminal_the_answer_is_not_told_either(seen):
    (verdict,) = checks.ask(STEP)
    said = checks.report([verdict])
    assert f"question: {LADDER.question}\nlook: {LADDER.look}" in said
    assert verdict.fix not in said


def test_a_check_that_passes_begins_the_ladder_anew(seen):
    for _ in range(3):
        hints.hint(STEP)
    seen[0] = Seen(True, "somebody answers")
    checks.check(STEP, timeout_s=1)
    assert str(hints.hint(STEP)) == LADDER.question


def test_an_unknown_step_has_no_hints():
    with pytest.raises(UnknownStep):
        hints.hint("03-service/left-port")


@pytest.mark.parametrize("name", LADDERS)
def test_a_ladder_asks_then_points_then_tells(name):
    ladder = LADDERS[name]
    assert ladder.question.endswith("?")
    assert ladder.look.startswith(("kubectl ", "ollama ", "helm "))
    assert ladder.command not in ladder.question + ladder.pointer
    assert len(set(ladder)) == 4


@pytest.mark.parametrize("major", [3, 4])
def test_each_line_of_helms_in_a_hint_has_only_flags_that_this_helm_knows(
    major, tmp_path, monkeypatch
):
    helms.first_on_path(major, tmp_path, monkeypatch)
    texts = [text for ladder in LADDERS.values() for text in ladder]
    texts += [text for row in mistakes.MISTAKES for text in (row.look, row.fix)]
    lines = [line for text in texts for line in re.findall(r"\bhelm [a-z]+ [^;]+", text)]
    assert len(lines) > 4
    for line in lines:  # with --help it reads its flags and does no more
        done = subprocess.run([*shlex.split(line), "--help"], capture_output=True, check=False)
        assert done.returncode == 0, (line, done.stderr)


def test_a_step_without_hints_says_so(monkeypatch):
    monkeypatch.setattr(steps, "STEPS", (steps.one(STEP)._replace(ladder=None),))
    with pytest.raises(LabError) as raised:
        hints.hint(STEP)
    assert str(raised.value).splitlines() == [
        f"LabError: {STEP} has no hints",
        "saw: none are written",
        f'try: lab.check("{STEP}")',
    ]
