"""The typed face of `import labkit`: the stub, the type checker's list, what an editor shows."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jedi
import pytest

import labkit
from labkit.load.plan import FIELDS, Plan

ROOT = Path(__file__).parents[1]
STUB = (ROOT / "labkit/__init__.pyi").read_text()
MYPY = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
NOT_CALLED = {"Chart", "LabError", "Table"}


def imported(stub: str) -> dict[str, str]:
    """Each name that a stub gives on, and its module, as `_HOMES` has them."""
    froms = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    return {
        name.asname: node.module.removeprefix("labkit.")
        for node in froms
        for name in node.names
        if name.asname == name.name
    }


def test_the_stub_names_what_the_lazy_map_names_and_from_there():
    assert imported(STUB) == labkit._HOMES


def test_the_stub_types_what_is_no_import():
    typed = [node for node in ast.parse(STUB).body if isinstance(node, ast.AnnAssign)]
    assert {node.target.id: node.annotation.id for node in typed} == {
        "__version__": "str",
        "model": "str",
    }
    assert set(labkit.__all__) == {"model", *imported(STUB)}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("labkit.kube.pod_run import run as", "labkit.kube.wait import run as"),
        ("import run as run", "import run as ran"),
        ("import run as run", "import run"),
        ("from labkit.kube.pod_run import run as run\n", ""),
    ],
)
def test_a_stub_that_is_behind_would_be_found(right, wrong):
    assert right in STUB
    assert imported(STUB.replace(right, wrong)) != labkit._HOMES


def test_every_module_of_a_public_name_is_type_checked():
    homes = {f"labkit/{home.replace('.', '/')}.py" for home in labkit._HOMES.values()}
    assert homes | {"labkit/__init__.pyi", "labkit/load"} <= set(MYPY["files"])
    assert MYPY["strict"] is True


def test_a_function_without_types_is_found(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "labkit", tmp_path / "labkit", ignore=shutil.ignore_patterns("*.pyc"))
    file = tmp_path / "labkit/load/clock.py"
    file.write_text(file.read_text() + "\n\ndef untyped(value):\n    return value\n")
    alone = ["--follow-imports=skip", "labkit/load/clock.py"]
    command = [sys.executable, "-P", "-m", "mypy", *alone]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Function is missing a type annotation  [no-untyped-def]" in done.stdout
    assert done.stdout.count("error:") == 1


def test_a_plan_has_a_type_for_each_of_its_fields():
    assert list(Plan.__annotations__) == list(FIELDS)


CALLED = sorted(set(imported(STUB)) - NOT_CALLED)


@pytest.fixture(scope="module")
def typed() -> jedi.Script:
    """A cell in which each function is called, one a line: what jedi has read once it knows."""
    project = jedi.Project(ROOT, sys_path=[str(ROOT), *sys.path])
    lines = [f"lab.{name}()" for name in CALLED]
    return jedi.Script("\n".join(["import labkit as lab", *lines]), project=project)


@pytest.mark.parametrize("name", CALLED)
def test_an_editor_shows_the_signature_and_what_one_gets(typed, name):
    # between the brackets, where one stands after typing the first
    (shown,) = typed.get_signatures(line=CALLED.index(name) + 2, column=len(f"lab.{name}("))
    assert shown.name == name
    thing = getattr(labkit, name)
    code = thing.__wrapped__.__code__ if hasattr(thing, "__wrapped__") else thing.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    given = [one for one in shown.params if not one.to_string().startswith("*")]
    assert [one.name for one in given if one.name] == list(code.co_varnames[:count])
    assert shown.docstring(raw=True).splitlines()[0] == thing.__doc__.splitlines()[0]
