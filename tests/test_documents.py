"""README and docs: every command in them exists, and what can be compared is compared."""

import argparse
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from labkit import errors
from labkit.commands import up
from labkit.commands.parser import parser
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.setup.cluster import environment, labs
from labkit.setup.host import paths, speed, venv
from tools import environment_yml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CLI = (ROOT / "docs/cli.md").read_text()
PAGES = sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md"))
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", *PAGES]
LINKED = [*DOCUMENTS, "ARCHITECTURE.md"]


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
    """Command → its synopsis: the block below its heading."""
    found = r"^## \./lab (\w+)\n.*?^```text\n(.*?)^```"
    return dict(re.findall(found, text, re.MULTILINE | re.DOTALL))


def anchors(text: str) -> set[str]:
    """What a link to a heading of the page ends in."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


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


def test_the_commands_of_the_page_are_exactly_those_of_lab():
    assert sorted(synopses(CLI)) == sorted(subparsers())
    assert re.findall(r"^\| \[`(\w+)`\]", CLI, re.MULTILINE) == list(subparsers())


@pytest.mark.parametrize("name", sorted(subparsers()))
def test_each_synopsis_names_exactly_the_options_that_help_names(name):
    options = {o for action in subparsers()[name]._actions for o in action.option_strings}
    written = set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", synopses(CLI)[name]))
    assert written == options - {"-h", "--help"}
    help_text = subparsers()[name].format_help()
    assert all(option in help_text for option in written)


def test_the_values_an_option_takes_are_those_the_page_names():
    choices = {c for sub in subparsers().values() for a in sub._actions for c in a.choices or []}
    # `text` is what -o prints without being asked.
    assert sorted(c for c in choices - {"text"} if f"{c}`" not in CLI) == []


@pytest.mark.parametrize(
    ("page", "header"),
    [("README.md", "| `./lab up` | first time |"), ("docs/routes.md", "| command | time, first |")],
)
def test_the_disk_and_memory_that_the_pages_name_are_what_up_asks_for(page, header):
    table = (ROOT / page).read_text().partition(header)[2].partition("\n\n")[0]
    for name, size in up.DISK_COLD.items():
        row = next(line for line in table.splitlines() if name.rstrip("s") in line)
        assert f"| {size // 2**30} GiB free | {up.MEMORY // 2**30} GiB available |" in row


def rows(page: str, first: str) -> dict[str, list[str]]:
    """First cell → the others, of the table of that page whose head begins so."""
    table = (ROOT / page).read_text().partition(first)[2].partition("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {name: rest for name, *rest in cells}


def test_the_minutes_of_the_readme_are_those_of_docs_routes_where_they_are_written_down():
    found, written = rows("README.md", "| `./lab up` |"), rows("docs/routes.md", "| command |")
    assert len(found) == 2
    for name, cells in found.items():
        route = " ".join(name.split()[:2])  # without what it needs
        plain = [cell.strip("*") for cell in cells]
        assert plain == written[f"`./lab up`, {route}"]
    (minutes,) = re.findall(r"`\./lab test` takes (\d+ to \d+ min after `\./lab up`)", README)
    assert written["`./lab test`"][0] == minutes


def test_the_first_minutes_are_those_of_the_runs_that_docs_routes_lists():
    runs = [cells[1:] for cells in rows("docs/routes.md", "| speed of the machine |").values()]
    took, answered = ([in_minutes(run[at]) for run in runs] for at in (0, 1))
    *alone, busy = sorted(map(round, took))
    written = rows("docs/routes.md", "| command |")["`./lab up`, package route"][0]
    earlier = [whole - answer for whole, answer in zip(took, answered, strict=True)]
    assert written == (
        f"{alone[0]} to {alone[-1]} min on two cores, {busy} min on a busy machine;"
        f" the first answer {round(min(earlier))} to {round(max(earlier))} min earlier"
    )
    page = (ROOT / "docs/routes.md").read_text()
    assert f"reads and multiplies {speed.REFERENCE_GB_PER_S:.0f} GB/s" in page


def in_minutes(text: str) -> float:
    """As the table of runs writes them: `10 min 37 s`, `38 min`."""
    whole, _, seconds = text.partition(" min")
    return int(whole) + int(seconds.strip(" s") or 0) / 60


def test_the_size_and_the_time_of_the_python_environment_are_those_that_lab_prints():
    page = " ".join((ROOT / "docs/routes.md").read_text().split())
    seconds, size = venv.TEST_TOOLS.split(", ")
    assert f"about a minute and {venv.SIZE_MB} MB" in page
    assert f"adds its tools, {size}, in about {seconds} more" in page


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


def test_the_readme_is_short_enough_to_be_read():
    assert len(README.splitlines()) <= 140


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_linked_from_the_readme_or_from_a_page_that_is(page):
    texts = [README, *((ROOT / "docs" / name).read_text() for name in ("cli.md", "instructor.md"))]
    texts.append((ROOT / "CONTRIBUTING.md").read_text())
    name = page.removeprefix("docs/")
    assert any(f"({page})" in text or f"({name})" in text for text in texts)


def variables(text: str) -> set[str]:
    """The lab's own environment variables that are named in the text."""
    return set(re.findall(r"(?<![A-Z_])LAB_[A-Z_]*[A-Z]", text))


