"""The hooks before a commit: each finds its planted mistake, and nothing is fetched for them."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".pre-commit-config.yaml"
NOTEBOOK = new_notebook(
    cells=[new_markdown_cell("# Title"), new_code_cell("import labkit as lab\n\nlab.start()")]
)
PRINTED = new_output("stream", name="stdout", text="x")


def book_of(*cells) -> str:
    """The notebook as a file, with these cells after its own."""
    return nbformat.writes(new_notebook(cells=[*NOTEBOOK.cells, *cells])) + "\n"


MISTAKES = {
    "none": ("good.py", "import os\n\nprint(os.name)\n", set()),
    "a clean notebook": ("good.ipynb", book_of(), set()),
    "an import that is not used": ("bad.py", "import os\n", {"ruff-check"}),
    "quotes": ("bad.py", "print('x')\n", {"ruff-format"}),
    "a pipe": (
        "bad.ipynb",
        book_of(new_code_cell("!kubectl get pods | head")),
        {"notebook-lint"},
    ),
    "a folded cell": (
        "bad.ipynb",
        book_of(new_code_cell("print('x')", metadata={"collapsed": True})),
        {"nbstripout"},
    ),
    "an output": (
        "bad.ipynb",
        book_of(new_code_cell("print('x')", outputs=[PRINTED], execution_count=1)),
        {"notebook-lint", "nbstripout"},
    ),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with these hooks, and with the environment of this run."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / CONFIG.name).write_text(CONFIG.read_text())
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / ".venv/bin/python").chmod(0o755)
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    subprocess.run(["git", "add", "pyproject.toml"], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(("name", "text", "hooks"), MISTAKES.values(), ids=MISTAKES)
def test_each_hook_finds_its_mistake_and_no_other(repository, monkeypatch, name, text, hooks):
    monkeypatch.setenv("PRE_COMMIT_HOME", str(repository / ".git/pre-commit"))
    (repository / name).write_text(text)
    words = [sys.executable, "-P", "-m", "pre_commit", "run", "--color=never", "--files", name]
    done = subprocess.run(words, cwd=repository, capture_output=True, text=True, check=False)
    (repository / name).unlink()
    known = {hook["id"] for hook in yaml.safe_load(CONFIG.read_text())["repos"][0]["hooks"]}
    failed = {line.rpartition("id: ")[2] for line in done.stdout.splitlines() if "hook id" in line}
    assert (failed, done.returncode) == (hooks, 1 if hooks else 0), done.stdout + done.stderr
    assert hooks <= known
    assert "Passed" in done.stdout or len(hooks) > 1


def test_every_hook_is_local_and_runs_what_is_pinned_in_the_environment():
    repositories = yaml.safe_load(CONFIG.read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["entry"].startswith(".venv/bin/python -P -m ")
        assert hook["language"] == "unsupported"
        assert "additional_dependencies" not in hook


def test_the_notebooks_are_as_nbstripout_leaves_them():
    files = sorted((ROOT / "notebooks").glob("*.ipynb"))
    words = [sys.executable, "-P", "-m", "nbstripout", "--keep-id", "--verify"]
    done = subprocess.run([*words, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
