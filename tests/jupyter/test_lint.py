"""Each rule of the linter: a notebook that it refuses, and one like it that it lets pass."""

import sys
from pathlib import Path

import nbformat
import nbval.plugin
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labkit.jupyter import lint

START = "import labkit as lab\n\nlab.start()"


FOLDED = "<details>\n<summary>A solution</summary>\n\n```python\n{}\n```\n\n</details>"


def test_what_reads_notebooks_builds_no_grammar_of_iris():
    assert {"nbformat.validator", "jsonschema"} <= set(sys.modules)
    assert not {"rfc3987_syntax.syntax_helpers", "lark"} & set(sys.modules)


def notebook(*cells: str | tuple[str, ...], title: str = "# Title") -> nbformat.NotebookNode:
    """A clean notebook of these code cells, or Markdown; a tuple is a source and its tags."""
    made = [new_markdown_cell(title), new_code_cell(START)]
    for cell in cells:
        source, *tags = (cell,) if isinstance(cell, str) else cell
        new = new_markdown_cell if source.startswith("<details>") else new_code_cell
        made.append(new(source, metadata={"tags": tags}))
    return new_notebook(cells=made)


def rules(book: nbformat.NotebookNode) -> list[str]:
    return [finding.rule for finding in lint.lint(book)]


