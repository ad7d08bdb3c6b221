"""The must-fail set: notebooks that have to fail, each with a twin that has to pass.

All of them run in one real pytest with the plugin, without a cluster; the junit report says
what became of each cell.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nbformat
import nbval.plugin
import pytest
import yaml
from jupyter_client.manager import KernelManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbval.kernel import CURRENT_ENV_KERNEL_NAME

from labkit.errors import CommandFailed, TimedOut, Unsupported
from labkit.jupyter import executed, junit, namespace, run
from labkit.jupyter.folded import Folded
from labkit.jupyter.kernel import Kernel, KernelDied
from labkit.setup.cluster import labs
from labkit.setup.host import paths, pid

CHECKED = """
class CheckFailed(Exception): pass
done = False
def check():
    if not done: raise CheckFailed("not done")
"""
RAISING = "from labkit.ui import notebook\nnotebook.on_failed_command()"
REPAINTS = """
from IPython.display import display
handle = display({"text/plain": "0"}, raw=True, display_id=True)
for number in range(10_000):
    handle.update({"text/plain": str(number) + "." * 200}, raw=True)
"""
IN_TURN = """
from IPython.display import display
for number in "123":
    print("$", number)
    display({"text/plain": "did " + number}, raw=True)
"""
HIDES = "get_ipython().set_custom_exc((Exception,), lambda *error, **more: None)"
FOLDED = "<details>\n<summary>A solution</summary>\n\n```python\n{}\n```\n\n</details>"
PROGRESS = """
import os
from pathlib import Path
from labkit.learner import passed, places
from labkit.ui import notebook_file
assert notebook_file.place({}).name == "begins-with-nothing-passed.ipynb"
assert not list(places.work().iterdir()) and places.work().is_dir()
assert passed.keep("00-start/run", "", "lab") and "00-start/run" in passed.kept("", "lab")
"""
START = "import labkit as lab\nfrom labkit.kube import session\nsession.START_S = 1\nlab.start()"

# name: the cells (a tuple has tags), the cell that fails, what its report says; None: passes
NOTEBOOKS = {
    "failing-check": ([CHECKED, ("check()", "check"), "1"], 1, "CheckFailed"),
    "passing-check": ([CHECKED + "done = True", ("check()", "check"), "1"], None, ""),
    "dead-kernel": (["import os", ("os._exit(1)", "timeout-60"), "1"], 1, "the kernel died"),
    "past-limit": ([("while True: pass", "timeout-1"), "1"], 0, "past its limit: 1 s"),
    "within-limit": ([("sum(range(10**6))", "timeout-60"), "1"], None, ""),
    "silent-shell": ([RAISING, "!false", "1"], 1, "CommandFailed"),
    "misspelt-helper": ([f"{RAISING}\nimport labkit as lab", "lab.pul()", "1"], 1, "has no pul"),
    "unknown-name": ([RAISING, "nosuch", "1"], 1, "NameError"),
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
    "folded": (
        [CHECKED, (FOLDED.format("done = True"), "solution"), ("check()", "check")],
        None,
        "",
    ),
    "folded-and-wrong": (
        [CHECKED, (FOLDED.format("1"), "solution"), ("check()", "check")],
        2,
        "CheckFailed",
    ),
    "folded-and-too-easy": (
        [CHECKED + "done = True", (FOLDED.format("1"), "solution"), ("check()", "check")],
        1,
        "passes without it",
    ),
    "begins-with-nothing-passed": ([PROGRESS], None, ""),
    "cluster-gone": ([START, "1"], 0, "ApiSilent"),
    "no-such-magic": (["%nosuch", "1"], 0, "failed without an error message"),
    "hidden-error": ([HIDES, "1/0", "1"], 1, "failed without an error message"),
    "left-out": (["1", "# NBVAL_SKIP\n1/0", "1"], 1, "this cell was left out"),
    "left-out-by-tag": ([("1/0", "nbval-skip"), "1"], 0, "this cell was left out"),
    "many-messages": ([REPAINTS, "1"], None, ""),
    "in-turn": ([IN_TURN, "1"], None, ""),
    "too-many-lines": (["print('line\\n' * 14)", "print('x' * 1501)", "1"], 1, "shows 16 lines"),
    "few-lines": (["print('line\\n' * 14)", "1"], None, ""),
}
FAILING = [name for name, (_, cell, _) in NOTEBOOKS.items() if cell is not None]
PASSING = [name for name in NOTEBOOKS if name not in FAILING]


def write(path: Path, cells: list) -> None:
    made = []
    for cell in cells:
        source, *tags = (cell,) if isinstance(cell, str) else cell
        new = new_markdown_cell if source.startswith("<details>") else new_code_cell
        made.append(new(source, metadata={"tags": tags}))
    limit = {"labkit": {"most_lines": 15}} if "lines" in path.stem else {}
    nbformat.write(new_notebook(cells=made, metadata=limit), path)


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
    words = [sys.executable, "-P", "-m", "pytest", "-p", "labkit.jupyter.plugin"]
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


def test_an_executed_notebook_shows_lines_and_displays_in_the_order_in_which_they_came(world):
    book = nbformat.read(world / "artifacts" / "in-turn.ipynb", as_version=4)
    shown = [o.get("text") or o["data"]["text/plain"] for o in book.cells[0].outputs]
    assert shown == ["$ 1\n", "did 1", "$ 2\n", "did 2", "$ 3\n", "did 3"]


def test_the_executed_copy_has_the_solution_that_was_run_as_a_cell(world):
    book = nbformat.read(world / "artifacts" / "folded.ipynb", as_version=4)
    nbformat.validate(book)
    assert [cell.cell_type for cell in book.cells] == ["code"] * 3
    assert book.cells[1].source == "done = True" and book.cells[1].execution_count == 2


def test_a_failed_notebook_is_kept_too_with_its_error(world):
    book = nbformat.read(world / "artifacts" / "failing-check.ipynb", as_version=4)
    assert book.cells[1].outputs[0].ename == "CheckFailed"
    assert book.metadata["labkit"]["failed"] == "Cell 1"


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


def test_a_kernel_starts_where_the_ports_that_it_would_take_are_taken(tmp_path, monkeypatch):
    """As by a load test's connections, between the choice of a port and the kernel's start."""
    with ExitStack() as ends:

        def taken(self, *args, write=KernelManager.write_connection_file, **options):
            write(self, *args, **options)
            if self.transport == "tcp":
                for port in (self.shell_port, self.iopub_port):
                    ends.enter_context(socket.create_server((self.ip, port)))

        monkeypatch.setattr(KernelManager, "write_connection_file", taken)
        kernel = Kernel(CURRENT_ENV_KERNEL_NAME, cwd=str(tmp_path))
        try:
            assert kernel.failure("1 / 1", 10) is None
            assert kernel.failure("1 / 0", 10)[0] == "ZeroDivisionError"
        finally:
            kernel.stop()


def test_a_kernel_that_died_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kernel = Kernel(CURRENT_ENV_KERNEL_NAME, cwd=str(tmp_path))
    assert list(tmp_path.iterdir())
    with pytest.raises(KernelDied):
        kernel.failure("import os; os._exit(1)", 20)
    assert list(tmp_path.iterdir()) == []


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
    assert run.main(["."]) == 2, "none of them left an executed copy"
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
    assert run.main(["a.ipynb"]) == 2
    assert "a.ipynb: did not run" in capsys.readouterr().out


def test_the_run_that_is_going_on_is_not_taken_for_a_dead_one():
    host = namespace.run_id().partition(".")[0]
    assert not pid.is_dead(namespace.run_id())
    assert pid.is_dead(f"{host}.{os.getpid()}.1")
    assert not pid.is_dead(f"another-{host}.{os.getpid()}.1")


def test_each_pytest_of_a_run_writes_a_junit_file_of_its_own_when_asked(monkeypatch, tmp_path):
    (tmp_path / "test_a.py").write_text(
        "import os\ndef test_a(): assert 'LAB_JUNIT' not in os.environ"
    )
    words = ["--lab-no-namespace", "-p", "no:cacheprovider", str(tmp_path / "test_a.py")]
    monkeypatch.setenv("LAB_JUNIT", str(tmp_path / "kept"))
    assert [run._run(words), run._run(words)] == [0, 0]
    assert [case.outcome for case in junit.read(tmp_path / "kept")] == ["passed", "passed"]
    assert len(junit.files(tmp_path / "kept")) == 2


@pytest.mark.parametrize(
    ("words", "share"), [([], 1.0), (["--cpu", "0.4"], 0.4), (["--cpu", "1"], 1.0)]
)
def test_notebooks_are_proved_on_the_share_of_each_core_that_is_asked_for(
    monkeypatch, tmp_path, words, share
):
    (tmp_path / "a.ipynb").touch()
    left, during = [], []

    @contextmanager
    def taken(share):
        left.append(share)
        yield
        left.clear()

    monkeypatch.setattr(run.cpu_share, "left", taken)
    monkeypatch.setattr(run, "proved", lambda files: during.append((*left, *files)) or 0)
    assert run.main([*words, str(tmp_path)]) == 0
    assert during == [(share, tmp_path / "a.ipynb")]


@pytest.mark.parametrize("words", [["--cpu"], ["--cpu", "a.ipynb"]])
def test_a_share_that_is_none_runs_no_notebook(words):
    with pytest.raises(Unsupported, match="--cpu takes the share of each core"):
        run.main(words)


NO_NBVAL = """if True:
    import runpy, sys
    sys.modules["nbval"] = None
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def without_nbval(module: str, folder: Path) -> subprocess.CompletedProcess:
    words = [sys.executable, "-P", "-c", NO_NBVAL, module, str(folder)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_without_nbval_three_lines_say_how_it_is_installed():
    done = without_nbval("labkit.jupyter.run", run.ROOT / "notebooks")
    assert done.returncode == 2
    assert done.stdout == ""
    locked = run.ROOT / "requirements-test.txt"
    assert done.stderr.splitlines() == [
        "ToolMissing: notebooks are run by nbval, which learners do not need",
        f"saw: {sys.executable} has no module nbval",
        f"try: {sys.executable} -m pip install --no-deps --require-hashes --requirement {locked}",
    ]


def test_notebooks_are_linted_without_nbval():
    done = without_nbval("labkit.jupyter.lint", run.ROOT / "notebooks")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" notebooks, 0 findings\n")


