"""`./lab facts`: what is asked, how it is printed, and its exit codes."""

import json
import os
from dataclasses import replace

import pytest

from labkit.commands import facts, main
from labkit.commands.parser import parsed
from labkit.facts import entries, runner

FACT = next(fact for fact in entries.every() if fact.id == "ollama-root")


def row(verdict: str, saw: str = "") -> runner.Row:
    return runner.Row(replace(FACT), verdict, saw, "0.34.2")


OK, OTHER = row(runner.AS_EXPECTED), row(runner.DIFFERS, "status is 404")
NOT = row(runner.NOT_ASKED)


@pytest.mark.parametrize(
    ("rows", "code"), [([OK, NOT], 0), ([OK, OTHER], 1), ([NOT, NOT], 2), ([], 2)]
)
def test_the_exit_code_is_a_clear_no_or_that_nothing_was_asked(rows, code):
    assert facts.code(rows) == code


def test_an_ollama_without_a_lab_is_asked_and_one_behaviour_changed_is_found(answering, capsys):
    answers = {"/api/version": {"version": "0.34.2"}, "/": b"Ollama is running, or so"}

    def answer(handler) -> None:
        handler.send(answers.get(handler.path, {"models": []}))

    assert main.main(["facts", "--ollama", answering(answer)]) == 1
    printed = capsys.readouterr().out
    assert "no   ollama-root " in printed
    assert f"ollama-root: {FACT.says}\nsaw: text is Ollama is running, or so" in printed
    assert "ok   ollama-version " in printed
    assert "could not be asked: it changes something: --may-change" in printed
    assert " kubectl-" not in printed


def test_json_has_each_fact_once(answering, capsys):
    def answer(handler) -> None:
        handler.send({"version": "0.34.2", "models": []})

    main.main(["facts", "--ollama", answering(answer), "-o", "json"])
    found = json.loads(capsys.readouterr().out)
    asked = [fact.id for fact in entries.every() if fact.of == "Ollama"]
    assert [row["id"] for row in found] == asked
    assert {"id", "of", "says", "verdict", "saw", "version", "seen_with", "seconds"} == set(
        found[0]
    )


def test_an_address_without_a_scheme_is_taken_for_http():
    assert facts.where_to_ask(parsed(["facts", "--ollama", "h:1"])).ollama == "http://h:1"


def test_without_a_lab_the_users_own_cluster_is_not_asked(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:1")
    where = facts.where_to_ask(parsed(["facts"]))
    assert (where.ollama, where.kubeconfig) == ("", os.devnull)


def test_a_context_asks_the_cluster_alone_in_the_namespace_that_was_given():
    options = parsed(["facts", "--context", "mine", "-n", "ns"])
    assert {fact.of for fact in facts.chosen(options)} == {"kubectl", "Kubernetes"}
    kubectl = facts.where_to_ask(options).programs["kubectl"]
    assert kubectl[1:] == ["--context", "mine", "--namespace", "ns"]
