"""Each rule of the linter: a notebook that it refuses, and one like it that it lets pass."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labkit.proving import lint

START = "import labkit as lab\n\nlab.start()"


def notebook(*cells: str | tuple[str, ...], title: str = "# Title") -> nbformat.NotebookNode:
    """A clean notebook of these code cells; a tuple is a source and its tags."""
    made = [new_markdown_cell(title), new_code_cell(START)]
    for cell in cells:
        source, *tags = (cell,) if isinstance(cell, str) else cell
        made.append(new_code_cell(source, metadata={"tags": tags}))
    return new_notebook(cells=made)


def rules(book: nbformat.NotebookNode) -> list[str]:
    return [finding.rule for finding in lint.lint(book)]


CHECK = ('lab.check("x")', "check")
REFUSED = {
    "bash-without-e": ["%%bash\nkubectl get pods"],
    "pipe-hides-failure": ["!kubectl get pods | head"],
    "unknown-magic": ["%%bsh -e\nkubectl get pods"],
    "no-python": ["lab.get('pods'"],
    "raises-exception": [("1/0", "raises-exception"), "print('done')"],
    "check-asserts-nothing": [("lab.get('pods')", "check")],
    "solution-without-check": [("lab.run('x', image='y')", "solution"), "lab.get('pods')"],
    "exercise-without-solution": [("# yours", "exercise"), CHECK],
    "generated-name": ["!kubectl logs ollama-7d9f8c6b5d-x2x7k"],
    "fixed-sleep": ["import time\ntime.sleep(5)"],
    "swallows-errors": ["!kubectl get pods || true"],
    "shell-cannot-fail": ["get_ipython().system_raise_on_error = False"],
    "getoutput": ["pods = !kubectl get pods"],
    "model-name": ["!ollama run lab-llama hello"],
    "unknown-tag": [("lab.get('pods')", "timeout-5m")],
}
LET_PASS = {
    "bash-without-e": ["%%bash -e\nkubectl get pods"],
    "pipe-hides-failure": ["%%bash -eo pipefail\nkubectl get pods | head"],
    "unknown-magic": ["text = '''\n%nonsense in a string\n'''"],
    "no-python": ["lab.get('pods')"],
    "raises-exception": [("1/0", "raises-exception"), "assert lab"],
    "check-asserts-nothing": [CHECK],
    "solution-without-check": [("lab.run('x', image='y')", "solution"), CHECK],
    "exercise-without-solution": [("# yours", "exercise"), ("lab.run('x')", "solution"), CHECK],
    "generated-name": ["!kubectl logs deployment/ollama"],
    "fixed-sleep": ['lab.wait("pod/ollama")'],
    "swallows-errors": ["!kubectl get pods || kubectl get events"],
    "shell-cannot-fail": ["get_ipython().run_line_magic('pwd', '')"],
    "getoutput": ["!kubectl get pods"],
    "model-name": ["!ollama run $MODEL hello", "!ollama run lab-llama:slow hello"],
    "unknown-tag": [("lab.get('pods')", "timeout-300")],
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_notebook_that_breaks_the_rule_is_refused_for_it_alone(rule):
    assert rules(notebook(*REFUSED[rule])) == [rule]


@pytest.mark.parametrize("rule", LET_PASS)
def test_a_notebook_like_it_that_keeps_the_rule_passes(rule):
    assert rules(notebook(*LET_PASS[rule])) == []


@pytest.mark.parametrize(
    ("rule", "cell"),
    [
        ("bash-without-e", "%%sh\ntrue"),
        ("pipe-hides-failure", "%%bash -e\nkubectl get pods | head"),
        ("fixed-sleep", "!sleep 5"),
        ("fixed-sleep", "%%bash -e\nkubectl get pods\nsleep 3"),
        ("swallows-errors", "try:\n    lab.get('pods')\nexcept Exception:\n    pass"),
        ("swallows-errors", "%%bash -e\nkubectl get pods || :"),
    ],
)
def test_other_ways_to_break_a_rule_are_seen_too(rule, cell):
    assert rules(notebook(cell)) == [rule]


def test_a_shell_line_before_start_is_refused_because_it_cannot_fail_yet():
    book = notebook()
    book.cells.insert(1, new_code_cell("!kubectl get pods"))
    assert rules(book) == ["shell-before-start"]


def test_stored_outputs_and_counts_are_refused():
    book = notebook("1 + 1")
    book.cells[-1].execution_count = 3
    assert rules(book) == ["stored-output"]
    book.cells[-1].execution_count = None
    book.cells[-1].outputs = [nbformat.v4.new_output("stream", text="2")]
    assert rules(book) == ["stored-output"]


@pytest.mark.parametrize("title", ["## No title", "# One\n\ntext\n\n# Two"])
def test_a_notebook_has_exactly_one_title(title):
    assert rules(notebook(title=title)) == ["one-title"]


def test_a_cell_without_an_id_is_refused():
    book = notebook("1")
    book.cells[-1]["id"] = ""
    assert rules(book) == ["no-id"]


def test_the_command_says_file_cell_rule_and_what_instead(tmp_path, capsys):
    file = tmp_path / "bad.ipynb"
    nbformat.write(notebook("import time\ntime.sleep(5)"), file)
    assert lint.main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"{file}: cell 3: fixed-sleep: too short" in said
    assert "1 notebooks, 1 findings" in said


def test_the_command_passes_a_clean_notebook(tmp_path):
    nbformat.write(notebook("lab.get('pods')"), tmp_path / "good.ipynb")
    assert lint.main([str(tmp_path)]) == 0


@pytest.mark.parametrize("words", [[], ["nothing-here.ipynb"], ["."]])
def test_the_command_cannot_tell_of_no_notebooks(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        lint.main(words)
    assert ended.value.code == 2
    assert "give notebooks, or folders of them" in capsys.readouterr().err


def test_the_lessons_are_clean(capsys):
    assert lint.main([str(Path(__file__).parents[1] / "notebooks")]) == 0, capsys.readouterr().out
