"""The hooks before a commit: each finds its planted mistake, and nothing is fetched for them."""

import re
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


CLEAN = {"good.py": "import os\n\nprint(os.name)\n", "good.ipynb": book_of()}
# file: what is in it, and the hooks that have to name it
MISTAKES = {
    "unused.py": ("import os\n", {"ruff-check"}),
    "quotes.py": ("print('x')\n", {"ruff-format"}),
    "pipe.ipynb": (book_of(new_code_cell("!kubectl get pods | head")), {"notebook-lint"}),
    "folded.ipynb": (
        book_of(new_code_cell("print('x')", metadata={"collapsed": True})),
        {"nbstripout"},
    ),
    "output.ipynb": (
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


@pytest.fixture
def committed(repository, monkeypatch):
    """What each hook says of these files, and the exit code of all."""
    monkeypatch.setenv("PRE_COMMIT_HOME", str(repository / ".git/pre-commit"))

    def run(files: dict[str, str]) -> tuple[dict[str, str], int]:
        for name, text in files.items():
            (repository / name).write_text(text)
        words = [sys.executable, "-P", "-m", "pre_commit", "run", "--color=never", "--files"]
        words += [*files, "--verbose"]  # it names each hook, also one that passes
        done = subprocess.run(words, cwd=repository, capture_output=True, text=True, check=False)
        for name in files:
            (repository / name).unlink()
        parts = re.split(r"^- hook id: (.*)$", done.stdout, flags=re.MULTILINE)
        assert "Skipped" not in done.stdout, done.stdout + done.stderr
        return dict(zip(parts[1::2], parts[2::2], strict=True)), done.returncode

    return run


def test_each_hook_names_the_files_with_its_mistake_and_no_other(committed):
    said, code = committed({name: text for name, (text, _) in MISTAKES.items()} | CLEAN)
    assert code == 1
    assert set(said) == {
        one["id"] for one in yaml.safe_load(CONFIG.read_text())["repos"][0]["hooks"]
    }
    for name, (_, hooks) in MISTAKES.items():
        assert {hook for hook, text in said.items() if name in text} == hooks, said
    assert not [hook for hook, text in said.items() if "good." in text], said
    assert all("- exit code: 1" in text for text in said.values()), said


def test_what_has_no_mistake_passes_every_hook(committed):
    said, code = committed(CLEAN)
    assert code == 0, said
    assert len(said) == 4
    assert not [hook for hook, text in said.items() if "exit code" in text], said


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
