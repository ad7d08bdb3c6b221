"""commands/shell_hint.py: every hint that is a call, as a line to paste into a terminal."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

import labkit as lab
from labkit.commands.parser import parsed
from labkit.commands.shell_hint import in_shell

PACKAGE = Path(lab.__file__).parent
# what each says in a terminal: a new hint is put here by hand, and read
TABLE = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
# what stands in a hint in place of an expression, where that is no word
SAMPLES = {
    "count": "2",
    "2 * timeout_s": "240",
    "verb": "wait",
    "word": "pods",
    "target.word": "pods",
}
SAMPLES |= dict.fromkeys(("one", "target", "self.name"), "pod/x") | {
    "nearest[0]": "00-start",
    "near[0]": "pods",
}
SAMPLES |= {"doing": "check", "at": "pod/x", "by": "hook", "labs.LEARNER": "lab", "error.saw": "…"}
# cells and their errors, a chart, buttons
NOT_HINTS = {"jupyter", "cell_errors.py", "panels.py", "instructor.py", "shell_hint.py"}


@pytest.fixture(autouse=True)
def charts(monkeypatch):
    monkeypatch.setenv("CHARTS", "http://charts")  # as `./lab env` has it


def literals(tree: ast.AST) -> Iterator[str]:
    """The strings of a module that are no docstrings, with samples in place of expressions."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in formatted for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(sample, node.values))
        elif isinstance(node, ast.Constant) and id(node) not in docstrings | parts:
            yield re.sub(r"\{(\w+)\}", "x", str(node.value)).replace("{{", "{").replace("}}", "}")


def sample(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return part.value
    assert isinstance(part, ast.FormattedValue)
    text = SAMPLES.get(ast.unparse(part.value), "x")
    return repr(text) if part.conversion == ord("r") else text


def hints() -> list[str]:
    """Every string of labkit with a call of `lab` in it."""
    files = [f for f in sorted(PACKAGE.rglob("*.py")) if not NOT_HINTS.intersection(f.parts)]
    found = [text for file in files for text in literals(ast.parse(file.read_text()))]
    return sorted({text for text in found if re.search(r"\blab\.(model\b|\w+\()", text)})


def test_the_table_has_every_hint_of_labkit_and_no_other():
    assert sorted(TABLE) == hints()
    assert len(TABLE) > 50


@pytest.mark.parametrize("hint", TABLE)
def test_in_a_terminal_a_hint_is_what_the_table_says(hint):
    assert in_shell(hint) == TABLE[hint]


@pytest.mark.parametrize("hint", TABLE)
def test_a_shell_takes_the_line_or_it_is_marked_as_one_for_a_notebook(hint):
    said = in_shell(hint)
    if said == f"in a notebook: {hint}":
        return
    assert not re.search(r"\blab\.\w", said)
    if not hint.startswith("lab."):  # words, in which a line may stand
        return
    assert said.startswith(("./lab ", "cat ", "eval ", "export ", "helm ", "kubectl ", "ollama "))
    assert subprocess.run(["bash", "-n", "-c", said], check=False).returncode == 0
    for line in said.partition(" # ")[0].split("; "):
        if line.startswith("./lab "):
            assert parsed(shlex.split(line)[1:])


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ('lab.check("03-service")', "./lab check 03-service"),
        ('lab.goto("03-service")', "./lab goto 03-service"),
        ('lab.hint("03-service/answers")', "./lab hint 03-service/answers"),
        ("lab.reset()", "./lab reset"),
        ("lab.status()", "./lab status"),
        ("lab.check_all()", "./lab check"),
        ("lab.start()", 'eval "$(./lab env)"'),
        ('lab.start("my-own")', 'export LAB_NAMESPACE=my-own; eval "$(./lab env)"'),
    ],
)
def test_what_lab_does_itself_is_a_command_of_lab(call, line):
    assert in_shell(call) == line


def test_another_context_stays_in_the_line():
    assert in_shell("lab.reset()", "my lab") == "./lab reset --context 'my lab'"
    assert in_shell("lab.start()", "b") == 'eval "$(./lab env --context b)"'
    assert in_shell('lab.get("pods")', "b") == "kubectl get pods"


@pytest.mark.parametrize(
    ("hint", "line"),
    [
        ("./lab up", "./lab up"),
        ("free some space", "free some space"),
        ('lab.get("pods"), lab.events()', "kubectl get pods; kubectl events"),
        ('lab.get("pods"): does it run?', "kubectl get pods # does it run?"),
        ('is it one? lab.logs("pod/x")', "kubectl logs pod/x # is it one?"),
        (
            'kubectl get x; lab.wait("job/y", timeout_s=9)',
            "kubectl get x; kubectl wait job/y --for=condition=Complete --timeout=9s",
        ),
        ('lab.get("a b")', "kubectl get 'a b'"),
        ("lab.get(name)", "in a notebook: lab.get(name)"),
        ("lab.get('x', nonsense=1)", "in a notebook: lab.get('x', nonsense=1)"),
        ("lab.get(", "in a notebook: lab.get("),
        ('lab.bake(); lab.get("x")', 'in a notebook: lab.bake(); lab.get("x")'),
    ],
)
def test_the_line_comes_first_and_the_words_about_it_are_a_comment(hint, line):
    assert in_shell(hint) == line


@pytest.mark.parametrize("force", [True, False])
def test_a_field_that_helm_takes_back_is_taken_back_in_a_terminal_too(force):
    call = f'lab.helm_upgrade("x", "ollama", repo="http://c", values={{}}, force_conflicts={force})'
    words = "helm upgrade --install x ollama --repo http://c"
    assert in_shell(call) == f"{words}{' --force-conflicts' * force} --wait"


def test_a_pull_is_of_the_model_that_the_terminal_has(monkeypatch):
    monkeypatch.setenv("MODEL", "qwen2:1.5b")
    assert in_shell('lab.pull(at="pod/x")') == "kubectl exec pod/x -- ollama pull qwen2:1.5b"


@pytest.mark.parametrize(
    "call",
    [
        'lab.apply("k8s/steps/00-pod")',
        'lab.create_deployment("ollama", image="ollama/ollama")',
        'lab.create_service("ollama", tcp=11434)',
        'lab.delete("pod/ollama")',
        "lab.events()",
        'lab.events("pod/ollama")',
        'lab.exec("pod/ollama", "ollama", "list")',
        'lab.generate("What is a Pod?", at="pod/ollama")',
        'lab.generate("What is a Pod?", at="service/ollama", keep_alive="1h")',
        'lab.get("pods", selector="app=ollama")',
        'lab.logs("pod/ollama", previous=True)',
        "lab.ps()",
        'lab.pull("qwen2:1.5b", at="pod/ollama")',
        'lab.pull(at="deployment/ollama")',
        'lab.pull(at="service/ollama")',
        'lab.rollout("deployment/ollama", timeout_s=0.2)',
        'lab.run("ollama", image="ollama/ollama")',
        'lab.scale("deployment/ollama", replicas=2)',
        "lab.stop()",
        'lab.wait("deployment/ollama")',
        'lab.wait("pod/x", until="create", timeout_s=0.2)',
    ],
)
def test_the_line_is_the_one_that_the_call_prints(call, store, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with suppress(lab.LabError, KeyError):  # that server has no tables, and little else
        eval(call, {"lab": lab})
    printed = capsys.readouterr().out.replace(" \\\n ", "").splitlines()
    assert printed[0] == f"$ {in_shell(call)}"
