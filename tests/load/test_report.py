"""The text report, the table of a sweep and hey's CSV."""

import csv
import io

from labkit.load import report
from labkit.load.connection import Connection
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.load.trust import judge
from labkit.load.wire import Reader

PLAN = Plan(url="http://127.0.0.1:11434", clients=2, goodput=(("ttft", 500.0), ("gap", 100.0)))


def measured(plan: Plan = PLAN) -> Result:
    result = Result(plan)
    result.started, result.succeeded, result.duration_s = 11, 10, 2.0
    result.generated_tokens = 400
    result.good = result.good_low = result.good_high = 5
    result.statuses = {200: 10, 503: 1}
    result.fail("http_status", "503 server busy")
    for ms in range(10, 110, 10):
        result.metrics["latency_ms"].record(ms * 1_000_000)
        result.metrics["ttft_ms"].record(ms * 100_000)
        result.metrics["tokens_per_s_per_request"].record(45_000)
    judge(result)
    return result


def test_the_report_tells_successes_rates_and_goodput():
    text = report.text(measured())
    for line in (
        "  Requests:      10 succeeded, 1 failed",
        "  Requests/s:    5.00 (successful ones)",
        "  Tokens/s:      200.0 in total, 45.0 in one answer (p50)",
        "  Goodput:       2.50 requests/s within ttft 500 ms, gap 100 ms (45.5%)",
        "  [503]\t1 responses",
        "  http_status\t1, such as: 503 server busy",
    ):
        assert line in text.splitlines(), text
    assert "whole answer     10  55.0" in text


def test_a_prompt_that_was_remembered_is_told_beside_the_rates():
    result = measured()
    assert "Prompt cache" not in report.text(result)
    result.prompt_tokens, result.cached_tokens = 70, 60
    (said,) = [line for line in report.text(result).splitlines() if "Prompt cache:" in line]
    assert said.startswith("  Prompt cache:  86% of the prompts' tokens")
    assert "--vary-prompt" not in said and result.notes() == []  # seven tokens are read at once
    result.prompt_tokens, result.cached_tokens = 700, 600
    assert "--vary-prompt" in report.text(result) and result.notes() == [result.cached()]


def test_the_histogram_is_heys_ten_steps_from_fastest_to_slowest():
    bars = report.bars(measured().metrics["latency_ms"])
    assert len(bars) == 11
    assert bars[0] == "  10.000 [1]\t|" + "■" * 40
    assert bars[-1].startswith("  100.000 [1]\t|")
    assert sum(int(bar.partition("[")[2].partition("]")[0]) for bar in bars) == 10


def test_a_run_in_which_nothing_came_back_has_a_report_too():
    result = Result(PLAN)
    result.started = result.unfinished = 3
    result.interrupted = True
    text = report.text(result)
    assert "  Requests:      0 succeeded, 0 failed, 3 unfinished (interrupted)" in text
    assert "histogram" not in text


def test_the_verdict_gives_its_reasons():
    result = measured()
    assert "These figures are good; the client used" in report.text(result)
    result.clock_steps, result.cpu_s = 2, 1.9
    result.metrics["schedule_deviation_ms"].record(9_000_000)
    judge(result, late_arrivals=4)
    assert result.reasons == [
        "the client used 95% of a CPU: it may be what limits the rate",
        "the clock was set 2 times",
        "requests went out 9.0 ms after their time (p99)",
        "4 arrivals found no free connection: never sent",
    ]
    assert "These figures are doubtful" in report.text(result)


def test_a_figure_that_is_not_known_shows_both_ends_and_is_named():
    result = measured()
    result.metrics["gap_ms"].between(20_300_000, 60_300_000)
    text = report.text(result).splitlines()
    (row,) = [line for line in text if line.startswith("  gap ")]
    assert row.split()[1:] == ["1", *["20.3", "…", "60.3"] * 7]
    assert "These figures are doubtful" in "".join(text)
    (why,) = [line for line in text if line.startswith("  because ")]
    assert "is known only to lie between 20.3 and 60.3 ms" in why


def test_a_sweep_is_a_table_with_a_row_for_each_level():
    levels = [measured(PLAN.replace(clients=clients)) for clients in (1, 16)]
    head, first, second = report.sweep(levels).splitlines()
    assert head.split()[:3] == ["clients", "requests/s", "tokens/s"]
    assert first.split()[:3] == ["1", "5.00", "200.0"]
    assert second.split()[0] == "16"
    assert second.split()[5:7] == ["-", "-"]  # no gap was measured
    assert len({len(line) for line in (head, first, second)}) == 1


def test_a_csv_row_has_heys_columns_and_ours():
    connection = Connection(Reader())
    connection.reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    second = 1_000_000_000
    connection.start = connection.sent = 5 * second
    connection.first, connection.chunks = 5 * second + second // 4, 7
    row = report.csv_row(connection, 6 * second, "", 2 * second)
    (cells,) = csv.DictReader(io.StringIO(f"{report.CSV_HEAD}\n{row}\n"))
    heys = (
        "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset"
    )
    assert ",".join(list(cells)[:8]) == heys
    assert (cells["response-time"], cells["Response-delay"]) == ("1.0000", "0.2500")
    assert (cells["Response-read"], cells["status-code"], cells["offset"]) == (
        "0.7500",
        "200",
        "3.0000",
    )
    assert (cells["first-token"], cells["chunks"], cells["failure"]) == ("0.2500", "7", "")
