"""README and its kin: every command in them exists, and what can be compared is compared."""

import argparse
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from labkit import errors
from labkit.__main__ import parser
from labkit.bringup import environment_yml, up

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
DOCUMENTS += ["docs/notebooks-in-ci.md", "docs/troubleshooting.md"]


def shell_lines(text: str) -> list[str]:
    """The lines of all blocks marked `sh`."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def lab_commands(text: str) -> list[str]:
    """Every `./lab ...` in shell blocks and inline code, without the synopses."""
    code = [*shell_lines(text), *re.findall(r"`([^`\n]+)`", text)]
    found = [command for line in code for command in re.findall(r"\./lab\b[^)\"]*", line)]
    return [command for command in found if "[" not in command and command != "./lab"]


def synopses(text: str) -> dict[str, str]:
    """Command → its synopsis in the README's table of commands."""
    lines = re.findall(r"^\| `\./lab (\w+)(.*?)` \|", text, re.MULTILINE)
    return {name: rest for name, rest in lines if "[" in rest}


def subparsers() -> dict[str, argparse.ArgumentParser]:
    actions = parser()._actions
    return next(a.choices for a in actions if isinstance(a, argparse._SubParsersAction))


def parses(command: str) -> bool:
    try:
        parser().parse_args(shlex.split(command)[1:])
    except SystemExit:
        return False
    return True


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_lab_command_in_the_documents_is_one_that_lab_takes(document):
    commands = lab_commands((ROOT / document).read_text())
    assert commands
    assert [command for command in commands if not parses(command)] == []


def test_a_command_that_lab_does_not_take_would_be_found():
    text = "Type `./lab ups`, or:\n\n```sh\nkubectl get pods\n./lab up --rout=x\n```\n"
    assert lab_commands(text) == ["./lab up --rout=x", "./lab ups"]
    assert not any(map(parses, lab_commands(text)))


def test_the_readmes_commands_are_exactly_those_of_lab():
    assert sorted(synopses(README)) == sorted(subparsers())


@pytest.mark.parametrize("name", sorted(subparsers()))
def test_each_synopsis_names_exactly_the_options_that_help_names(name):
    options = {o for action in subparsers()[name]._actions for o in action.option_strings}
    written = set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", synopses(README)[name]))
    assert written == options - {"-h", "--help"}
    help_text = subparsers()[name].format_help()
    assert all(option in help_text for option in written)


def test_the_values_an_option_takes_are_those_the_readme_names():
    choices = {c for sub in subparsers().values() for a in sub._actions for c in a.choices or []}
    # `text` is what -o prints without being asked.
    assert sorted(c for c in choices - {"text"} if f"{c}`" not in README) == []


def test_the_disk_and_memory_that_the_readme_names_are_what_up_asks_for():
    table = README.partition("| command | time, first |")[2].partition("\n\n")[0]
    for name, size in up.DISK_COLD.items():
        row = next(line for line in table.splitlines() if name.rstrip("s") in line)
        assert f"| {size // 2**30} GiB free | {up.MEMORY // 2**30} GiB available |" in row


def test_the_readmes_test_command_is_the_one_that_ci_calls():
    script = (ROOT / ".ci/run").read_text().splitlines()
    called = [line for line in script if line.startswith("./lab")]
    assert called == ["./lab test"]
    assert called[0] in shell_lines(README)
    assert shell_lines(README)[:2] == ["./lab up", "./lab test"]
    assert "set -euo pipefail" in script


@pytest.mark.parametrize(("file", "shell"), [("lab", "sh"), (".ci/run", "bash")])
def test_the_scripts_can_be_executed_and_parse(file, shell):
    assert os.access(ROOT / file, os.X_OK)
    assert subprocess.run([shell, "-n", ROOT / file], check=False).returncode == 0


def test_the_readme_explains_every_error_and_no_other():
    table = README.partition("| error | means |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    kinds = {k for k, v in vars(errors).items() if isinstance(v, type) and issubclass(v, Exception)}
    assert explained == kinds - {"LabError"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_to_a_file_leads_to_one(document):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / document).read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_names_the_deck_its_author_source_and_licence():
    section = README.partition("## Where the lesson plan comes from")[2]
    for words in (
        "Jérôme Petazzoni",
        "https://container.training",
        "https://github.com/jpetazzo/container.training",
        "Apache License 2.0",
    ):
        assert words in section


def test_the_licence_is_the_one_that_the_package_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", text)
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_is_dated_and_newest_first():
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    dates = [re.fullmatch(r"\[\d+\.\d+\.\d+\] (\d{4}-\d\d-\d\d)", h)[1] for h in headings]
    assert dates == sorted(dates, reverse=True)
    assert dates


def test_every_direct_dependency_is_pinned_to_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    names = [*project["dependencies"], *(name for extra in extras for name in extra)]
    loose = [name for name in names if not re.fullmatch(r"[\w-]+==[\d.]+", name)]
    assert loose == ["labkit[model]"]


def stale(folder: Path) -> bool:
    return (folder / "environment.yml").read_text() != environment_yml.wanted(folder)


def test_environment_yml_is_what_pyproject_makes_it():
    assert not stale(ROOT), "run: python -m labkit.bringup.environment_yml"


@pytest.mark.parametrize("changed", ["environment.yml", "pyproject.toml"])
def test_an_environment_yml_that_is_behind_would_be_found(tmp_path, changed):
    for name in ("environment.yml", "pyproject.toml"):
        text = (ROOT / name).read_text()
        if name == changed:
            text = text.replace("httpx==", "httpx==1.")
        (tmp_path / name).write_text(text)
    assert stale(tmp_path)
