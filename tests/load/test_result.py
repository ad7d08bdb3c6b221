"""Results: the schema, exact merging, and what is no result."""

import json

import pytest

from labkit.load.errors import LoadError
from labkit.load.plan import Plan
from labkit.load.result import BOUNDED, FAILURES, METRICS, Result
from labkit.load.schema import WITHOUT_BOUNDS

URL = "http://127.0.0.1:11434"
PLAN = Plan(url=URL, requests=10, clients=4, goodput=(("ttft", 500.0),))


def filled(
    plan: Plan = PLAN,
    *,
    at: float = 100.0,
    seconds: float = 2.0,
    factor: int = 1,
    bounds: bool = False,
) -> Result:
    """A result with something everywhere."""
    result = Result(plan)
    result.started_at, result.duration_s = at, seconds
    result.started, result.succeeded, result.unfinished = 6 * factor, 4 * factor, factor
    result.fail("timeout", f"example {factor}")
    result.statuses = {200: 4 * factor}
    result.prompt_tokens, result.generated_tokens, result.chunks = 8, 40 * factor, 44
    result.cached_tokens = 6 * factor
    result.good, result.good_low, result.good_high = 3, 2, 4
    result.reads, result.coalesced_reads, result.clock_steps = 50, 1, factor
    result.noticing_s = 0.1
    result.cpu_s, result.max_rss_bytes = 0.5, 1000
    for index, (name, metric) in enumerate(result.metrics.items()):
        for value in (1, 2, 3):
            metric.record(value * 1_000_000 * factor + index)
        if name in BOUNDED and bounds:
            metric.between(4_000_000, 5_000_000 * factor)
    result.delay.record(5_000)
    result.reasons = ["a reason"]
    return result


def test_the_schema_has_these_fields_and_no_other():
    plain = Result(PLAN).plain()
    assert list(plain) == [
        *"schema tool plan started_at duration_s noticing_s interrupted requests".split(),
        *"failures statuses".split(),
        *"failure_examples rates tokens chunks".split(),
        *METRICS,
        *"goodput blocks sample machine client trust workers".split(),
    ]
    assert plain["schema"] == "labkit.load/2"
    assert tuple(plain["failures"]) == FAILURES
    assert all(plain[name] is None for name in METRICS)
    figures = "mean min p50 p90 p95 p99 p99_9 max".split()
    for name in METRICS:
        found = filled().plain()[name]
        if name in BOUNDED:
            assert list(found) == ["count", *figures, "low", "high"]
            assert list(found["low"]) == list(found["high"]) == [*figures, "histogram"]
        else:
            assert list(found) == ["count", *figures, "histogram"]


def test_a_result_comes_back_from_its_one_line_as_it_was():
    for bounds in (False, True):
        text = filled(bounds=bounds).to_json()
        assert "\n" not in text
        assert Result.from_json(text).to_json() == text
        assert Result.from_json(json.loads(text)).to_json() == text
    merged = Result.merge([filled(PLAN.share(0, 2)), filled(PLAN.share(1, 2))])
    assert Result.from_json(merged.to_json()).plain() == merged.plain()


def test_rates_count_successful_requests_over_the_whole_time():
    assert filled().rates() == {"requests_per_s": 2.0, "tokens_per_s": 20.0, "chunks_per_s": 22.0}
    assert Result(PLAN).rates()["requests_per_s"] == 0.0


def test_goodput_is_a_share_of_all_requests_that_ended():
    found = filled()
    found.good_low, found.good_high, found.noticing_s = 2, 4, 0.4
    assert found.goodput() == {
        "limits": {"ttft_ms": 500.0},
        "requests": 3,
        "requests_per_s": 1.5,
        "share": 0.6,
        "low": {"requests": 2, "requests_per_s": 1.0, "share": 0.4},
        "high": {"requests": 4, "requests_per_s": 2.5, "share": 0.8},
    }
    assert filled(PLAN.replace(goodput=())).goodput() is None


