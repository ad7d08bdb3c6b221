"""The lock files: whole, hashed, those of pyproject.toml, and without an address in them."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from labkit.errors import ToolMissing
from tools import requirements_txt
from tools.requirements_txt import LEARNER, TEST, entries, head

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
ENTRY = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.!+]+)(?: ; (?P<marker>[^\\]+?))? \\\n"
    r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
)


def locked(name: str) -> list[re.Match | None]:
    return [ENTRY.fullmatch(entry) for entry in entries((ROOT / name).read_text())]


def pins(*lists: list[str]) -> set[str]:
    """`Name==1` as a lock file writes it; what stands for another list is left out."""
    pinned = [pin.partition("==") for one in lists for pin in one if "[" not in pin]
    return {f"{re.sub('[-_.]+', '-', name).lower()}=={version}" for name, _, version in pinned}


def found(*names: str) -> set[str]:
    return {f"{entry['name']}=={entry['version']}" for name in names for entry in locked(name)}


@pytest.mark.parametrize("name", [LEARNER, TEST])
def test_each_package_has_one_version_and_its_hashes_and_there_is_no_address(name):
    assert [entry for entry in locked(name) if not entry] == []
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*--?(?!hash=)\w", text, re.MULTILINE), "an option, such as an index"


@pytest.mark.parametrize("name", [LEARNER, TEST])
def test_they_are_those_of_pyproject(name):
    behind = "run: python tools/requirements_txt.py"
    assert (ROOT / name).read_text().startswith(head()), behind


@pytest.mark.parametrize(
    ("old", "new"),
    [("httpx==", "httpx==1."), ("nbval==", "nbval==1."), ("hatchling==", "hatchling==1.")],
)
def test_a_lock_that_is_behind_would_be_found(tmp_path, old, new):
    text = (ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text)
    assert head(tmp_path) == head()
    (tmp_path / "pyproject.toml").write_text(text.replace(old, new))
    assert head(tmp_path) != head()


def test_learners_get_what_pyproject_pins_for_them_and_what_builds_labkit():
    wanted = pins(
        PROJECT["project"]["dependencies"], EXTRAS["model"], PROJECT["build-system"]["requires"]
    )
    assert wanted - found(LEARNER) == set()


def test_the_test_tools_are_in_the_file_that_only_a_test_installs():
    tools = pins(EXTRAS["test"])
    assert tools - found(LEARNER, TEST) == set()
    for tool in ("nbval", "playwright", "pytest", "pytest-xdist", "ruff", "zizmor", "pre-commit"):
        assert not [pin for pin in found(LEARNER) if pin.startswith(f"{tool}==")]
        assert [pin for pin in found(TEST) if pin.startswith(f"{tool}==")]


def test_no_package_has_two_versions_for_the_same_python():
    by_name: dict[str, list[re.Match]] = {}
    for entry in [*locked(LEARNER), *locked(TEST)]:
        by_name.setdefault(entry["name"], []).append(entry)
    for twice in (same for same in by_name.values() if len({e["version"] for e in same}) > 1):
        assert all(entry["marker"] for entry in twice), twice


def test_without_uv_three_lines_say_how_it_is_installed(tmp_path, monkeypatch):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(requirements_txt, "which", lambda name: None)
    with pytest.raises(ToolMissing) as raised:
        requirements_txt.write(tmp_path)
    assert str(raised.value).splitlines()[2].startswith("try: pip install uv==")
    assert not (tmp_path / LEARNER).exists()
