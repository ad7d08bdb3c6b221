"""labkit/measure/comparison.py and its commands: what two load tests show, in words and codes."""

import json
import random

import pytest

from labkit.commands import main
from labkit.errors import LabError
from labkit.load.blocks import COARSE
from labkit.load.histogram import index_of
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.measure import load_compare, load_limits, load_repeat, load_sides, load_test
from labkit.measure.comparison import SAME, Comparison, compare
from labkit.measure.load_result import Measured
from labkit.measure.load_sides import Side

MS = 1_000_000
MACHINE = {"system": "Linux 6", "architecture": "x86_64", "processor": "P", "cores": 2}


def run(
    seed: int,
    *,
    slower: float = 1.0,
    seconds: int = 6,
    failed: int = 0,
    busy: float = 1.0,
    **plan: object,
) -> Result:
    """A run of a server whose times are like those just before, as a busy machine's are."""
    chance = random.Random(seed)
    result = Result(
        Plan(url="http://x/", **{"clients": 4, "requests": None, "seconds": 6.0, **plan})
    )
    state = chance.gauss(0, 1)
    for block in range(seconds * 10):
        for _ in range(10):
            state = 0.8 * state + 0.6 * chance.gauss(0, 1)
            ttft = round(100 * MS * slower * (1 + 0.1 * state))
            result.succeeded += 1
            result.generated_tokens += 20
            result.metrics["ttft_ms"].record(ttft)
            result.metrics["latency_ms"].record(ttft + round(400 * MS * slower))
        for _ in range(failed if block % 7 == 0 else 0):
            result.fail("timeout", "not whole after 20 s")
        result.blocks.close(result, result.blocks.due_ns)
    result.started, result.duration_s = result.succeeded + result.failed, float(seconds)
    result.machine = {**MACHINE, "load_average": busy}
    return result


def side(name: str, *runs: Result) -> Side:
    return Side(name, [Result.from_json(one.to_json()) for one in runs])


def named(comparison: Comparison, name: str):
    (found,) = (one for one in comparison.differences if one.figure.name == name)
    return found


def test_two_runs_of_one_plan_are_not_called_different():
    for seed in range(4):
        found = Comparison(side("a", run(seed)), side("b", run(100 + seed)))
        assert found.shown == [], repr(found)
        assert found.said()[0] == f"b: {SAME}"


def test_a_server_that_is_a_tenth_slower_is_called_so():
    for seed in range(2):
        found = Comparison(side("a", run(seed)), side("b", run(100 + seed, slower=1.1)))
        names = {one.figure.name for one in found.shown}
        assert {"latency.p50", "latency.p95"} <= names, repr(found)
        assert named(found, "ttft.p50").shown
        slower = named(found, "latency.p50")
        assert slower.low < 0.1 < slower.high
        assert slower.verdict == "▲ worse"
        assert named(found, "requests_per_s").verdict == "= none that these runs can show"
        back = Comparison(found.two, found.one)
        assert named(back, "latency.p50").verdict == "▼ better"


def test_the_text_has_both_values_the_difference_and_the_interval():
    found = compare(*[Measured(name, [run(seed)]) for seed, name in enumerate(("a", "b"))])
    assert repr(found) == repr(compare(Measured("a", [run(0)]), Measured("b", [run(1)])))
    table = found.table()
    assert table.columns == ["FIGURE", "a", "b", "DIFFERENCE", "95 % INTERVAL", "VERDICT"]
    row = table[table.column("figure").index("first token p95")]
    assert row[1].endswith(" ms") and row[3].endswith(" %") and " … " in row[4]
    assert table.column("figure")[-1] == "failed"
    assert "gap p50" not in table.column("figure"), "it was measured in neither"
    assert "first token p95" in found._repr_html_()
    plain = json.loads(json.dumps(found.plain()))
    assert plain["schema"] == "labkit.load-compare/1"
    assert plain["differences"][0]["figure"] == "requests_per_s"


def test_a_quantile_of_too_few_values_is_not_compared():
    few = side("a", run(1, seconds=2))
    found = Comparison(few, side("b", run(2)))
    assert named(found, "ttft.p99").verdict == "– 200 values, it needs 500"
    assert named(found, "ttft.p95").low is not None


