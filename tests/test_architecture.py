"""ARCHITECTURE.md: its drawing is the linter's contract, its folders are the real ones."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from labkit.commands import tiers

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
NOT_A_FLOOR = {"__init__.py", "__main__.py"}  # the two doors
MOST_LINES = 350


def drawn() -> list[str]:
    """The floors of the drawing, from above."""
    picture = PAGE.partition("```\n")[2].partition("```")[0]
    return re.findall(r"^  ([a-z]+(?:/[a-z]+)?)  ", picture, re.MULTILINE)


def folders() -> set[str]:
    """The first column of the page's table of folders."""
    table = PAGE.partition("| folder |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `labkit/([^`]+)` \|", table, re.MULTILINE))


def linted(root: Path) -> subprocess.CompletedProcess:
    """What the quick tier's linter says of the tree in this folder."""
    (command,) = (
        words for words in tiers.COMMANDS["quick"] if any("lint-imports" in w for w in words)
    )
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_the_drawing_is_the_contract():
    (layers,) = (one["layers"] for one in CONTRACTS if one["type"] == "layers")
    order = [name.removeprefix("labkit.").replace(".", "/") for name in layers]
    order.insert(order.index("lessons"), "lessons/reset")  # a contract of its own
    order.insert(order.index("lessons") + 1, "lessons/notebooks")  # a part of it: steps.py reads it
    assert drawn() == order


def test_the_folders_of_the_page_are_the_real_ones():
    package = ROOT / "labkit"
    real = {str(file.parent.relative_to(package)) for file in package.glob("*/**/*.py")}
    loose = {file.name for file in package.glob("*.py")} - NOT_A_FLOOR
    assert folders() == (real - {"setup"}) | loose
    assert {name.removesuffix(".py") for name in folders()} == {*drawn(), "load"}


def test_the_tests_have_the_folders_of_the_package():
    mirrored = {str(file.parent.relative_to(ROOT / "tests")) for file in ROOT.glob("tests/**/*.py")}
    assert mirrored - {".", "cluster", "browser", "tools", "tools/site"} <= folders()


def test_every_place_that_the_page_names_is_there():
    named = re.findall(r"`([\w./]+/[\w./]*)`", PAGE)
    missing = [n for n in named if not (ROOT / n).exists() and not (ROOT / "labkit" / n).exists()]
    assert [n for n in missing if n != "./lab"] == []


def test_no_file_of_the_package_is_too_long_to_be_read_at_once():
    files = [*(ROOT / "labkit").rglob("*.py"), *(ROOT / "labkit").rglob("*.pyi")]
    assert len(files) > 100
    assert [file for file in files if len(file.read_text().splitlines()) > MOST_LINES] == []


def test_the_readme_leads_to_the_page():
    assert "](ARCHITECTURE.md)" in (ROOT / "README.md").read_text()


def test_nothing_imports_upwards_and_there_is_no_circle():
    done = linted(ROOT)
    assert done.returncode == 0, done.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


LAYERS, RESETS, LOADS, LOADERS, CIRCLES = (one["name"] for one in CONTRACTS)
# what is put at a file's end, the contract that this breaks, and the import that it has to name
WRONG = {
    (LAYERS, LOADS, CIRCLES): [
        (
            "ui/units.py",
            "from labkit.kube import session",
            LAYERS,
            "labkit.ui.units -> labkit.kube.session",
        ),
        (
            "setup/host/paths.py",
            "from labkit.setup.build import catalog",
            LAYERS,
            "labkit.setup.host.paths -> labkit.setup.build.catalog",
        ),
        (
            "kube/refs.py",
            "def f():\n    from labkit.commands import up",
            LAYERS,
            "labkit.kube.refs -> labkit.commands.up",
        ),
        (
            "load/clock.py",
            "from labkit.ui import units",
            LOADS,
            "labkit.load.clock -> labkit.ui.units",
        ),
    ],
    (RESETS, LOADERS, CIRCLES): [
        (
            "lessons/fault.py",
            "from labkit.lessons.reset import lease",
            RESETS,
            "labkit.lessons.fault -> labkit.lessons.reset.lease",
        ),
        (
            "ollama/hey.py",
            "from labkit.load import plan",
            LOADERS,
            "labkit.ollama.hey -> labkit.load.plan",
        ),
        ("ui/table.py", "from labkit.ui import chart", CIRCLES, ".table -> .chart"),
    ],
}


@pytest.mark.parametrize("broken", WRONG, ids=["upwards", "past a door"])
def test_each_wrong_import_is_found_by_its_contract_and_the_others_are_kept(tmp_path, broken):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "labkit", tmp_path / "labkit", ignore=shutil.ignore_patterns("*.pyc"))
    for file, line, _, _ in WRONG[broken]:
        with (tmp_path / "labkit" / file).open("a") as source:
            source.write(f"\n\n{line}\n")
    done = linted(tmp_path)
    assert done.returncode == 1, done.stdout
    verdicts = dict(re.findall(r"^(.*) (KEPT|BROKEN)$", done.stdout, re.MULTILINE))
    assert verdicts == {
        one["name"]: "BROKEN" if one["name"] in broken else "KEPT" for one in CONTRACTS
    }
    parts = re.split(r"^(.+)\n-{4,}$", done.stdout, flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    for _, _, contract, named in WRONG[broken]:
        assert named in told[contract]
