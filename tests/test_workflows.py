"""The GitHub workflows: valid, linted, pinned, bounded; and their commands are ones that exist."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

from labkit.commands.parser import parser

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
GUIDE = (ROOT / "docs/notebooks-in-ci.md").read_text()


def load(file: Path) -> dict:
    # `on` is a boolean to YAML
    return yaml.load(file.read_text(), yaml.BaseLoader)


def steps(file: Path) -> list[dict]:
    return [step for job in load(file)["jobs"].values() for step in job["steps"]]


def test_there_are_four():
    names = ["ci.yml", "notebooks.yml", "release.yml", "versions.yml"]
    assert [file.name for file in WORKFLOWS] == names


def test_the_pins_are_compared_every_week_and_a_red_run_is_all_that_comes_of_it():
    workflow = load(WORKFLOWS[3])
    (when,) = workflow["on"]["schedule"]
    minute, hour, day, month, weekday = when["cron"].split()
    assert (day, month) == ("*", "*")
    assert weekday.isdecimal()
    assert minute not in ("0", "30"), "when everybody's run begins"
    assert hour.isdecimal()
    assert [step["run"] for step in steps(WORKFLOWS[3]) if "run" in step] == ["./lab versions"]


def test_they_fit_githubs_schema_and_one_with_a_misspelt_key_would_not(tmp_path):
    words = ["--builtin-schema", "vendor.github-workflows"]
    wrong = tmp_path / "ci.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:"))
    # in this process: to start one takes longer than all that it checks
    done = CliRunner().invoke(check_jsonschema, [*words, *map(str, WORKFLOWS)])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(check_jsonschema, [*words, str(wrong)])
    assert done.exit_code == 1, done.output
    assert "'runs-on' is a required property" in done.output


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


BUILD = ".venv/bin/python -m hatchling build"
PUBLISHER = "pypa/gh-action-pypi-publish"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_is_pinned_bounded_and_may_only_read(file):
    workflow = load(file)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        assert job["runs-on"] == "ubuntu-24.04"
    for uses in re.findall(r"uses: (.*)", file.read_text()):
        assert re.fullmatch(rf"(actions/[a-z-]+|{PUBLISHER})@[0-9a-f]{{40}} # v\d+\.\d+\.\d+", uses)


def test_only_the_job_that_publishes_may_ask_pypi_for_its_trust_and_it_does_nothing_else():
    asking = {}
    for file in WORKFLOWS:
        for name, job in load(file)["jobs"].items():
            if "permissions" in job or PUBLISHER in str(job):
                asking[file.name, name] = job
    assert list(asking) == [("release.yml", "publish")]
    publish = asking["release.yml", "publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"]["name"] == "pypi"
    assert [step["uses"].partition("@")[0] for step in publish["steps"]] == [
        "actions/download-artifact",
        PUBLISHER,
    ]
    # no password, token or other index than PyPI's own
    assert "with" not in publish["steps"][-1]
    assert "secrets" not in str(asking)
    assert "Untried" in (ROOT / ".github/workflows/release.yml").read_text().splitlines()[0]


def test_a_tag_that_is_not_the_version_is_not_released(tmp_path):
    check = next(s["run"] for s in steps(WORKFLOWS[2]) if s.get("name", "").startswith("The tag"))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for tag, code in ((f"v{version}", 0), ("v999.0", 1)):
        environment = {**os.environ, "GITHUB_REF_NAME": tag}
        words = ["bash", "-e", "-c", check]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=False)
        assert done.returncode == code


def test_the_projects_addresses_become_those_of_the_repository(tmp_path):
    change = next(s["run"] for s in steps(WORKFLOWS[2]) if s.get("name", "").startswith("Name"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    environment = {**os.environ, "GITHUB_REPOSITORY": "someone/lab"}
    subprocess.run(["bash", "-ec", change], cwd=tmp_path, env=environment, check=True)
    urls = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Homepage"] == "https://github.com/someone/lab"
    assert "OWNER" not in str(urls)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_their_commands_are_ones_that_exist(file):
    commands = [step["run"] for step in steps(file) if "run" in step]
    assert commands
    for command in commands:
        program, *words = command.split()
        if program.endswith("/lab"):
            parser().parse_args(words)
        elif "labkit.jupyter" in command:
            module = command.split("-m ")[1].split()[0].replace(".", "/")
            assert (ROOT / f"{module}.py").exists()
        elif "pip install" in command and "--no-deps" in words:
            locked = words[words.index("--requirement") + 1].removeprefix("labkit/")
            assert "--require-hashes" in words
            assert (ROOT / locked).exists()
        elif program in ("grep", "sed"):
            assert words[-1] == "pyproject.toml"
        else:
            assert command in (".ci/run", BUILD) or "pip install --requirement" in command


def test_the_python_is_the_one_that_is_tried_here_and_quick_runs_with_all_that_are_named():
    versions = {
        step["with"]["python-version"]
        for file in WORKFLOWS
        for step in steps(file)
        if "python-version" in step.get("with", {})
    }
    assert versions == {"3.11", "${{ matrix.python }}"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [word.rpartition(" ")[2] for word in project["classifiers"] if " :: 3." in word]
    quick = load(WORKFLOWS[0])["jobs"]["quick"]
    assert quick["strategy"]["matrix"] == {"python": named}
    assert [step["run"] for step in quick["steps"] if "run" in step] == ["./lab test quick"]


def test_the_guide_names_each_input_with_what_it_is_by_itself():
    inputs = load(WORKFLOWS[1])["on"]["workflow_call"]["inputs"]
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (\S+) \|", GUIDE, re.MULTILINE))
    shown = {
        name: "required" if one.get("required") else f"`{one['default']}`".replace("``", "none")
        for name, one in inputs.items()
    }
    shown["timeout-minutes"] = shown["timeout-minutes"].strip("`")
    assert {name: rows[name] for name in inputs} == shown
