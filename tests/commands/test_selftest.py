"""labkit/commands/selftest.py: which tiers run, what their end is, and what is kept of a run."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from labkit.commands import selftest, tiers
from labkit.errors import Unsupported
from labkit.setup.host import speed

PASSES = '<testcase file="tests/test_a.py" name="test_a"/>'
FAILS = '<testcase file="tests/test_b.py" name="test_b"><failure message="no"/></testcase>'


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """The commands that would run, in order.

    Each answers with its code in `codes`, 0 without one, and writes a JUnit file: of one test that
    passed, or of what `said` has for it.
    """
    ran, codes, said = [], {}, {}

    def run(command, path):
        words = [word for word in command[3:] if not word.startswith("-")]
        ran.append(name := " ".join(words))
        code = codes.get(name, 0)
        if selftest._writes_junit(command):
            cases = said.get(name, FAILS if code == 1 else PASSES)
            path.with_name(f"{path.name}.xml").write_text(f"<testsuite>{cases}</testsuite>")
        return code, ["a last word"]

    monkeypatch.setattr(selftest, "_run", run)
    monkeypatch.setattr("labkit.setup.cluster.diagnostics.report", lambda: "what the cluster says")
    monkeypatch.setenv("LAB_ARTIFACTS", str(tmp_path))
    monkeypatch.setattr(speed, "present", lambda: 20.0)
    monkeypatch.setattr(selftest.cpu_share, "allowed", lambda: True)
    return ran, codes, said


LAYERS = str(Path(sys.executable).with_name("lint-imports"))
QUICK = ["ruff check", "ruff format", LAYERS, "mypy", "labkit.jupyter.lint notebooks"]
MEASURING = "addresses blocks bounds clocks command descriptors dialects held_back misbehaving "
MEASURING += "open_loop recorded varied"
LOAD = [f"tests/load/test_{name}.py" for name in MEASURING.split()]
QUICK += ["pytest tests labkit tools", " ".join(["pytest", *LOAD])]
UP, CLUSTER = "labkit up", "pytest tests/cluster"


def files(*names: str) -> str:
    return " ".join(["pytest", *(f"tests/cluster/test_{name}.py" for name in names)])


LIFE = files("facts", "faults", "life")
METRICS = files("alerts", "load", "passing", "prometheus", "proxy")
STEPS = [files("steps", "states"), files("mistakes", "situations", "outages", "restart")]
SLOW = ["notebooks/05-models-everywhere.ipynb", "notebooks/07-load.ipynb"]
QUICKER = [
    f"notebooks/{file.name}" for file in sorted((selftest.ROOT / "notebooks").glob("*.ipynb"))
]
QUICKER = [name for name in QUICKER if name not in SLOW]
NOTEBOOKS = " ".join(["labkit.jupyter.run", *QUICKER])
SLOWED = " ".join(["labkit.jupyter.run", "0.4", *SLOW])
FULL = " ".join(["labkit.jupyter.run", *SLOW])
BROWSER = "pytest tests/browser"
WALKS = [f"{BROWSER}/every_{name}.py" for name in ("notebook", "newcomer")]
BOUNDS = "pytest tests/load/every_bound.py"
LONG = [FULL, files("two_labs"), "tests/properties.py", *WALKS, BOUNDS, "tests/long.py"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [*QUICK, UP, CLUSTER, LIFE, METRICS, NOTEBOOKS, SLOWED, *STEPS, BROWSER]),
        (["quick"], QUICK),
        (["cluster"], [UP, CLUSTER, LIFE]),
        (["metrics"], [UP, METRICS]),
        (["notebooks"], [UP, NOTEBOOKS, SLOWED]),
        (["browser", "notebooks"], [UP, NOTEBOOKS, SLOWED, BROWSER]),
        (["steps"], [UP, *STEPS]),
        (["long"], [UP, *LONG]),
        (["cluster", "quick"], [*QUICK, UP, CLUSTER, LIFE]),
    ],
)
def test_without_a_word_all_tiers_run_and_always_in_the_same_order(commands, words, expected):
    assert selftest.main(words) == 0
    assert commands[0] == expected


def test_each_file_of_the_load_engine_runs_once_and_with_nothing_beside_it_where_it_measures():
    beside, alone = tiers.COMMANDS["quick"][-2:]
    assert alone[len(tiers.PYTEST) :] == LOAD
    ignored = [word.removeprefix("--ignore=") for word in beside if word.startswith("--ignore=")]
    assert ignored == ["tests/cluster", "tests/browser", *LOAD]
    files = {f"tests/load/{file.name}" for file in selftest.ROOT.glob("tests/load/test_*.py")}
    measures = re.compile(r"engine\.run\(|\b(monotonic|perf_counter|sleep|Popen|socket)\b")
    found = {file for file in files if measures.search((selftest.ROOT / file).read_text())}
    assert found <= set(LOAD) < files


def test_only_what_runs_after_the_build_is_told_that_the_lab_is_up():
    told = {name: ["--lab-is-up" in one for one in found] for name, found in tiers.COMMANDS.items()}
    on_lab = ("cluster", "metrics", "steps")
    assert all(all(told[name]) for name in on_lab)
    assert not any(any(found) for name, found in told.items() if name not in on_lab)
    assert tiers.chosen(["metrics"]) == ["build", "metrics"]


def test_a_failed_check_does_not_hide_the_checks_after_it(commands):
    ran, codes, _ = commands
    codes["ruff check"] = 1
    assert selftest.main(["quick"]) == 1
    assert ran == QUICK


@pytest.mark.parametrize(
    "failing", [QUICK[-1], CLUSTER, LIFE, METRICS, NOTEBOOKS, SLOWED, STEPS[0]]
)
def test_a_failed_tier_hides_no_other_and_no_command_of_its_own(commands, failing):
    ran, codes, _ = commands
    codes[failing] = 1
    assert selftest.main([]) == 1
    assert ran == [*QUICK, UP, CLUSTER, LIFE, METRICS, NOTEBOOKS, SLOWED, *STEPS, BROWSER]


def test_when_the_lab_does_not_come_up_that_is_said_of_each_tier_on_it(commands, capsys):
    ran, codes, _ = commands
    codes[UP] = 2
    assert selftest.main([]) == 2
    assert ran == [*QUICK, UP]
    said = capsys.readouterr().out
    for name in ("cluster", "metrics", "notebooks", "steps", "browser"):
        row = next(line for line in said.splitlines() if line.startswith(f"{name}  "))
        assert row.endswith("not run: the lab did not come up")
    assert "first failure, in build: $ python -P -m labkit up --yes\na last word\n" in said
    assert said.splitlines()[-1] == "2 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize(
    ("codes", "end"), [({CLUSTER: 2}, 2), ({CLUSTER: 2, LIFE: 1}, 1), ({LIFE: 1, BROWSER: 2}, 1)]
)
def test_a_clear_no_outweighs_could_not_tell(commands, codes, end):
    commands[1].update(codes)
    assert selftest.main(["cluster", "browser"]) == end


@pytest.mark.parametrize(("failing", "name"), [(UP, "build-1"), (CLUSTER, "cluster-1")])
def test_what_the_cluster_says_goes_to_a_file_that_is_named(
    commands, capsys, tmp_path, failing, name
):
    commands[1][failing] = 2
    assert selftest.main(["cluster"]) == 2
    said = capsys.readouterr().out
    file = tmp_path / f"cluster-{name}.log"
    assert file.read_text() == "what the cluster says\n"
    assert said.splitlines()[-3] == f"the cluster's state at that moment: {file}"
    assert "what the cluster says\n" not in said


@pytest.mark.parametrize(("words", "code"), [([], 0), (["quick"], 1)])
def test_when_all_passes_or_no_cluster_is_needed_nothing_is_asked_of_it(
    commands, tmp_path, words, code
):
    commands[1][QUICK[-1]] = code
    assert selftest.main(words) == code
    assert list(tmp_path.glob("*.log")) == []


def test_a_test_that_was_expected_to_fail_fails_its_tier(commands, capsys):
    _, _, said = commands
    skipped = '<skipped type="pytest.xfail" message="Previous cell timed out"/>'
    said[NOTEBOOKS] = f'<testcase file="07.ipynb" name="Cell 16">{skipped}</testcase>'
    assert selftest.main(["notebooks"]) == 1
    out = capsys.readouterr().out
    assert "first failure, in notebooks: 07.ipynb::Cell 16\nxfailed: Previous cell timed" in out
    assert out.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize("kept", ["", "<testsuite><testcase"])
def test_a_pytest_that_wrote_no_counts_could_not_tell(commands, monkeypatch, tmp_path, kept):
    junit = tmp_path / "junit"
    junit.mkdir()
    (junit / "metrics-1.xml").write_text(f"<testsuite>{PASSES}</testsuite>")  # of an earlier run

    def run(command, path):
        if kept:
            path.with_name(f"{path.name}.xml").write_text(kept)
        return 0, []

    monkeypatch.setattr(selftest, "_run", run)
    assert selftest._tier("metrics").code == 2


def test_a_command_that_failed_beside_its_tests_says_so_at_the_end(commands, capsys, monkeypatch):
    _, codes, said = commands
    codes[NOTEBOOKS], said[NOTEBOOKS] = 1, PASSES
    given = selftest._run
    monkeypatch.setattr(selftest, "_run", lambda *words: (given(*words)[0], []))
    assert selftest.main(["notebooks"]) == 1
    out = capsys.readouterr().out
    assert f"{NOTEBOOKS}\nnone of its tests failed; its output is above" in out
    assert out.splitlines()[-1] == "2 passed, 1 failed, 0 skipped"


LATE = (
    '<testcase file="notebooks/07.ipynb" name="Cell 9"><properties>'
    '<property name="past-limit" value="true"/></properties>'
    '<failure message="Cell 9: past its limit of 120 s">Cell 9: past its limit of 120 s</failure>'
    "</testcase>"
)
AGAIN = "labkit.jupyter.run notebooks/07.ipynb"


@pytest.fixture
def late(commands, monkeypatch):
    """07 is past its limit; a machine is then at this part of what it was: `late(0.6)`."""
    ran, codes, said = commands
    codes[NOTEBOOKS], said[NOTEBOOKS] = 1, PASSES + LATE

    def measured(part):
        present = lambda: 20.0 * (part if NOTEBOOKS in ran else 1)  # noqa: E731
        monkeypatch.setattr(speed, "present", present)
        return ran, codes, said

    return measured


def test_what_was_past_its_limit_on_a_machine_that_became_slower_runs_once_more(late, capsys):
    ran, _, _ = late(0.6)
    assert selftest.main(["notebooks"]) == 0
    assert ran == [UP, NOTEBOOKS, AGAIN, SLOWED]
    said = capsys.readouterr().out
    assert "passed; repeated: 07.ipynb (machine at 0.6 of its measure): passed\n" in said
    assert said.splitlines()[-1] == "3 passed, 0 failed, 0 skipped"


def test_it_runs_once_more_and_not_again(late, capsys):
    ran, codes, said = late(0.6)
    codes[AGAIN], said[AGAIN] = 1, LATE
    assert selftest.main(["notebooks"]) == 1
    assert ran == [UP, NOTEBOOKS, AGAIN, SLOWED]
    assert "failed; repeated: 07.ipynb (machine at 0.6" in capsys.readouterr().out


@pytest.mark.parametrize("part", [1, 0.8])
def test_on_a_machine_as_fast_as_before_a_limit_is_final(late, part):
    ran, _, _ = late(part)
    assert selftest.main(["notebooks"]) == 1
    assert ran == [UP, NOTEBOOKS, SLOWED]


def test_another_failure_is_final_whatever_the_machine(late):
    ran, _, said = late(0.6)
    said[NOTEBOOKS] = FAILS
    assert selftest.main(["notebooks"]) == 1
    assert ran == [UP, NOTEBOOKS, SLOWED]
    ran.clear()
    said[NOTEBOOKS] = LATE + FAILS  # one file is repeated, the other one stays
    assert selftest.main(["notebooks"]) == 1
    assert ran == [UP, NOTEBOOKS, AGAIN, SLOWED]


def test_a_repeat_has_the_limits_that_the_first_had(late, monkeypatch):
    late(0.6)
    monkeypatch.setattr(speed, "measure", lambda: pytest.fail("the measure that limits follow"))
    assert selftest.main(["notebooks"]) == 0


def test_without_the_right_to_take_cores_notebooks_run_on_whole_ones_and_that_is_said(
    commands, monkeypatch, capsys
):
    ran, _, _ = commands
    monkeypatch.setattr(selftest.cpu_share, "allowed", lambda: False)
    assert selftest.main(["notebooks"]) == 0
    assert ran == [UP, NOTEBOOKS, FULL]
    assert "passed; on whole cores, for want of the right" in capsys.readouterr().out


@pytest.mark.parametrize(
    "kept",
    ["<testsuite/>", '<testsuite><testcase name="a"><skipped message="x"/></testcase></testsuite>'],
)
def test_a_command_that_ended_well_and_ran_no_test_could_not_tell(commands, monkeypatch, kept):
    def run(command, path):
        path.with_name(f"{path.name}.xml").write_text(kept)
        return 0, []

    monkeypatch.setattr(selftest, "_run", run)
    assert selftest._tier("metrics").code == 2


def test_a_second_test_of_the_same_clone_is_refused(commands, tmp_path):
    with selftest.filelock.FileLock(tmp_path / "lock"), pytest.raises(Unsupported) as raised:
        selftest.main(["quick"])
    assert "another ./lab test is at work" in str(raised.value)
    assert commands[0] == []


@pytest.mark.parametrize(("code", "end"), [(0, 0), (1, 1), (2, 2), (5, 2), (130, 2), (-9, 2)])
def test_a_command_without_a_verdict_is_could_not_tell(code, end, tmp_path):
    signal = (
        f"import os; os.kill(os.getpid(), {-code})" if code < 0 else f"raise SystemExit({code})"
    )
    assert selftest._run([sys.executable, "-c", signal], tmp_path / "none")[0] == end


def test_the_time_of_a_cold_build_counts_the_python_environment(commands, capsys, monkeypatch):
    monkeypatch.setenv("LAB_VENV_SECONDS", "31.4")
    selftest.main(["cluster"])
    assert "build           31     2520 " in capsys.readouterr().out


FAILING = """
import pytest

