"""The must-fail set: notebooks that have to fail, each with a twin that has to pass.

All of them run in one real pytest with the plugin, without a cluster; the junit report says
what became of each cell.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import nbval.plugin
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook
from nbval.kernel import CURRENT_ENV_KERNEL_NAME

from labkit import process
from labkit.bringup import paths
from labkit.proving import executed, namespace, run
from labkit.proving.kernel import Folded, Kernel

CHECKED = """
class CheckFailed(Exception): pass
done = False
def check():
    if not done: raise CheckFailed("not done")
"""
RAISING = "from labkit import display\ndisplay.on_failed_command()"
REPAINTS = """
from IPython.display import display
handle = display({"text/plain": "0"}, raw=True, display_id=True)
for number in range(10_000):
    handle.update({"text/plain": str(number) + "." * 200}, raw=True)
"""
START = "import labkit as lab\nlab.start()"

# name: the cells (a tuple has tags), the cell that fails, what its report says; None: passes
NOTEBOOKS = {
    "failing-check": ([CHECKED, ("check()", "check"), "1"], 1, "CheckFailed"),
    "passing-check": ([CHECKED + "done = True", ("check()", "check"), "1"], None, ""),
    "dead-kernel": (["import os", ("os._exit(1)", "timeout-60"), "1"], 1, "the kernel died"),
    "past-limit": ([("while True: pass", "timeout-1"), "1"], 0, "Timeout of 1 seconds exceeded"),
    "within-limit": ([("sum(range(10**6))", "timeout-60"), "1"], None, ""),
    "silent-shell": ([RAISING, "!false", "1"], 1, "CommandFailed"),
    "well-shell": ([RAISING, "!true", "1"], None, ""),
    "bash-e": (["%%bash -e\nfalse\ntrue", "1"], 0, "CalledProcessError"),
    "too-easy": (
        [CHECKED + "done = True", ("1", "solution"), ("check()", "check")],
        1,
        "passes without it",
    ),
    "wrong-error": (
        [CHECKED, ("1", "solution"), ("undefined()", "check")],
        1,
        "must fail as CheckFailed before it",
    ),
    "unsolved": ([CHECKED, ("1", "solution"), ("check()", "check")], 2, "CheckFailed"),
    "unchecked": ([CHECKED, ("done = True", "solution")], 1, "no check cell after it"),
    "solved": ([CHECKED, ("done = True", "solution"), ("check()", "check")], None, ""),
    "cluster-gone": ([START, "1"], 0, "ApiSilent"),
    "many-messages": ([REPAINTS, "1"], None, ""),
}
FAILING = [name for name, (_, cell, _) in NOTEBOOKS.items() if cell is not None]
PASSING = [name for name in NOTEBOOKS if name not in FAILING]


def write(path: Path, cells: list) -> None:
    made = []
    for cell in cells:
        source, *tags = (cell,) if isinstance(cell, str) else cell
        made.append(new_code_cell(source, metadata={"tags": tags}))
    nbformat.write(new_notebook(cells=made), path)


def kubeconfig_to_nowhere(path: Path) -> None:
    cluster = {"server": "https://127.0.0.1:1"}  # a port on which nobody listens
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gone", "cluster": cluster}],
        "users": [{"name": "gone", "user": {}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "gone"}}],
        "current-context": "gone",
    }
    paths.write_text(path, yaml.safe_dump(config))


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """The folder of one run of all of them: junit.xml, artifacts/."""
    folder = tmp_path_factory.mktemp("must-fail")
    for name, (cells, _, _) in NOTEBOOKS.items():
        write(folder / f"{name}.ipynb", cells)
    kubeconfig_to_nowhere(folder / "state" / "labkit" / "kubeconfig")
    words = [sys.executable, "-P", "-m", "pytest", "-p", "labkit.proving.plugin"]
    words += ["--nbval-lax", "--nbval-current-env", "--lab-no-namespace", "--junitxml=junit.xml"]
    words += ["-n", "2", "--dist", "loadfile", "--quiet", "."]
    env = {k: v for k, v in os.environ.items() if not k.startswith("LAB_")}
    env |= {"XDG_STATE_HOME": str(folder / "state"), "LAB_ARTIFACTS": str(folder / "artifacts")}
    done = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return folder


def cells_of(world: Path, name: str) -> list[tuple[str, str, float]]:
    """Outcome, report and seconds of each cell of that notebook."""
    found = []
    for case in ElementTree.parse(world / "junit.xml").iter("testcase"):
        if case.get("classname") == f"{name}.ipynb":
            outcome = next((c for c in case if c.tag in ("failure", "error", "skipped")), None)
            tag = "passed" if outcome is None else outcome.tag
            said = "" if outcome is None else f"{outcome.get('message')}\n{outcome.text}"
            found.append((tag, said, float(case.get("time", 0))))
    return found


@pytest.mark.parametrize("name", FAILING)
def test_a_notebook_that_must_fail_fails_in_that_cell_and_runs_no_other(world, name):
    cells, failing, reason = NOTEBOOKS[name]
    found = cells_of(world, name)
    assert len(found) == len(cells)
    outcomes = [outcome for outcome, _, _ in found]
    later = ["skipped"] * (len(cells) - failing - 1)
    assert outcomes == [*["passed"] * failing, "failure", *later]
    assert reason in found[failing][1]


@pytest.mark.parametrize("name", PASSING)
def test_its_twin_passes_so_that_the_failing_is_no_accident(world, name):
    found = cells_of(world, name)
    assert [outcome for outcome, _, _ in found] == ["passed"] * len(NOTEBOOKS[name][0])


@pytest.mark.parametrize(("name", "seconds"), [("dead-kernel", 10), ("past-limit", 10)])
def test_a_dead_kernel_and_a_passed_limit_are_noticed_in_seconds(world, name, seconds):
    assert sum(took for _, _, took in cells_of(world, name)) < seconds


def test_a_failed_command_is_reported_in_three_lines_without_a_traceback(world):
    report = cells_of(world, "silent-shell")[1][1]
    assert "saw: " in report
    assert "try: " in report
    assert "most recent call last" not in report


def test_executed_notebooks_are_kept_with_their_last_outputs(world):
    book = nbformat.read(world / "artifacts" / "many-messages.ipynb", as_version=4)
    nbformat.validate(book)
    outputs = book.cells[0].outputs
    assert [o.data["text/plain"].rstrip(".") for o in outputs] == ["9999"]
    assert book.metadata["labkit"]["failed"] == ""
    assert book.metadata["labkit"]["seconds"] > 0


def test_a_failed_notebook_is_kept_too_with_its_error(world):
    book = nbformat.read(world / "artifacts" / "failing-check.ipynb", as_version=4)
    assert book.cells[1].outputs[0].ename == "CheckFailed"
    assert book.metadata["labkit"]["failed"] == "Cell 1"


@pytest.fixture
def nowhere(monkeypatch):
    """/dev/null, which nbval opens for each kernel and never closes."""
    with Path(os.devnull).open("w") as file:
        monkeypatch.setattr("nbval.kernel.open", lambda *_: file, raising=False)
        yield


@pytest.mark.usefixtures("nowhere")
def test_no_message_is_lost_when_the_reader_falls_behind(tmp_path):
    kernel = Kernel(CURRENT_ENV_KERNEL_NAME, cwd=str(tmp_path))
    try:
        cell = kernel.execute_cell_input(f"{REPAINTS}\nopen('done', 'w').close()")
        deadline = time.monotonic() + 60
        while not (tmp_path / "done").exists():  # on a busy machine nobody reads meanwhile
            assert time.monotonic() < deadline
            time.sleep(0.1)
        kernel.await_reply(cell, 60)
        messages = iter(lambda: kernel.get_message("iopub", timeout=1), None)
        shown = next(m for m in messages if m["msg_type"] == "display_data")
        assert shown["content"]["data"]["text/plain"].rstrip(".") == "9999"
    finally:
        kernel.stop()


def test_the_place_in_nbval_that_the_plugin_takes_exists():
    assert isinstance(nbval.plugin.RunningKernel, type)


def stream(text: str) -> dict:
    return {"msg_type": "stream", "content": {"name": "stdout", "text": text}}


def shown(text: str, kind: str = "display_data") -> dict:
    content = {"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": "a"}}
    return {"msg_type": kind, "content": content}


def texts(*messages: dict) -> list[str]:
    folded = Folded()
    for message in messages:
        folded.add(message)
    contents = [m["content"] for m in folded.messages]
    return [c.get("text") or c["data"]["text/plain"] for c in contents]


CLEAR = {"msg_type": "clear_output", "content": {"wait": False}}
CLEAR_LATER = {"msg_type": "clear_output", "content": {"wait": True}}


@pytest.mark.parametrize(
    ("messages", "left"),
    [
        ([stream("a"), stream("b")], ["ab"]),
        ([shown("1"), shown("2", "update_display_data")], ["2"]),
        ([stream("a"), CLEAR], []),
        ([stream("a"), CLEAR_LATER], ["a"]),
        ([stream("a"), CLEAR_LATER, stream("b")], ["b"]),
    ],
)
def test_messages_are_folded_as_a_front_end_folds_them(messages, left):
    assert texts(*messages) == left


def test_notebooks_tagged_alone_run_after_the_others_and_beside_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        write(tmp_path / f"{name}.ipynb", ["1"])
    write(tmp_path / "c.ipynb", [("1", "alone")])
    ran = []
    monkeypatch.setattr(run, "_run", lambda words: ran.append(words) or 0)
    monkeypatch.setattr(namespace, "wait_until_gone", lambda: ran.append("waited"))
    assert run.main(["."]) == 0
    together = ["-n", "2", "--dist", "loadfile", "a.ipynb", "b.ipynb"]
    assert ran == [together, "waited", ["c.ipynb"]]
    assert "c.ipynb: did not run" in capsys.readouterr().out


def test_the_worst_exit_code_is_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.ipynb", ["1"])
    write(tmp_path / "c.ipynb", [("1", "alone")])
    monkeypatch.setattr(run, "_run", lambda words: 1 if "c.ipynb" in words else 0)
    monkeypatch.setattr(namespace, "wait_until_gone", lambda: None)
    assert run.main(["."]) == 1


def test_what_an_earlier_run_left_does_not_pass_for_this_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_ARTIFACTS", str(tmp_path / "kept"))
    write(tmp_path / "a.ipynb", ["1"])
    executed.folder().mkdir()
    (executed.folder() / "a.ipynb").write_text("old")
    monkeypatch.setattr(run, "_run", lambda words: 0)
    run.main(["a.ipynb"])
    assert "a.ipynb: did not run" in capsys.readouterr().out


def test_the_run_that_is_going_on_is_not_taken_for_a_dead_one():
    host = namespace.run_id().partition(".")[0]
    assert not process.is_dead(namespace.run_id())
    assert process.is_dead(f"{host}.{os.getpid()}.1")
    assert not process.is_dead(f"another-{host}.{os.getpid()}.1")