def test_what_can_have_been_0_has_no_share_of_it():
    runs = [run(seed) for seed in (1, 2)]
    for result, high_ms in zip(runs, (92.6, 300.0), strict=True):
        result.metrics["gap_ms"].between(0, round(high_ms * MS), 2000)
        for block in result.blocks.each:
            block.metrics["gap_ms"] = {index_of(round(high_ms * MS)) & -COARSE: 30}
    found = Comparison(side("a", runs[0]), side("b", runs[1]))
    row = next(row for row in found.table().rows if row[0] == "gap p50")
    assert [str(cell) for cell in row[1:3]] == ["0 … 92.6 ms", "0 … 300 ms"]
    assert row[4] == "-100.0 … > +1000 %"
    gap = named(found, "gap.p50")
    assert (gap.low, gap.plain()["high"], gap.shown) == (-1.0, None, False)
    json.dumps(found.plain(), allow_nan=False)
    limit = load_limits.judge(found, load_limits.limit("gap.p50 > +5%"))
    assert limit.exceeded is None and "-100.0 % and > +1000 %" in limit.said


def test_a_rate_lies_between_the_ends_that_the_runs_last_moment_leaves():
    runs = [run(1), run(2)]
    for result in runs:
        result.noticing_s = 3.0
    rate = named(Comparison(side("a", runs[0]), side("b", runs[1])), "requests_per_s")
    assert (rate.one.low, rate.one.high) == (100.0, 200.0)
    assert rate.low < -0.49 and rate.high > 0.99


def test_failures_are_compared_in_percentage_points():
    found = Comparison(side("a", run(1)), side("b", run(2, failed=20)))
    failed = named(found, "failed")
    assert failed.change == pytest.approx(failed.two.middle / 100)
    assert failed.verdict == "▲ worse"
    assert " points" in repr(found)


def test_what_differs_in_plans_and_machines_is_told():
    other = run(2, clients=8, busy=20.0)
    other.machine["cores"] = 4
    other.reasons.append("the clock was set 1 time")
    found = Comparison(side("a", run(1)), side("b", other))
    assert found.warnings == [
        "the plans differ in clients: 4 and 8",
        "the machines differ in cores: 2 and 4",
        "one machine was busier: load average 1 and 20",
        "b is doubtful: the clock was set 1 time",
        "one run of a side: what differs from run to run is not in the intervals"
        " (./lab load --repeat 5 TARGET --against OTHER)",
    ]
    assert all(f"● {warning}" in repr(found) for warning in found.warnings)
    many = side("a", *map(run, range(3))), side("b", *map(run, range(3, 6)))
    assert Comparison(*many).warnings == []


def test_results_of_an_older_labkit_are_shown_without_an_interval():
    old = run(1).plain()
    del old["blocks"], old["machine"]
    found = Comparison(Side("a", [Result.from_json(old)]), side("b", run(2)))
    assert named(found, "ttft.p50").low is None
    assert "measure it again" in named(found, "ttft.p50").verdict
    assert found.said()[0] == "nothing can be said: no figure has an interval"


def test_a_sweep_is_compared_level_by_level():
    one, two = (side(n, run(s), run(s + 1, clients=8)) for n, s in (("a", 1), ("b", 5)))
    two.results.append(run(9, clients=16))
    found = Comparison(one, two)
    assert set(found.table().column("load")) == {"4", "8"}


@pytest.mark.parametrize(
    ("text", "slower", "exceeded"),
    [
        ("ttft.p95 > +5%", 1.3, True),
        ("ttft.p95 > +5%", 1.0, False),
        ("latency.p50 > 10%", 1.1, None),
        ("requests_per_s < -5%", 1.3, False),
        ("gap.p50 > 5%", 1.0, None),
    ],
)
def test_a_limit_is_passed_kept_or_cannot_be_told(text, slower, exceeded):
    found = Comparison(side("a", run(1)), side("b", run(2, slower=slower)))
    judged = load_limits.judge(found, load_limits.limit(text))
    assert judged.exceeded is exceeded, judged.said
    assert text in judged.said
    assert load_limits.exit_code([judged]) == {True: 1, False: 0, None: 2}[exceeded]


@pytest.mark.parametrize("text", ["ttft.p95", "ttft.p42 > 5%", "nothing > 5%", "ttft.p95 > 5 ms"])
def test_a_condition_that_cannot_be_read_is_refused(text):
    with pytest.raises(LabError) as error:
        load_limits.limit(text)
    assert "ttft.p95" in error.value.hint


