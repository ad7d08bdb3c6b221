"""labkit/kube/helm.py with a helm that does as it is told."""

import subprocess

import pytest

from labkit.errors import CommandFailed, NotFound, TimedOut, ToolMissing
from labkit.kube import helm, session


@pytest.fixture
def program(tmp_path, monkeypatch):
    """`program(script)`: what `helm` does; without a script there is none."""
    monkeypatch.setattr(session, "_current", session.Session("lab", "", tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(script: str) -> None:
        file = tmp_path / "helm"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    return write


def test_the_words_are_helms_and_the_line_is_printed(program, capsys):
    program('echo "$@"')
    values = {"ollama.insecure": True, "ollama.models.pull": ["a", "b"], "replicaCount": 2}
    done = helm.helm_upgrade("ollama", "chart", repo="http://x/charts", values=values)
    assert done.text == (
        "upgrade --install ollama chart --repo http://x/charts --set ollama.insecure=true"
        ' --set-json ollama.models.pull=["a","b"] --set replicaCount=2 --wait --timeout=180s\n'
    )
    printed = capsys.readouterr().out
    assert printed.startswith("$ helm upgrade --install ollama chart --repo http://x/charts")
    assert """--set-json 'ollama.models.pull=["a","b"]'""" in printed


def test_values_that_are_not_simple_come_as_a_file_and_the_printed_line_can_be_pasted(
    program, capsys, tmp_path
):
    program('echo "$@"; cat')
    values = {
        "ollama.models.pull": ["a"],
        "image.tag": "0.24",
        "env": [{"name": "X", "value": "1"}],
    }
    done = helm.helm_upgrade("ollama", "chart", values=values)
    assert done.text == (
        "upgrade --install ollama chart --values - --wait --timeout=180s\n"
        "ollama:\n  models:\n    pull:\n    - a\n"
        'image:\n  tag: "0.24"\n'
        'env:\n- name: X\n  value: "1"\n'
    )
    printed = capsys.readouterr().out
    assert printed.startswith("$ helm upgrade --install ollama chart --values - --wait")
    line = printed[2 : printed.index("\nEOF\n") + len("\nEOF\n")]
    pasted = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert pasted.stdout == done.text


def test_without_values_helm_finds_nothing_on_standard_input(program):
    program("cat")
    assert helm.helm_upgrade("ollama", "chart").text == ""


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("Error: template: x: can't evaluate field create in type interface {}", CommandFailed,
         "ollama.models.pull"),
        ("Error: UPGRADE FAILED: context deadline exceeded", CommandFailed, "lab.events()"),
        ("WARNING: x\nError: chart not found", CommandFailed, "helm list"),
    ],
)  # fmt: skip
def test_a_no_of_helm_is_told_with_what_to_try(program, said, kind, hint):
    program(f'printf "%s\\n" "{said}" >&2; exit 1')
    with pytest.raises(kind) as raised:
        helm.helm_upgrade("ollama", "chart")
    assert raised.value.saw == said.splitlines()[-1]
    assert hint in raised.value.hint


def test_a_release_that_is_not_there(program):
    program('echo "Error: uninstall: Release not loaded: x: release: not found" >&2; exit 1')
    with pytest.raises(NotFound, match="helm uninstall x failed"):
        helm.helm_uninstall("x")


def test_a_helm_that_hangs_and_a_helm_that_is_missing(program, tmp_path, monkeypatch):
    program("exec sleep 60")
    monkeypatch.setattr(helm, "SLACK_S", 0.2)
    with pytest.raises(TimedOut):
        helm.helm_upgrade("ollama", "chart", timeout_s=0.1)
    (tmp_path / "helm").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing):
        helm.helm_uninstall("x")
