"""labkit/kube/helm.py with a helm that does as it is told."""

import json
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


@pytest.mark.parametrize(("version", "flag"), [("v3.22.0", "--wait"), ("v4.3.2", "--wait=legacy")])
def test_uninstall_waits_in_the_way_that_sees_the_last_object_go(program, version, flag):
    program(f'case "$1" in version) echo {version} ;; *) echo "$@" ;; esac')
    assert helm.helm_uninstall("x").text == f"uninstall x {flag} --cascade=foreground\n"


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


# what Helm 4.3.2 printed
TEMPLATE = """\
level=INFO msg="warning: cannot overwrite table with non table for ollama.ollama.models"
Error: UPGRADE FAILED: ollama/templates/deployment.yaml:32:26
  executing "ollama/templates/deployment.yaml" at <.Values.ollama.models.pull>:
    can't evaluate field pull in type interface {}
"""
NOT_READY = """\
Error: resource Deployment/lab/ollama not ready. status: InProgress, message: Available: 0/1
context deadline exceeded
"""
SCALED = (
    "conflict occurred while applying object lab/ollama apps/v1, Kind=Deployment: Apply failed with"
    ' 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
)
CONFLICT = f"""\
level=WARN msg="upgrade failed" name=ollama error={json.dumps(SCALED)}
Error: UPGRADE FAILED: {SCALED}
"""


@pytest.mark.parametrize(
    ("said", "saw", "hint"),
    [
        (TEMPLATE, "Error: UPGRADE FAILED: ollama/templates/deployment.yaml:32:26 executing"
         ' "ollama/templates/deployment.yaml" at <.Values.ollama.models.pull>: can\'t evaluate'
         " field pull in type interface {}", "ollama.models.pull"),
        (NOT_READY, "Error: resource Deployment/lab/ollama not ready. status: InProgress, message:"
         " Available: 0/1 context deadline exceeded", "lab.events()"),
        (NOT_READY.replace("InProgress", "Failed").partition("context")[0], "Error: resource"
         " Deployment/lab/ollama not ready. status: Failed, message: Available: 0/1",
         "lab.events()"),
        (CONFLICT, f"Error: UPGRADE FAILED: {SCALED}", "force_conflicts=True"),
    ],
)  # fmt: skip
def test_an_error_that_helm_4_breaks_into_lines_is_one_line_without_its_log(
    program, tmp_path, said, saw, hint
):
    (tmp_path / "said").write_text(said)
    program(f"cat {tmp_path}/said >&2; exit 1")
    with pytest.raises(CommandFailed) as raised:
        helm.helm_upgrade("ollama", "chart")
    assert raised.value.saw == saw
    assert hint in raised.value.hint


def test_a_field_is_taken_back_only_where_that_is_asked_for(program):
    program('echo "$@"')
    assert "--force-conflicts" not in helm.helm_upgrade("ollama", "chart").text
    done = helm.helm_upgrade("ollama", "chart", force_conflicts=True)
    assert done.text == "upgrade --install ollama chart --force-conflicts --wait --timeout=180s\n"


def test_a_release_that_is_not_there(program):
    said = "Error: uninstall: Release not loaded: x: release: not found"
    program(f'[ "$1" = version ] || {{ echo "{said}" >&2; exit 1; }}')
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