def test_a_namespace_that_does_not_end_hides_no_other_notebook(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        write(tmp_path / f"{name}.ipynb", [("1", "alone")])
    fails = [CommandFailed("kubectl wait failed", "timed out", "x")]
    ran = []
    monkeypatch.setattr(run, "_run", lambda words: ran.append(words) or 0)

    def wait():
        if fails:
            raise fails.pop()

    monkeypatch.setattr(namespace, "wait_until_gone", wait)
    assert run.main(["."]) == 2
    assert ran == [["b.ipynb"]]
    assert "kubectl wait failed" in capsys.readouterr().err


def test_an_api_server_that_is_silent_does_not_hide_the_failure_that_it_is_asked_about(
    monkeypatch,
):
    def silent(self, *words, **options):
        raise TimedOut("kubectl was still running after 30 s", "no answer", "later")

    monkeypatch.setattr(namespace, "lab", labs.Lab)
    monkeypatch.setattr(labs.Lab, "kubectl", silent)
    told = namespace.describe("lab-nb-x")
    assert [title for title, _ in told] == ["events of lab-nb-x", "Pods of lab-nb-x"]
    assert all("no answer" in text for _, text in told)


@pytest.mark.parametrize(("name", "is_late"), [("past-limit", True), ("failing-check", False)])
def test_a_cell_past_its_limit_is_marked_for_who_reads_the_report(world, name, is_late):
    cases = [one for one in junit.read(world / "junit") if one.file == f"{name}.ipynb"]
    assert [one.past_limit for one in cases if one.outcome == "failed"] == [is_late]