def test_merging_adds_up_and_keeps_each_workers_own_part():
    parts = [filled(PLAN.share(0, 2)), filled(PLAN.share(1, 2), at=100.5, seconds=3.0, factor=2)]
    merged = Result.merge([Result.from_json(part.to_json()) for part in parts])
    assert merged.plan == PLAN.replace(seed=0)
    assert (merged.started_at, merged.duration_s) == (100.0, 3.5)
    assert (merged.started, merged.succeeded, merged.failed, merged.unfinished) == (18, 12, 2, 3)
    assert (merged.statuses, merged.clock_steps, merged.cpu_s) == ({200: 12}, 3, 1.0)
    assert merged.failure_examples == {"timeout": "example 1"}
    ttft = merged.metrics["ttft_ms"].summary()
    assert (ttft["count"], ttft["min"], ttft["max"], ttft["mean"]) == (6, 1.0, 6.0, 3.0)
    assert merged.delay.count == 2
    assert merged.reasons == ["worker 0: a reason", "worker 1: a reason"]
    assert [worker["worker"] for worker in merged.workers] == [0, 1]
    trust = merged.workers[0]["trust"]
    assert (trust["verdict"], trust["reasons"]) == ("doubtful", ["a reason"])
    assert merged.plain()["trust"]["verdict"] == "doubtful"


def test_what_the_prompt_cache_had_is_summed_over_those_who_were_told():
    parts = [filled(PLAN.share(0, 3)), filled(PLAN.share(1, 3)), filled(PLAN.share(2, 3))]
    parts[1].cached_tokens = None
    assert Result.merge(parts).cached_tokens == 12
    for part in parts:
        part.cached_tokens = None
    merged = Result.merge(parts)
    assert merged.cached_tokens is None and merged.cached() == ""
    old = filled().plain()
    del old["tokens"]["cached"]  # of a labkit that did not know it
    assert Result.from_json(old).cached_tokens is None


@pytest.mark.parametrize(
    ("cached", "said"), [(None, ""), (0, ""), (300, "38%"), (600, "75%"), (900, "100%")]
)
def test_what_the_prompt_cache_had_is_told_with_a_warning_when_it_was_most_and_is_no_doubt(
    cached, said
):
    result = filled()
    result.prompt_tokens, result.cached_tokens = 800, cached
    assert result.cached().partition(" ")[0] == said
    assert ("wait longer" in result.cached()) == (said in ("75%", "100%"))
    notes = result.plain()["trust"]["notes"]
    if cached is None:  # long prompts that are all the same, and no word of the cache
        assert ["does not say how much" in note for note in notes] == [True]
    else:
        assert notes == ([result.cached()] if said else [])
    assert result.trust()["reasons"] == ["a reason"]


def test_a_worker_that_began_after_the_moment_is_a_reason_for_doubt():
    parts = [filled(PLAN.share(0, 2)), filled(PLAN.share(1, 2))]
    for part in parts:
        part.reasons, part.started_at = [], 100.0
    assert Result.merge(parts, 100.0).reasons == []
    parts[1].started_at = 102.5
    assert Result.merge(parts, 100.0).reasons == ["worker 1 began 2.5 s after the others"]


def test_an_interrupted_or_unstamped_part_marks_the_whole():
    parts = [filled(PLAN.share(0, 2)), filled(PLAN.share(1, 2))]
    parts[1].interrupted, parts[1].unstamped_reads = True, 4
    merged = Result.merge(parts)
    assert (merged.interrupted, merged.timestamps) == (True, "user")


def test_an_example_of_a_failure_is_one_line_without_control_characters():
    result = Result(PLAN)
    result.fail("http_status", "502 <html>\n<b>\x1b[2Jgone</b>")
    assert result.failure_examples == {"http_status": "502 <html> <b> [2Jgone</b>"}


@pytest.mark.parametrize(
    ("path", "body", "noted"),
    [
        ("/v1/chat/completions", '{"max_completion_tokens": 3}', True),
        ("/v1/chat/completions", '{"max_completion_tokens": 3, "max_tokens": 3}', False),
        ("/v1/chat/completions", '{"max_tokens": 3}', False),
        ("/api/chat", '{"max_completion_tokens": 3}', False),
    ],
)
def test_a_limit_that_ollama_ignores_is_noted(path, body, noted):
    result = Result(Plan(url=URL + path, method="POST", body=body))
    said = "the body has max_completion_tokens, which Ollama ignores"
    assert [note.startswith(said) for note in result.notes()] == [True] * noted


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "labkit.load/2"}', '{"schema": "labkit.load/1"}']
)
def test_what_is_no_result_is_refused(text):
    with pytest.raises(LoadError, match="this is not a result of a load test"):
        Result.from_json(text)


