"""labkit/commands/reset_many.py: which labs there are, and a table of how each reset ended."""

import json
import subprocess

from labkit.commands import reset_many
from labkit.setup.cluster import labs
from labkit.setup.host import paths


def test_the_labs_of_this_machine_are_its_own_and_each_context_that_was_taken_over():
    assert reset_many.labs() == []
    for lab in (labs.Lab("a/b"), labs.Lab("c")):
        paths.write_text(lab.kubeconfig, "x")
    paths.write_text(paths.state("contexts", "c.model.json"), "{}")  # its chosen model
    assert reset_many.labs() == ["a/b", "c"]
    paths.write_text(labs.Lab().kubeconfig, "x")
    assert reset_many.labs() == ["", "a/b", "c"]


def test_each_is_reset_by_a_process_of_its_own_and_the_table_says_how(monkeypatch):
    asked = []

    def run(words, **_):
        asked.append(words[4:])
        if "bad" in words:
            said = (
                "waiting\nNotUp: there is no lab to point to\nsaw: no kubeconfig\ntry: ./lab up\n"
            )
            return subprocess.CompletedProcess(words, 1, "", said)
        return subprocess.CompletedProcess(words, 0, json.dumps({"changes": [1, 2]}), "")

    monkeypatch.setattr(subprocess, "run", run)
    found = reset_many.reset(["", "bad"], "03-service")
    assert sorted(asked) == [
        ["reset", "03-service", "--yes", "-o", "json"],
        ["reset", "03-service", "--yes", "-o", "json", "--context", "bad"],
    ]
    assert found.column("RESULT") == ["done", "failed"]
    assert found.column("SAW") == ["2 changes", "NotUp: there is no lab to point to; no kubeconfig"]
    assert [item["code"] for item in found.items] == [0, 1]