def test_the_command_reads_files_and_ends_with_the_limits_code(tmp_path, capsys):
    files = []
    for name, one in (("a", run(1)), ("b", run(2)), ("c", run(3, slower=1.3))):
        files.append(str(tmp_path / f"{name}.json"))
        (tmp_path / f"{name}.json").write_text(one.to_json())
    a, b, c = files
    assert main.main(["load", "compare", a, b, "--fail-if", "ttft.p95 > 10%"]) == 0
    assert "kept: ttft.p95 > 10%: between " in capsys.readouterr().out
    assert load_compare.command([a, b, c, "--fail-if=ttft.p95 > 10%"]) == 1
    shown = capsys.readouterr().out
    assert "c differs: " in shown and "c: failed: ttft.p95 > 10%" in shown
    assert load_compare.command([a, c, "-o", "json", "--fail-if", "queue.p50 > 1%"]) == 2
    assert json.loads(capsys.readouterr().out)["limits"][0]["exceeded"] is None


def test_what_is_no_result_is_refused_in_three_lines(tmp_path):
    file = tmp_path / "a.json"
    for text in ("{", "[]", '{"schema": "other"}', '{"schema": "labkit.load-repeat/1"}'):
        file.write_text(text)
        with pytest.raises(LabError, match="is not a result of a load test"):
            load_sides.sides([file, file])
    with pytest.raises(LabError, match="cannot be read"):
        load_sides.sides([tmp_path / "none.json"])
    file.write_text(run(1, seconds=1).to_json())
    with pytest.raises(LabError, match="a comparison needs two results"):
        compare(file)
    with pytest.raises(LabError, match="is not an option of compare"):
        load_compare.command(["--nothing"])


def test_repeated_runs_take_turns_are_all_kept_and_can_be_read_again(monkeypatch, capsys, tmp_path):
    order, seeds = [], iter(range(100))

    def measured(wanted):
        order.append(wanted.target[-1])
        slower = 1.3 if wanted.target.endswith("2") else 1.0
        return Measured(wanted.target, [run(next(seeds), slower=slower, seconds=2)])

    monkeypatch.setattr(load_test, "measured", measured)
    words = ["load", "--repeat", "3", "http://127.0.0.1:1", "--against=http://127.0.0.1:2"]
    limit = ["--fail-if", "ttft.p50 > 5%", "--fail-if", "requests_per_s < -50%"]
    assert main.main([*words, "-o", "json", *limit]) == 1
    assert "".join(order) == "122112"
    told = capsys.readouterr()
    raw = json.loads(told.out)
    assert raw["schema"] == "labkit.load-repeat/1"
    assert [len(one["runs"]) for one in raw["sides"]] == [3, 3]
    assert "failed: ttft.p50 > 5%" in told.err
    file = tmp_path / "pair.json"
    file.write_text(told.out)
    found = compare(file)
    assert (found.one.name, found.two.name) == ("http://127.0.0.1:1", "http://127.0.0.1:2")
    assert named(found, "ttft.p50").clear
    assert main.main([*words]) == 0
    assert "http://127.0.0.1:2 differs: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--repeat", "0", "http://127.0.0.1:1"], "--repeat wants a number of runs"),
        (["--repeat", "2", "http://127.0.0.1:1", "--fail-if", "failed > 1%"], "two targets"),
        (["--repeat", "2", "http://127.0.0.1:1", "--fail-if"], "--fail-if needs a value"),
        (["--repeat", "2", "http://127.0.0.1:1", "-o", "csv"], "printed as text or json"),
        (["--repeat", "2"], "a target is missing"),
    ],
)
def test_what_cannot_be_repeated_is_said(words, told, capsys):
    assert load_repeat.command(words) == 2
    assert told in capsys.readouterr().err


def test_a_doubtful_result_is_never_called_different_and_passes_no_limit():
    slow = run(2, slower=1.5)
    slow.reasons.append("the client used 98% of a CPU")
    found = Comparison(side("a", run(1)), side("b", slow))
    assert found.shown == []
    assert named(found, "latency.p50").verdict == "? perhaps worse"
    judged = load_limits.judge(found, load_limits.limit("latency.p50 > 5%"))
    assert judged.exceeded is None and "doubtful" in judged.said