CHECK = ('lab.check("x")', "check")
SOLUTION = (FOLDED.format("lab.run('x', image='y')"), "solution")
REFUSED = {
    "bash-without-e": ["%%bash\nkubectl get pods"],
    "pipe-hides-failure": ["!kubectl get pods | head"],
    "unknown-magic": ["%%bsh -e\nkubectl get pods"],
    "no-python": ["lab.get('pods'"],
    "raises-exception": [("1/0", "raises-exception"), "print('done')"],
    "check-asserts-nothing": [("lab.get('pods')", "check")],
    "solution-without-check": [SOLUTION, "lab.get('pods')"],
    "solution-runs": [("lab.run('x', image='y')", "solution"), CHECK],
    "solution-unread": [("<details>\n\n    lab.run('x')\n\n</details>", "solution"), CHECK],
    "exercise-without-solution": [("# yours", "exercise"), CHECK],
    "generated-name": ["!kubectl logs ollama-7d9f8c6b5d-x2x7k"],
    "fixed-sleep": ["import time\ntime.sleep(5)"],
    "swallows-errors": ["!kubectl get pods || true"],
    "shell-cannot-fail": ["get_ipython().system_raise_on_error = False"],
    "getoutput": ["pods = !kubectl get pods"],
    "model-name": ["!ollama run --nowordwrap lab-llama hello"],
    "word-wrap": ["!kubectl exec ollama -- ollama run $MODEL hello"],
    "unknown-tag": [("lab.get('pods')", "timeout-5m")],
    "bare-limit": [("lab.get('pods')", "timeout-300")],
}
LET_PASS = {
    "bash-without-e": ["%%bash -e\nkubectl get pods"],
    "pipe-hides-failure": ["%%bash -eo pipefail\nkubectl get pods | head"],
    "unknown-magic": ["text = '''\n%nonsense in a string\n'''"],
    "no-python": ["lab.get('pods')"],
    "raises-exception": [("1/0", "raises-exception"), "assert lab"],
    "check-asserts-nothing": [CHECK],
    "solution-without-check": [SOLUTION, CHECK],
    "solution-runs": [SOLUTION, CHECK],
    "solution-unread": ["<details>\n\n    lab.run('x')\n\n</details>"],
    "exercise-without-solution": [("# yours", "exercise"), SOLUTION, CHECK],
    "generated-name": ["!kubectl logs deployment/ollama"],
    "fixed-sleep": ['lab.wait("pod/ollama")'],
    "swallows-errors": ["!kubectl get pods || kubectl get events"],
    "shell-cannot-fail": ["get_ipython().run_line_magic('pwd', '')"],
    "getoutput": ["!kubectl get pods"],
    "model-name": ["!ollama ps $MODEL", "!ollama ps lab-llama:slow"],
    "word-wrap": ["!ollama run --nowordwrap $MODEL 'hello; you'", "!echo 'ollama run x'"],
    "unknown-tag": [("lab.get('pods')", "work-pull")],
    "bare-limit": [("lab.get('pods')", "work-load")],
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_notebook_that_breaks_the_rule_is_refused_for_it_alone(rule):
    assert rules(notebook(*REFUSED[rule])) == [rule]


@pytest.mark.parametrize("rule", LET_PASS)
def test_a_notebook_like_it_that_keeps_the_rule_passes(rule):
    assert rules(notebook(*LET_PASS[rule])) == []


# rule, the line that it names, the cell
ALSO_REFUSED = [
    ("bash-without-e", 1, "%%sh\ntrue"),
    ("bash-without-e", 1, "%%script false\nkubectl get pods"),
    ("pipe-hides-failure", 2, "%%bash -e\nkubectl get pods | head"),
    ("pipe-hides-failure", 3, "%%time\n1\n!kubectl get pods | head"),
    ("fixed-sleep", 1, "!sleep 5"),
    ("fixed-sleep", 3, "%%bash -e\nkubectl get pods\nsleep 3"),
    ("fixed-sleep", 2, "\n!sh -c 'sleep 3; kubectl get pods'"),
    ("swallows-errors", 3, "try:\n    lab.get('pods')\nexcept Exception:\n    pass"),
    ("swallows-errors", 3, "try:\n    lab.get('pods')\nexcept lab.LabError: ..."),
    ("swallows-errors", 4, "for i in 1, 2:\n  try:\n    1\n  except lab.LabError:\n    continue"),
    ("swallows-errors", 3, "try:\n    1\nexcept:\n    print('no')"),
    ("swallows-errors", 3, "try:\n    1\nexcept (OSError, Exception) as e:\n    print(e)"),
    ("swallows-errors", 5, "def f():\n    try:\n        1\n    finally:\n        return 2"),
    ("swallows-errors", 2, "import contextlib\nwith contextlib.suppress(lab.LabError):\n    1"),
    ("swallows-errors", 2, "%%bash -e\nkubectl get pods || :"),
    ("swallows-errors", 1, "!kubectl get pods || exit 0"),
    ("swallows-errors", 1, "!kubectl get pods || /bin/true"),
    ("swallows-errors", 1, "!(kubectl get pods || true)"),
    ("swallows-errors", 1, "!kubectl get pods || echo none"),
    ("swallows-errors", 1, "!kubectl get pods; exit 0"),
    ("swallows-errors", 1, "!kubectl get pods; :"),
    ("swallows-errors", 1, "!kubectl get pods; true"),
    ("swallows-errors", 3, "!kubectl get \\\n  pods\n!kubectl get \\\n  nodes || true\n1"),
    ("swallows-errors", 4, "if lab.model:\n    x = 1\n\n    !kubectl get pods || true"),
    ("swallows-errors", 3, "%%bash -e\ntrue\nset +e\nfalse"),
    ("swallows-errors", 2, "%%bash -e\nset +o errexit\nfalse"),
    ("swallows-errors", 2, "%%bash -e\ntrap 'exit 0' EXIT\nfalse"),
    ("swallows-errors", 2, "%%bash -e\n! kubectl get pods\nkubectl get nodes"),
    ("swallows-errors", 2, "%%bash -e\nkubectl get pods && kubectl get nodes\nkubectl get ns"),
    ("swallows-errors", 1, "%%bash -e --no-raise-error\nfalse"),
    ("swallows-errors", 1, "%%bash -e --no-raise\nfalse"),
    ("swallows-errors", 1, "%%time --no-raise-error\n1/0"),
    ("background-job", 2, "%%bash -e\nkubectl logs --follow deployment/ollama &\nkubectl get pods"),
    ("background-job", 1, "!kubectl get pods &"),
    ("background-job", 1, "%%bash -e --bg\nfalse"),
    ("hides-output", 1, "%%bash -e --err found\nfalse"),
    ("hides-output", 1, "%%capture\nlab.get('pods')"),
    ("hides-output", 1, "%xmode Minimal"),
    ("getoutput", 1, "!!kubectl get pods"),
    ("getoutput", 2, "1\npods = %sx kubectl get pods"),
    ("getoutput", 1, "%%system\nkubectl get pods"),
    ("unknown-magic", 2, "# a comment first\n%%bash -e"),
    ("shell-cannot-fail", 1, "setattr(get_ipython(), 'system_raise_on_error', False)"),
    ("shell-cannot-fail", 1, "get_ipython().set_custom_exc((Exception,), print)"),
    ("shell-cannot-fail", 2, "shell = get_ipython()\nshell._showtraceback = print"),
    ("ends-kernel", 1, "exit()"),
    ("ends-kernel", 2, "1\nquit"),
    ("ends-kernel", 1, "raise SystemExit(0)"),
    ("ends-kernel", 2, "import sys\nsys.exit()"),
    ("unchecked-command", 2, "import os\nos.system('kubectl get pods')"),
    ("unchecked-command", 2, "import subprocess\nsubprocess.run(['kubectl'])"),
    ("background-work", 2, "import threading\nthreading.Thread(target=print).start()"),
    ("always-true", 1, "assert (1 == 2, 'no')"),
    ("always-true", 1, "assert True"),
    ("left-out", 1, "# NBVAL_SKIP\nlab.get('pods')"),
    ("left-out", 2, "lab.get('pods')\n  ## NBVAL_RAISES_EXCEPTION"),
    ("left-out", 2, "%%bash -e\n#NBVAL_IGNORE_OUTPUT\nfalse"),
    ("left-out", 1, "# PYTEST_VALIDATE_IGNORE_OUTPUT"),
    ("left-out", 0, ("lab.get('pods')", "nbval-skip")),
    ("left-out", 0, ("lab.get('pods')", "nbval-raises-exception")),
    ("left-out", 0, ("lab.get('pods')", "skip-execution")),
    ("left-out", 1, "if False:\n    lab.get('pods')"),
    ("left-out", 2, "1\nwhile 0:\n    lab.get('pods')"),
    ("left-out", 3, "%%bash -e\nkubectl get pods\nexit 0\nkubectl get nodes"),
    ("swallows-errors", 1, "!kubectl get pods -o jsonpath='{.items[0].spec}'; echo"),
    ("swallows-errors", 2, "1\n!kubectl get pods; kubectl get nodes"),
    ("swallows-errors", 1, "get_ipython().run_cell('1/0')"),
    (
        "swallows-errors",
        5,
        "def f():\n    try:\n        1\n    except* OSError: raise\n    finally: return 2",
    ),
    ("no-python", 2, "1\nlab.get('pods'"),
    ("check-asserts-nothing", 0, ("assert True", "check")),
]
ALSO_LET_PASS = [
    "try:\n    lab.get('pods')\nexcept lab.LabError as error:\n    print(error)",
    "try:\n    1\nexcept Exception as error:\n    assert 'no' in str(error)",
    "%%bash -e\nkubectl logs -f deployment/ollama &\ntrap 'kill $!' EXIT\nkubectl get pods",
    "%%bash -e\nkubectl get pods &\nkubectl get nodes\nwait",
    "!curl 'http://ollama:11434/?a=1&b=2'",
    "!kubectl get pods >found 2>&1",
    "%%bash -e\nif kubectl get pods && kubectl get nodes; then\n  kubectl get ns\nfi",
    "%%bash -e\nkubectl get pods && kubectl get nodes",
    "%%bash -eo pipefail\n# set +e would hide it || true\nkubectl get pods | head",
    "!kubectl annotate pod ollama note='this || true'",
    "!kubectl get pods -o jsonpath='{.items[0].spec}' && echo",
    "!for name in a b; do kubectl get pod $name || exit 1; done",
    "!kubectl get pods;",
    "!sh -ec 'kubectl get pods; kubectl get nodes'",
    "%%bash -e\nif kubectl get pods; then\n  exit 0\nfi\nkubectl get events",
    "%%bash -e\nkubectl get pods\nexit 0",
    "while True:\n    break",
    "import subprocess\nsubprocess.run(['kubectl'], check=True)",
    "# not NBVAL_SKIP but a word about it",
    "%time lab.get('pods')",
    "%timeit -n 1 -r 1 lab.get('pods')",
    "exits = [1]\nassert exits",
]


@pytest.mark.parametrize(("rule", "line", "cell"), ALSO_REFUSED)
def test_other_ways_to_break_a_rule_are_seen_too_with_their_line(rule, line, cell):
    found = [(finding.cell, finding.line, finding.rule) for finding in lint.lint(notebook(cell))]
    assert found == [(3, line, rule)]


@pytest.mark.parametrize("cell", ALSO_LET_PASS)
def test_what_only_looks_like_it_passes(cell):
    assert rules(notebook(cell)) == []


def test_every_comment_and_tag_that_nbval_reads_is_refused_but_one():
    for marker in nbval.plugin.comment_markers:
        assert rules(notebook(f"# {marker}")) == ["left-out"]
    for tag in {*nbval.plugin.metadata_tags} - {"raises-exception"}:
        assert rules(notebook(("1", tag))) == ["left-out"]


def test_a_shell_line_before_start_is_refused_because_it_cannot_fail_yet():
    book = notebook()
    book.cells.insert(1, new_code_cell("!kubectl get pods"))
    assert rules(book) == ["shell-before-start"]


def test_a_raw_cell_is_refused_because_it_is_not_run():
    book = notebook("1")
    book.cells.append(nbformat.v4.new_raw_cell("lab.get('pods')"))
    assert [str(found) for found in lint.lint(book)] == [
        "cell 4: left-out: a raw cell is not run: make it code or Markdown"
    ]


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
    assert f"{file}: cell 3, line 2: fixed-sleep: too short" in said
    assert "1 notebook, 1 finding" in said


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
    assert lint.main([str(Path(__file__).parents[2] / "notebooks")]) == 0, capsys.readouterr().out