def test_one():
    print("shown")
    wanted = 2
    assert 1 == wanted

def test_two(): pass

@pytest.mark.skip(reason="no cluster")
def test_three(): pass
"""
XPASSES = "import pytest\n@pytest.mark.xfail\ndef test_four(): pass\n"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone whose quick tier is what the function gets: file → text, each its own pytest."""
    (tmp_path / "tests").mkdir()
    shutil.copy(Path(__file__).parents[2] / "pyproject.toml", tmp_path)
    monkeypatch.setattr(selftest, "ROOT", tmp_path)
    monkeypatch.setattr(speed, "present", lambda: 20.0)  # a measure takes longer than such a tier
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they cost the most of its start

    def quick(**texts):
        for name, text in texts.items():
            (tmp_path / f"tests/test_{name}.py").write_text(text)
        made = [[*tiers.PYTEST, "-q", f"tests/test_{name}.py"] for name in texts]
        monkeypatch.setitem(tiers.COMMANDS, "quick", made)
        return selftest.main(["quick"])

    return quick


def test_the_end_of_the_output_has_the_table_the_first_failure_and_pytests_own_counts(clone, capfd):
    assert clone(a=FAILING, b="def test_good(): pass") == 1
    said = capfd.readouterr().out
    end = said[said.index("this machine:") :].splitlines()
    assert end[2].split()[3:] == ["2", "1", "1", "failed"]
    assert "skipped 1 in quick: no cluster" in end
    at = end.index("first failure, in quick: tests/test_a.py::test_one")
    assert ">       assert 1 == wanted" in end[at:]
    assert "E       assert 1 == 2" in end[at:]
    assert len(end[at:]) < 25
    assert end[-1] == "2 passed, 1 failed, 1 skipped"


def test_a_test_that_passes_against_its_mark_fails_the_tier(clone, capfd):
    assert clone(a=XPASSES) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_a_file_that_cannot_be_imported_is_the_first_failure(clone, capfd):
    assert clone(a="import nothing_of_that_name") == 2
    said = capfd.readouterr().out
    assert "E   ModuleNotFoundError: No module named 'nothing_of_that_name'" in said
    assert said.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_without_the_repositorys_tests_three_lines_say_so(monkeypatch, tmp_path):
    monkeypatch.setattr(selftest, "ROOT", tmp_path)
    with pytest.raises(Unsupported) as raised:
        selftest.main([])
    assert str(raised.value).splitlines()[1] == f"saw: no folder {tmp_path / 'tests'}"


@pytest.mark.parametrize("words", [["qiuck"], ["quick", "foo"]])
def test_an_unknown_tier_is_refused_before_anything_runs(words):
    with pytest.raises(Unsupported, match="no tier is called"):
        selftest.main(words)


def test_a_share_that_is_none_is_refused_before_anything_runs(commands):
    with pytest.raises(Unsupported, match="--cpu takes the share"):
        selftest.main(["quick"], cpu="2")
    assert commands[0] == []
