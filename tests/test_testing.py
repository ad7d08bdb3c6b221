"""labkit/testing.py: which tiers run, what their end is, and what is said of their time."""

import pytest

from labkit import testing
from labkit.errors import Unsupported
from labkit.testing import Tier


@pytest.fixture
def commands(monkeypatch):
    """The commands that would run, in order; each answers with its code in `codes`."""
    ran, codes = [], {}

    def run(command):
        words = [word for word in command[3:] if not word.startswith("-")]
        ran.append(" ".join(words))
        return codes.get(ran[-1], 0)

    monkeypatch.setattr(testing, "_run", run)
    monkeypatch.setattr("labkit.bringup.diagnose.report", lambda: "what the cluster says")
    return ran, codes


QUICK = ["ruff check", "ruff format", "labkit.proving.lint notebooks", "pytest tests labkit"]
UP, CLUSTER = "labkit up", "pytest tests/cluster"


def files(*names: str) -> str:
    return " ".join(["pytest", *(f"tests/cluster/test_{name}.py" for name in names)])


LIFE = files("faults", "life")
METRICS = files("alerts", "load", "passing", "prometheus", "proxy")
STEPS = [files("steps", "states"), files("mistakes", "outages", "restart")]
NOTEBOOKS, BROWSER = "labkit.proving.run notebooks", "pytest tests/browser"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [*QUICK, UP, CLUSTER, LIFE, METRICS, NOTEBOOKS, *STEPS, BROWSER]),
        (["quick"], QUICK),
        (["cluster"], [UP, CLUSTER, LIFE]),
        (["metrics"], [UP, METRICS]),
        (["notebooks"], [UP, NOTEBOOKS]),
        (["browser", "notebooks"], [UP, NOTEBOOKS, BROWSER]),
        (["steps"], [UP, *STEPS]),
        (["long"], [UP, "pytest tests/cluster/test_two_labs.py", "tests/long.py"]),
        (["cluster", "quick"], [*QUICK, UP, CLUSTER, LIFE]),
    ],
)
def test_without_a_word_all_tiers_run_and_always_in_the_same_order(commands, words, expected):
    assert testing.main(words) == 0
    assert commands[0] == expected


@pytest.mark.parametrize("word", ["quick", "cluster", "browser"])
def test_pytest_runs_last_so_that_its_closing_line_is_the_last(commands, word):
    testing.main([word])
    assert commands[0][-1].startswith("pytest")


def test_a_failed_check_does_not_hide_the_checks_after_it(commands):
    ran, codes = commands
    codes["ruff check"] = 1
    assert testing.main(["quick"]) == 1
    assert ran == QUICK


def test_after_a_failed_tier_the_next_is_not_run_and_that_is_said(commands, capsys):
    ran, codes = commands
    codes["pytest tests labkit"] = 1
    assert testing.main([]) == 1
    assert ran == QUICK
    assert "not run: build, because a tier before it failed" in capsys.readouterr().out


@pytest.mark.parametrize("failing", [UP, CLUSTER, LIFE])
def test_when_the_cluster_tier_fails_it_says_what_the_cluster_says(commands, capsys, failing):
    _, codes = commands
    codes[failing] = 2
    assert testing.main(["cluster"]) == 2
    assert "what the cluster says" in capsys.readouterr().out


def test_when_all_passes_nothing_is_asked_of_the_cluster(commands, capsys):
    assert testing.main([]) == 0
    assert "what the cluster says" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("codes", "end"), [((), 0), ((0, 0), 0), ((0, 2), 2), ((2, 1), 1), ((1, 0), 1)]
)
def test_a_clear_no_outweighs_could_not_tell(codes, end):
    assert testing.worst([Tier("quick", code, 1.0) for code in codes]) == end


@pytest.mark.parametrize(("code", "end"), [(0, 0), (1, 1), (2, 2), (5, 2), (130, 2), (-9, 2)])
def test_a_command_without_a_verdict_is_could_not_tell(code, end, capsys):
    signal = (
        f"import os; os.kill(os.getpid(), {-code})" if code < 0 else f"raise SystemExit({code})"
    )
    assert testing._run([testing.sys.executable, "-c", signal]) == end


def test_a_tier_over_its_budget_is_warned_of_and_passes(commands, capsys, monkeypatch):
    monkeypatch.setitem(testing.BUDGETS_S, "quick", -60)
    assert testing.main(["quick"]) == 0
    assert "warning: quick took 0 s, its budget is -60 s" in capsys.readouterr().out


def test_the_time_of_a_cold_build_counts_the_python_environment(commands, capsys, monkeypatch):
    monkeypatch.setenv("LAB_VENV_SECONDS", "31.4")
    testing.main(["cluster"])
    assert "build           31     2520  passed" in capsys.readouterr().out


def test_without_the_repositorys_tests_three_lines_say_so(monkeypatch, tmp_path):
    monkeypatch.setattr(testing, "ROOT", tmp_path)
    with pytest.raises(Unsupported) as raised:
        testing.main([])
    assert str(raised.value).splitlines()[1] == f"saw: no folder {tmp_path / 'tests'}"


@pytest.mark.parametrize("words", [["qiuck"], ["quick", "foo"]])
def test_an_unknown_tier_is_refused_before_anything_runs(words):
    with pytest.raises(Unsupported, match="no tier is called"):
        testing.main(words)
