"""labkit/ui/cell_errors.py in a real kernel: beginners' mistakes, and errors that are not ours."""

import json
import re

import pytest

from labkit.ui import cell_errors

LAB = "import labkit as lab"
NOTEBOOK = [
    ("markdown", "# A title"),
    ("code", "import labkit as lab\n\nlab.start()"),
    ("markdown", "Text\n\n## Scale it\n\nMore text"),
    ("code", "!kubectl get pods\nbefore = 1"),
    ("code", "def clean():\n    inner = 1"),
    ("markdown", "## In a shell"),
    ("code", "pods = !kubectl get pods"),
    ("code", "for kind in ('a', 'b'):\n    !echo {kind}\n    last = kind"),
    ("code", "folder = %pwd"),
    ("code", "!kubectl get \\\n    pods\nlab.get?\nasked = 1"),
    ("code", "%%time\ntimed = 1"),
    ("code", "%time clocked = 1"),
    ("code", "%%bash -e\nin_bash=1"),
]
SET_THERE = ["pods", "last", "folder", "asked", "timed", "clocked"]
EACH = 'for name in lab.get("pods").column("NAME"): '

# the cell, what is in its first line, in its second, and the third
MISTAKES = {
    "a-helper-misspelt": ("lab.pul()", "labkit has no pul", "lab.pull", "lab.pull"),
    "a-helper-in-capitals": ("lab.Pull()", "labkit has no Pull", "lab.pull", "lab.pull"),
    "no-such-helper": ("lab.frobnicate", "labkit has no frobnicate", "none", "help(lab) lists"),
    "without-lab": ("pull()", "pull is not defined", "labkit has lab.pull", "lab.pull(…)"),
    "lab-misspelt": ("labb.pull()", "labb is not defined", "lab is defined", "lab in place of"),
    "an-earlier-cell": (
        "assert before == 2",
        "before is not defined in this kernel",
        'the cell under "Scale it" sets it',
        'run the first cell, then the cell under "Scale it", then this one',
    ),
    "an-earlier-function": ("clean()", "clean is not", 'under "Scale it"', "run the first cell"),
    "quotes-forgotten": (
        "lab.run('mine', image=ollama/ollama)",
        "ollama is not defined",
        "ollama/ollama has no quotes",
        '"ollama/ollama" in quotes',
    ),
    "quotes-of-a-slide": (
        "lab.generate(“Hi”)",
        "“ is not a character that Python reads",
        "lab.generate(“Hi”)",
        'lab.generate("Hi")',
    ),
    "quotes-of-a-word": ("lab.get(podz)", "podz is not", "podz has no quotes", '"podz" in quotes'),
    "quotes-over-lines": (
        "lab.run(\n    'x',\n    image=ollama,\n)",
        "ollama is not",
        "ollama has no quotes",
        '"ollama" in quotes',
    ),
    "true-in-small": ("lab.run('x', image='i', rm=true)", "true is not", "writes it True", "True"),
    "own-name-misspelt": (
        "question = 1\nlab.generate(qestion)",
        "qestion is not",
        "question is defined",
        "question in place of qestion",
    ),
    "keyword-without-its-line": (
        "lab.generate('x', keepalive=60)",
        "lab.generate does not take keepalive=",
        "it takes prompt, model",
        "keep_alive= in place of keepalive=",
    ),
    "keyword-of-another": (
        "lab.generate('x', name='m')",
        "lab.generate does not take name=",
        "it takes prompt, model",
        "model= in place of name=",
    ),
    "keyword-of-a-decorated-helper": (
        "lab.load_test('service/x', client=2)",
        "lab.load_test does not take client=",
        "it takes target, clients",
        "clients= in place of client=",
    ),
    "argument-missing": ("lab.run('x')", "lab.run missing 1 required", "it takes", "lab.run("),
    "too-many": ("lab.get('pods', 'x')", "lab.get takes 1 positional", "it takes", "lab.get("),
    "a-list-for-a-name": (
        "lab.pull(at=['a', 'b'])",
        "lab.pull takes a name as at, not a list",
        "at is ['a', 'b']",
        EACH + 'lab.pull(at=f"pod/{name}")',
    ),
    "a-list-for-a-target": (
        "lab.logs(['a'])",
        "lab.logs takes a name as target, not a list",
        "target is ['a']",
        EACH + 'lab.logs(f"pod/{name}")',
    ),
    "a-number-for-a-name": ("lab.logs(5)", "lab.logs takes a name", "target is 5", '"5", in'),
    "a-table-has-no-such-thing": (
        "lab.Table(['A'], []).colum",
        "a Table has no colum",
        "it has",
        ".column",
    ),
}
OTHERS = [
    "1 / 0",
    "nosuch + 1",
    "'a'.nosuch",
    "len()",
    "def f(a): pass\nf(b=1)",
    "int([])",
    "lab.choice.nosuch",
    "def f():\n    nosuch\nf()",
    "{}['x']",
]


@pytest.fixture(scope="module")
def cell(kernel, tmp_path_factory):
    """Runs a cell in a kernel of a notebook, which the lab has started."""
    file = tmp_path_factory.mktemp("work") / "03-service.ipynb"
    cells = [{"cell_type": kind, "source": text} for kind, text in NOTEBOOK]
    file.write_text(json.dumps({"cells": cells}))
    setup = [
        f"import os; os.environ['JPY_SESSION_NAME'] = {str(file)!r}",
        LAB,
        "from pathlib import Path; from labkit.kube import session",
        "session._current = session.Session('lab', '', Path('/nonexistent'))",
    ]
    assert kernel("\n".join(setup)) == ("ok", [])
    yield kernel
    kernel("for name in ('lab', 'session'): globals().pop(name, None)")


