"""labkit/measure/load_result.py: what a load test's result shows, compares and writes."""

import json

import pytest

from labkit.load import report
from labkit.load.bounds import Bounded
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.measure.load_result import Measured

MS = 1_000_000


def level(clients: int = 1, *, first_ms: int = 100, answers: int = 4, failed: int = 0) -> Result:
    """A level whose answers took ten times as long as their first tokens, in two seconds."""
    result = Result(Plan(url="http://x/", clients=clients, requests=answers + failed))
    result.duration_s = 2.0
    result.started, result.succeeded = answers + failed, answers
    result.generated_tokens = 10 * answers
    for number in range(answers):
        result.metrics["ttft_ms"].record((first_ms + number) * MS)
        result.metrics["latency_ms"].record((first_ms + number) * 10 * MS)
    for _ in range(failed):
        result.fail("in_band_error", '{"error": "file does not exist"}')
    return Result.from_json(result.to_json())  # as they come from the process that measured


@pytest.fixture
def sweep() -> Measured:
    levels = [level(1), level(4, first_ms=400)]
    return Measured("service/ollama", levels, pods=2, swept=True)


def test_a_row_for_each_level_says_what_was_answered_and_how_fast(sweep):
    table = sweep.table()
    assert table.column("at a time") == ["1", "4"]
    assert table.column("requests/s") == ["2.00", "2.00"]
    assert table.column("tokens/s") == ["20.0", "20.0"]
    times = [[float(time) for time in c.split(" / ")] for c in table.column("first token ms")]
    assert times == [pytest.approx(pair, rel=0.004) for pair in ([101, 103], [401, 403])]
    assert table.column("queue ms") == ["–", "–"]
    assert table.caption.startswith("service/ollama, from 2 Pods, 4.0 s; ")
    assert table.items == sweep.items
    assert repr(sweep).endswith("✓ no answer failed, and the figures can be trusted")


def test_failures_are_told_by_their_kind_and_doubts_with_their_reason():
    found = level(failed=2)
    found.reasons.append("the clock was set 1 times")
    measured = Measured("pod/ollama", [found])
    assert (measured.succeeded, measured.failed) == (4, 2)
    assert measured.failures == {"in_band_error": 2}
    lines = repr(measured).splitlines()
    assert lines[-2] == '✗ 2 in_band_error, such as: {"error": "file does not exist"}'
    assert lines[-1] == "■ doubtful: the clock was set 1 times"
    assert "in_band_error" in measured._repr_html_()


def test_a_prompt_cache_that_had_most_of_the_prompts_is_told_once_and_is_no_doubt():
    levels = [level(1), level(2)]
    for one in levels:
        one.prompt_tokens, one.cached_tokens = 280, 240
    measured = Measured("pod/ollama", levels, swept=True)
    lines = repr(measured).splitlines()
    assert lines[-2] == "✓ no answer failed, and the figures can be trusted"
    assert lines[-1].startswith("● prompt cache: 86% of the prompts' tokens were in")
    assert measured.doubts == []


def test_the_cache_of_a_prompt_of_seven_tokens_is_not_told():
    found = level()
    found.prompt_tokens, found.cached_tokens = 28, 24
    assert "cache" not in repr(Measured("pod/ollama", [found]))


def test_an_answer_without_tokens_is_told_with_what_to_look_at():
    found = level()
    found.fail("no_tokens", '{"done_reason": "load"}')
    lines = repr(Measured("pod/ollama", [found])).splitlines()
    assert lines[-2] == '✗ 1 no_tokens, such as: {"done_reason": "load"}'
    assert 'look at the spelling of "prompt" or "messages"' in lines[-1]


def test_answers_that_were_no_streams_are_told_once_and_are_no_doubt():
    levels = [level(1), level(2)]
    for one in levels:
        one.not_streamed = 4
    measured = Measured("pod/ollama", levels, swept=True)
    assert measured.doubts == []
    (line,) = [line for line in repr(measured).splitlines() if line.startswith("●")]
    assert line.startswith("● 4 of 4 answers came in one piece")
    assert line.endswith("first-token times, gaps and queue wait are not to be had")


@pytest.mark.parametrize(
    ("behind", "connections", "said"),
    [
        (3, 2, "at most 2 of the 3 Pods behind service/ollama answered"),
        (3, 3, ""),
        (3, 40, ""),
        (0, 1, ""),
        (3, 0, ""),
    ],
)
def test_fewer_connections_than_pods_behind_a_service_leave_pods_out(behind, connections, said):
    found = level(connections or 1)
    found.connections = connections
    measured = Measured("service/ollama", [found], pods=1, behind=behind)
    lines = [line for line in repr(measured).splitlines() if "answered, one for each" in line]
    assert [line.partition(", one for each")[0] for line in lines] == (
        [f"● {said}"] if said else []
    )
    assert (f"(-c {behind} or more" in repr(measured)) == bool(said)
    assert measured.doubts == []


def test_in_a_sweep_the_levels_that_left_pods_out_are_told():
    levels = [level(clients) for clients in (1, 4)]
    for one in levels:
        one.connections = one.plan.clients
    (said,) = Measured("service/ollama", levels, pods=1, swept=True, behind=2).left_out()
    assert said.startswith("1 at a time: at most 1 of the 2 Pods")


