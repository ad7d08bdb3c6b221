"""What raises versions, and the forms for issues and pull requests: valid, nothing missed."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
VERSIONS = (ROOT / "k8s/cluster/versions.toml").read_text()
INVALID = "Schema validation errors were encountered"
SCHEMAS = {
    "dependabot": ["dependabot.yml"],
    "renovate": ["renovate.json"],
    "github-issue-forms": ["ISSUE_TEMPLATE/bug.yml", "ISSUE_TEMPLATE/idea.yml"],
    "github-issue-config": ["ISSUE_TEMPLATE/config.yml"],
}
MISSPELT = {
    "dependabot": ("interval", "intervall"),
    "renovate": ('"regex"', '"regexp"'),
    "github-issue-forms": ("body", "boddy"),
    "github-issue-config": ("blank_issues_enabled", "blank_issue_enabled"),
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_fits_its_schema_and_one_with_a_misspelt_key_would_not(tmp_path, schema):
    words = ["--builtin-schema", f"vendor.{schema}"]
    files = [GITHUB / name for name in SCHEMAS[schema]]
    wrong = tmp_path / files[0].name
    wrong.write_text(files[0].read_text().replace(*MISSPELT[schema]))
    # in this process: to start one takes longer than all that it checks
    done = CliRunner().invoke(check_jsonschema, [*words, *map(str, files)])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(check_jsonschema, [*words, str(wrong)])
    assert (done.exit_code, INVALID in done.output) == (1, True), done.output


def folders(update: dict) -> set[str]:
    """The folders that one part of dependabot.yml is about, as they are here."""
    patterns = update.get("directories") or [update["directory"]]
    paths = [path for pattern in patterns for path in ROOT.glob(pattern[1:] or "pyproject.toml")]
    return {str((p.parent if p.is_file() else p).relative_to(ROOT)) for p in paths}


def test_dependabot_looks_into_every_folder_that_has_something_to_raise():
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    looked = {update["package-ecosystem"]: folders(update) for update in updates}
    # k8s/images/* is the folder `shared` too, which has none
    looked["docker"] = {f for f in looked["docker"] if (ROOT / f / "Dockerfile").exists()}
    k8s = ROOT / "k8s"
    assert looked == {
        "pip": {"."},
        "github-actions": {"."},
        "gomod": {str(file.parent.relative_to(ROOT)) for file in k8s.rglob("go.mod")},
        # the images of the lessons' steps are on the lab's own, which versions.toml names
        "docker": {
            str(file.parent.relative_to(ROOT))
            for file in k8s.rglob("Dockerfile")
            if "steps" not in file.parts
        },
    }


def renovated() -> set[tuple[str, str]]:
    """Name and version of all that renovate.json finds in versions.toml."""
    found = set()
    for manager in json.loads((GITHUB / "renovate.json").read_text())["customManagers"]:
        for files in manager["managerFilePatterns"]:
            assert re.search(files.strip("/"), "k8s/cluster/versions.toml")
        for pattern in manager["matchStrings"]:
            for match in re.finditer(pattern.replace("(?<", "(?P<"), VERSIONS):
                found.add((match["depName"], match["currentValue"]))
    return found


def test_renovate_finds_every_version_of_versions_toml():
    toml = tomllib.loads(VERSIONS)
    wanted = {(name, toml[name]) for name in ("kubernetes", "ollama")}
    for name, tool in toml["tool"].items():
        wanted.add((tool["go"] if "/" in tool["go"] else name, tool["version"]))
    for module in toml["go"].values():
        if "module" in module:
            wanted.add((module["module"].partition("/cmd/")[0], module["version"]))
        if "sdist" in module:
            wanted.add((module["sdist"]["name"], module["sdist"]["version"]))
    assert (ROOT / "k8s/cluster/go/go.mod").exists()  # Dependabot's
    for kind in ("image", "node_image"):
        for name, image in toml[kind].items():
            tag = image["tag"] if kind == "node_image" else image["tags"][0]
            if tag != "latest":
                wanted.add((name, tag))
    wanted.add((toml["node"]["image"], toml["node"]["published"]))
    assert renovated() == wanted


def test_the_forms_ask_for_what_a_report_needs():
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE/bug.yml").read_text())
    required = {field["id"] for field in form["body"] if field["validations"]["required"]}
    assert required == {"happened", "expected", "status", "machine", "version"}
    asked = (GITHUB / "PULL_REQUEST_TEMPLATE.md").read_text()
    for word in ("failed before", "./lab test quick", "CHANGELOG.md", "untried"):
        assert word in asked