@pytest.mark.parametrize("name", MISTAKES)
def test_kernel_a_mistake_with_the_lab_is_three_lines_without_frames(cell, name):
    code, happened, saw, hint = MISTAKES[name]
    status, outputs = cell(code)
    error = outputs[-1]
    assert (status, error["type"]) == ("error", "error")
    first, second, third = error["traceback"]
    assert first.startswith(f"{error['ename']}: ") and happened in first
    assert second.startswith("saw: ") and saw in second
    assert third.startswith("try: ") and hint in third and "?" not in third.replace("Pod?", "")


def _syntax_error(code: str) -> SyntaxError:
    with pytest.raises(SyntaxError) as raised:
        compile(code, "cell", "exec")
    return raised.value


@pytest.mark.parametrize(
    ("code", "happened", "hint"),
    [
        ("x = 1\nlab.chat(“Hi”)", "“ is", 'lab.chat("Hi")'),
        ('lab.chat("a – b", “Hi”)', "“ is", 'lab.chat("a – b", "Hi")'),
        ("x =\u00a01", "a no-break space is", "type its spaces again: x = 1"),
    ],
    ids=["quotes", "a dash in a string before them", "a no-break space"],
)
def test_the_character_is_the_one_at_which_python_stopped(code, happened, hint):
    error = _syntax_error(code)
    first, second, third = cell_errors.typographic(error)
    assert first == f"SyntaxError: {happened} not a character that Python reads"
    assert second == f"saw: {error.text.strip()}"
    assert third == f"try: {hint}"


@pytest.mark.parametrize("code", ["€ = 'a – b'", "x = ('–'", "\u200bx = '–'"])
def test_what_no_text_processor_has_put_there_is_left_to_python(code):
    assert cell_errors.typographic(_syntax_error(code)) is None


def test_kernel_the_first_cell_that_did_not_run_is_named(cell):
    cell("del lab")
    try:
        status, outputs = cell("lab.get('pods')")
    finally:
        cell(LAB)
    assert status == "error" and outputs[-1]["traceback"] == [
        "NameError: lab is not defined in this kernel",
        "saw: the first cell has not run since the kernel started",
        "try: run the first cell with import labkit as lab and lab.start(), then this one",
    ]


@pytest.mark.parametrize("name", SET_THERE)
def test_kernel_a_cell_with_lines_for_a_shell_sets_names_too(cell, name):
    _, outputs = cell(f"print({name})")
    happened, saw, _ = outputs[-1]["traceback"]
    assert happened == f"NameError: {name} is not defined in this kernel"
    assert saw.startswith('saw: the cell under "In a shell" sets it')


def test_kernel_a_name_of_bash_is_no_name_of_python(cell):
    _, outputs = cell("print(in_bash)")
    assert "Traceback" in plain(outputs)


def plain(outputs: list[dict]) -> str:
    """A traceback without its colours and the number of its cell."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(outputs[-1]["traceback"]))
    return re.sub(r"In\[\d+\]|Cell In\s*\[\d+\]|0x[0-9a-f]+", "Cell", text)


@pytest.mark.parametrize("code", OTHERS)
def test_kernel_an_error_that_is_not_the_labs_stays_as_ipython_shows_it(cell, code):
    _, ours = cell(code)
    assert cell("get_ipython().set_custom_exc((), None)") == ("ok", [])
    _, theirs = cell(code)
    assert cell("notebook.on_failed_command()") == ("ok", [])
    assert plain(ours) == plain(theirs)
    assert "Traceback" in plain(ours)


def test_kernel_a_variable_brings_the_whole_traceback_back(cell):
    cell("os.environ['LAB_TRACEBACK'] = '1'")
    try:
        _, outputs = cell("lab.logs(5)")
    finally:
        cell("del os.environ['LAB_TRACEBACK']")
    assert "pod_logs.py" in plain(outputs)


def test_kernel_an_error_inside_of_labkit_shows_its_message_and_no_frame(cell):
    cell("session._current = 'broken'")
    try:
        _, outputs = cell("lab.get('pods')")
    finally:
        cell("session._current = session.Session('lab', '', Path('/nonexistent'))")
    assert outputs[-1]["traceback"] == [
        "AttributeError: lab.get failed: 'str' object has no attribute 'api'",
        "saw: lab.get('pods')",
        "try: help(lab.get) shows what it takes; %tb shows the whole traceback,"
        " and %env LAB_TRACEBACK=1 always does",
    ]
    _, outputs = cell("%tb")
    assert "Traceback" in plain(outputs) and "tables.py" in plain(outputs)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("lab.logs(5)", "TypeError"),
        ("lab.pul()", "AttributeError"),
        ("1 / 0", "ZeroDivisionError"),
        ("!false", "CalledProcessError"),
        ("lab.get('pods'", "SyntaxError"),
        ("lab.get(\u201cpods\u201d)", "SyntaxError"),
    ],
)
def test_kernel_after_any_error_the_debugger_finds_it(cell, code, kind):
    cell("import sys; sys.last_type = sys.last_value = sys.last_traceback = None")
    assert cell(code)[0] == "error"
    _, outputs = cell("sys.last_type.__name__, type(sys.last_value) is sys.last_type")
    assert outputs[-1]["data"]["text/plain"] == f"('{kind}', True)"


def test_kernel_an_error_in_a_function_that_the_lab_calls_is_the_learners(cell):
    cell("from labkit.setup.cluster.outage import asked_again")
    _, outputs = cell("asked_again(lambda: nosuch, 0)")
    assert "Traceback" in plain(outputs) and "lambda" in plain(outputs)
