"""The GitHub workflows: valid, linted, pinned, bounded; and their commands are ones that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from labkit.__main__ import parser

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
GUIDE = (ROOT / "docs/notebooks-in-ci.md").read_text()


def load(file: Path) -> dict:
    # `on` is a boolean to YAML
    return yaml.load(file.read_text(), yaml.BaseLoader)


def steps(file: Path) -> list[dict]:
    return [step for job in load(file)["jobs"].values() for step in job["steps"]]


def test_there_are_two():
    assert [file.name for file in WORKFLOWS] == ["ci.yml", "notebooks.yml"]


def test_they_fit_githubs_schema_and_one_with_a_misspelt_key_would_not(tmp_path):
    words = [sys.executable, "-P", "-m", "check_jsonschema"]
    words += ["--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*words, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "ci.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:"))
    assert subprocess.run([*words, wrong], capture_output=True, check=False).returncode == 1


def test_the_security_linter_finds_nothing_and_would_find_an_injection(tmp_path):
    words = [Path(sys.executable).with_name("zizmor"), "--offline", "--persona", "pedantic"]
    done = subprocess.run([*words, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / ".github/workflows/notebooks.yml"
    wrong.parent.mkdir(parents=True)
    text = WORKFLOWS[1].read_text()
    wrong.write_text(text.replace("$NOTEBOOKS", "${{ inputs.notebooks }}"))
    found = subprocess.run([*words, wrong], capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "template-injection" in found.stdout


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_is_pinned_bounded_and_may_only_read(file):
    workflow = load(file)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        assert job["runs-on"] == "ubuntu-24.04"
    for uses in re.findall(r"uses: (.*)", file.read_text()):
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", uses)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_their_commands_are_ones_that_exist(file):
    commands = [step["run"] for step in steps(file) if "run" in step]
    assert commands
    for command in commands:
        program, *words = command.split()
        if program.endswith("/lab"):
            parser().parse_args(words)
        elif "labkit.proving" in command:
            module = command.split("-m ")[1].split()[0].replace(".", "/")
            assert (ROOT / f"{module}.py").exists()
        else:
            assert command == ".ci/run" or "pip install --requirement" in command


def test_the_python_is_the_one_that_is_tried_here():
    versions = {
        step["with"]["python-version"]
        for file in WORKFLOWS
        for step in steps(file)
        if "python-version" in step.get("with", {})
    }
    assert versions == {"3.11"}


def test_the_guide_names_each_input_with_what_it_is_by_itself():
    inputs = load(WORKFLOWS[1])["on"]["workflow_call"]["inputs"]
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (\S+) \|", GUIDE, re.MULTILINE))
    shown = {
        name: "required" if one.get("required") else f"`{one['default']}`".replace("``", "none")
        for name, one in inputs.items()
    }
    shown["timeout-minutes"] = shown["timeout-minutes"].strip("`")
    assert {name: rows[name] for name in inputs} == shown