def test_a_result_of_a_later_schema_is_told_from_one_that_is_broken():
    later = filled().to_json().replace("labkit.load/2", "labkit.load/3")
    with pytest.raises(LoadError) as error:
        Result.from_json(later)
    assert error.value.saw == "ValueError: neither labkit.load/2 nor labkit.load/1"


def of_schema_1() -> dict:
    """What a labkit that knew no bounds wrote."""
    old = filled()
    old.schema = WITHOUT_BOUNDS
    plain = old.plain()
    assert '"low"' not in json.dumps(plain) and "noticing_s" not in plain
    return plain


def test_a_result_without_bounds_is_still_read_and_its_figures_are_what_they_were():
    old = of_schema_1()
    read = Result.from_json(json.dumps(old))
    assert read.plain() == old
    assert read.metrics["ttft_ms"].summary()["p50"] == old["ttft_ms"]["p50"]
    assert read.worst() is None  # nothing is known of how well it is known
    merged = Result.merge([read, Result.from_json(old)])
    assert (merged.plain()["schema"], merged.plain()["ttft_ms"]["count"]) == (old["schema"], 6)


def test_a_result_with_bounds_and_one_without_are_not_merged():
    with pytest.raises(LoadError) as refused:
        Result.merge([filled(), Result.from_json(of_schema_1())])
    assert str(refused.value).splitlines() == [
        "LoadError: results with bounds and without cannot be merged",
        "saw: labkit.load/1 and labkit.load/2",
        "try: measure all of them with one version of labkit",
    ]


def test_the_bounds_of_a_rate_are_those_of_when_the_last_answer_came():
    result = filled(seconds=2.0)
    result.noticing_s = 0.4
    least, most = result.rate_bounds()
    assert (least["requests_per_s"], most["requests_per_s"]) == (2.0, 2.5)
    # of two, the one that ended last says when all had ended
    early, late = filled(at=100.0), filled(at=100.2)
    early.noticing_s = late.noticing_s = 0.5
    assert Result.merge([early, late]).noticing_s == pytest.approx(0.5)
    late.noticing_s = 0.0
    assert Result.merge([early, late]).noticing_s == pytest.approx(0.0)


def test_the_verdict_names_the_figure_that_is_known_least_well():
    result = filled()
    result.reasons, result.noticing_s = [], 0.0
    result.good_low = result.good_high = result.good
    assert result.trust() == {"verdict": "good", "reasons": [], "worst": None}
    result.metrics["gap_ms"].between(2_000_000, 2_100_000)  # 0.1 ms is close
    assert result.trust()["verdict"] == "good"
    result.metrics["gap_ms"].between(2_000_000, 9_000_000)
    result.metrics["ttft_ms"].between(2_000_000, 60_000_000)
    trust = result.trust()
    assert (trust["verdict"], trust["worst"]["figure"]) == ("doubtful", "ttft_ms.p90")
    assert trust["worst"]["high"] == pytest.approx(60, rel=0.001)
    assert result.doubts() == ["first token p90 is known only to lie between 3.00 and 60.0 ms"]


def test_an_empty_run_has_no_figure_and_one_of_one_request_has_its_own_ends():
    assert Result(PLAN).worst() is None
    assert Result(PLAN).rate_bounds()[0]["requests_per_s"] == 0.0
    one = Result(PLAN)
    one.metrics["ttft_ms"].between(1_000_000, 3_000_000)
    found = one.plain()["ttft_ms"]
    assert (found["count"], found["p50"]) == (1, pytest.approx(2.0, rel=0.001))
    for name in ("mean", "min", "p50", "p99_9", "max"):
        assert (found["low"][name], found["high"][name]) == (1.0, 3.0)