def test_the_configuration_page_has_every_variable_and_no_other():
    files = [ROOT / "lab", *(ROOT / "labkit").rglob("*.py")]
    used = set().union(*(variables(file.read_text()) for file in files))
    page = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(r"^\| `(LAB_\w+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(used)
    assert len(used) > 10
    assert variables(page) == used


def test_the_configuration_page_has_every_variable_that_env_exports():
    page = (ROOT / "docs/configuration.md").read_text()
    table = page.partition("## What `./lab env` exports")[2].partition("\n## ")[0]
    named = re.findall(r"`([A-Z_]+)`", " ".join(re.findall(r"^\|(.*?)\|", table, re.MULTILINE)))
    paths.write_text(paths.state("charts.json"), '{"url": "http://x"}')
    assert sorted(named) == sorted(environment.exported(labs.Lab("")))


def test_the_load_page_has_every_field_of_the_result():
    page = (ROOT / "docs/load.md").read_text()
    table = page.partition("| field | what |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|(.*?)\|", table, re.MULTILINE)))
    plain = Result(Plan(url="http://127.0.0.1:11434")).plain()
    assert sorted(named) == sorted(plain)
    inner = {
        key for name in ("requests", "rates", "tokens", "client", "trust") for key in plain[name]
    }
    assert sorted(key for key in inner if f"`{key}`" not in table) == []


def test_the_error_page_explains_every_error_and_no_other():
    table = (
        (ROOT / "docs/errors.md").read_text().partition("| error | means |")[2].partition("\n\n")[0]
    )
    rows = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    kinds = {k for k, v in vars(errors).items() if isinstance(v, type) and issubclass(v, Exception)}
    assert explained == kinds - {"LabError"}


@pytest.mark.parametrize("document", LINKED)
def test_every_link_to_a_file_leads_to_one(document):
    page = ROOT / document
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text())
    targets = [(page.parent / name if name else page, anchor) for name, anchor in links]
    assert [file for file, _ in targets if not file.exists()] == []
    wrong = [a for file, a in targets if a and a not in anchors(file.read_text())]
    assert wrong == []


def test_a_link_to_a_heading_that_is_not_there_would_be_found():
    text = "# One page\n\n## ./lab up\n\n```sh\n# a comment\n```\n\n## It's `x`\n"
    assert anchors(text) == {"one-page", "lab-up", "its-x"}


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
    assert loose == ["ollama-labkit[model]"]


def stale(folder: Path) -> bool:
    return (folder / "environment.yml").read_text() != environment_yml.wanted(folder)


def test_environment_yml_is_what_pyproject_makes_it():
    assert not stale(ROOT), "run: python tools/environment_yml.py"


@pytest.mark.parametrize("changed", ["environment.yml", "pyproject.toml"])
def test_an_environment_yml_that_is_behind_would_be_found(tmp_path, changed):
    for name in ("environment.yml", "pyproject.toml"):
        text = (ROOT / name).read_text()
        if name == changed:
            text = text.replace("httpx==", "httpx==1.")
        (tmp_path / name).write_text(text)
    assert stale(tmp_path)