def test_the_worst_of_the_workers_own_delays_is_told():
    parts = []
    for index, late_ms in enumerate((1, 3)):
        part = level(2).plan.share(index, 2)
        one = Result(part)
        one.delay.record(late_ms * MS)
        parts.append(Result.from_json(one.to_json()))
    assert repr(Measured("pod/ollama", [Result.merge(parts)], pods=2)).splitlines()[-1] == (
        "each worker read 99 % of what arrived within 3 ms"
    )


def test_what_was_interrupted_says_so():
    found = level()
    found.interrupted = True
    assert "(interrupted)" in repr(Measured("pod/ollama", [found]))


def test_a_sweep_is_plotted_over_its_load_and_one_level_over_its_answers(sweep):
    chart = sweep.plot()
    assert chart.x == "at a time"
    assert [load for load, _ in chart.series["first token, p50"]] == [1, 4]
    alone = Measured("pod/ollama", [level()]).plot()
    assert alone.x == "% of answers"
    assert alone.series["whole answer"][0] == pytest.approx((0.0, 1000.0), rel=0.004)


def test_points_are_the_figures_of_the_schema_that_a_level_has(sweep):
    assert sweep.points("ttft_ms", "min") == [(1, 100.0), (4, 400.0)]
    assert sweep.points("queue_ms", "mean") == []


def test_of_a_figure_that_is_not_known_there_are_both_ends_in_table_chart_and_points():
    one = level()
    one.metrics |= {"ttft_ms": Bounded(), "latency_ms": Bounded()}
    for _ in range(4):
        one.metrics["ttft_ms"].between(100 * MS, 160 * MS)
    measured = Measured("pod/ollama", [one])
    assert [measured.points("ttft_ms", "mean", end=end)[0][1] for end in ("low", "", "high")] == [
        100.0,
        130.0,
        160.0,
    ]
    assert measured.table().column("first token ms") == ["100 … 160 / 100 … 160"]
    assert set(measured.plot().series) == {"first token, at least", "first token, at most"}
    assert measured.doubts == ["first token p50 is known only to lie between 100 and 160 ms"]


def test_a_figure_that_a_table_does_not_show_casts_no_doubt_on_it():
    one = level()
    for _ in range(99):
        one.metrics["gap_ms"].record(20 * MS)
    one.metrics["gap_ms"].between(0, 60 * MS)
    assert one.doubts() == ["gap p99.9 is known only to lie between 20.0 and 60.0 ms"]
    assert Measured("pod/ollama", [one]).doubts == []
    assert (report.sweep([one]).split()[-1], one.trust()["verdict"]) == ("good", "doubtful")
    for _ in range(20):
        one.metrics["gap_ms"].between(0, 60 * MS)
    (doubt,) = Measured("pod/ollama", [one]).doubts
    assert doubt.startswith("gap p95") and report.sweep([one]).split()[-1] == "doubtful"


def test_the_levels_of_a_sweep_at_a_rate_are_told_by_their_clients():
    levels = [level(1), level(4)]
    for one in levels:
        one.plan = one.plan.replace(rate=2.0)
    swept = Measured("service/ollama", levels, swept=True)
    assert swept.table().column("at a time") == ["1", "4"]
    assert [load for load, _ in swept.points("ttft_ms")] == [1, 4]
    alone = Measured("service/ollama", levels[:1])
    assert alone.table().column("sent/s") == ["2.0"]
    assert swept.compare(Measured("service/ollama", [level(2), level(4)], swept=True)).items == []


def test_levels_are_compared_with_those_of_the_same_load(sweep):
    other = Measured("service/ollama", [level(4, first_ms=200)])
    table = other.compare(sweep)
    assert set(table.column("at a time")) == {"4"}
    row = next(row for row in table if row[1] == "first token p50 ms")
    assert row[4] == "0.50 ×"
    assert next(row for row in table if row[1] == "failed")[2:] == ["0", "0", "–"]


def test_a_figure_that_only_one_of_both_has_is_compared_with_nothing():
    without = level(answers=0, failed=1)
    table = Measured("a", [level()]).compare(Measured("b", [without]))
    row = next(row for row in table if row[1] == "first token p50 ms")
    assert float(row[2]) == pytest.approx(101, rel=0.004)
    assert row[3:] == ["–", "–"]


def test_two_single_levels_are_compared_whatever_their_loads_are():
    table = Measured("a", [level(1)]).compare(Measured("b", [level(8)]))
    assert len(table)
    several = Measured("b", [level(8), level(9)])
    assert repr(Measured("a", [level(1)]).compare(several)) == "no level is in both"


def test_json_is_the_engines_own_schema_or_that_of_a_sweep(sweep):
    assert json.loads(Measured("a", [level()]).to_json())["schema"] == "labkit.load/2"
    found = json.loads(sweep.to_json())
    assert found["schema"] == "labkit.load-sweep/1"
    assert [Result.from_json(one).plan.clients for one in found["levels"]] == [1, 4]
