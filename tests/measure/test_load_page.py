"""labkit/measure/load_page.py and its pictures: one page, nothing loaded, every state drawn."""

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from labkit.commands import main
from labkit.load import __main__ as engine_main
from labkit.load.connection import Connection
from labkit.load.histogram import Histogram
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.load.sample import MOST, Sample
from labkit.load.wire import Reader
from labkit.measure import load_drawings, load_page, load_test
from labkit.measure.load_result import Measured

MS = 1_000_000
VOID = {"meta", "rect", "line", "circle", "polyline", "polygon", "br"}


def level(clients: int = 4, *, failed: int = 0, latency_ms: int = 500, answers: int = 30) -> Result:
    """A run of two seconds, whose requests began one after the other."""
    result = Result(Plan(url="http://x/<b>", clients=clients, requests=answers + failed))
    for number in range(answers + failed):
        kind = "timeout" if number >= answers else ""
        connection = Connection(Reader(wants_lines=True))
        connection.start = connection.sent = 1 + number * 60 * MS
        end = connection.start + latency_ms * MS
        if kind:
            result.fail(kind, "not whole <script>")
        else:
            connection.first = connection.start + 100 * MS
            result.succeeded += 1
            result.metrics["ttft_ms"].record((100 + number) * MS)
            result.metrics["latency_ms"].record(latency_ms * MS)
        result.sample.add(connection, end, 0 if kind else 40 * MS, kind)
        if number % 3 == 0:
            result.blocks.close(result, end)
    result.started, result.duration_s = answers + failed, 2.0
    return Result.from_json(result.to_json())


class Tags(HTMLParser):
    """Raises when a tag is not closed, and keeps every attribute that could load something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.loads, self.scripts = [], [], 0
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        self.loads += [(tag, n) for n, _ in attributes if n in ("src", "href", "data", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_loads_nothing_and_runs_nothing():
    page = load_page.page(Measured("http://x/<b>", [level(failed=3)]))
    seen = Tags(page)
    assert (seen.loads, seen.scripts) == ([], 0)
    assert "url(" not in page and "@import" not in page
    assert page.count("<svg") == 4, "no gap was measured: no curve of gaps"
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page
    for said in ("waiting", "reading the prompt", "3 in all", "✗ 3 timeout", "http://x/&lt;b&gt;"):
        assert said in page
    names = re.findall(r'role="img" aria-label="([^"]+)"', page)
    assert len(names) == 4
    assert names[0] == "Timeline of 33 requests over 2.42 s, 3 failed."
    assert all(f"var(--{name})" in page for name in ("wait", "prompt", "tokens", "failed"))


def test_a_request_is_drawn_as_waiting_prompt_and_tokens_and_a_failed_one_is_marked():
    drawn = load_drawings.timeline(level(answers=1))
    widths = dict(re.findall(r'class="(\w+)" x="[\d.]+" y="[\d.]+" width="([\d.]+)"', drawn))
    wait, prompt, tokens = (float(widths[name]) for name in ("wait", "prompt", "tokens"))
    assert wait / prompt == pytest.approx(60 / 40, rel=0.05)
    assert tokens / prompt == pytest.approx(400 / 40, rel=0.05)
    assert "✗" not in drawn and "✗" in load_drawings.timeline(level(failed=1))


def test_a_curve_of_values_between_two_ends_has_a_band():
    result = level()
    assert "band" not in load_drawings.cumulative(result, "ttft_ms", "first token")
    low, high = Histogram(), Histogram()
    for number in range(40):
        low.record((50 + number) * MS)
        high.record((60 + number) * MS)
    result.metrics["ttft_ms"] = SimpleNamespace(
        low=low, high=high, count=40, quantile=high.quantile
    )
    assert 'class="band"' in load_drawings.cumulative(result, "ttft_ms", "first token")


def test_the_knee_is_where_throughput_for_the_latency_is_highest():
    levels = [
        level(1, latency_ms=200, answers=10),
        level(4, latency_ms=250, answers=36),
        level(16, latency_ms=900, answers=40),
    ]
    assert load_drawings.knee(levels) == 1
    assert ">knee: 4<" in load_drawings.throughput(levels)
    assert load_drawings.knee(levels[:2]) is None
    page = load_page.page(Measured("x", levels, swept=True))
    assert Tags(page).scripts == 0
    assert "<h2>16 at a time</h2>" in page
    assert "beyond the last one" in load_page.page(Measured("x", levels[:2], swept=True))


def test_a_run_without_an_answer_or_of_an_older_labkit_has_a_page_too():
    old = level().plain()
    del old["sample"], old["blocks"], old["machine"]
    for one in (level(answers=0, failed=2), Result(Plan(url="http://x/")), Result.from_json(old)):
        assert Tags(load_page.page(Measured("x", [one]))).scripts == 0


def test_a_long_run_keeps_few_requests_evenly_and_workers_rows_are_put_together():
    sample, connection = Sample(), Connection(Reader(wants_lines=True))
    for number in range(1, 5000):
        connection.start = number * MS
        sample.add(connection, (number + 5) * MS, 0, "")
    starts = [round(row[0] * 1000) for row in sample.rows]
    assert MOST / 2 <= len(starts) < MOST
    assert starts == list(range(sample.every, 5000, sample.every))
    other = Sample.of(sample.plain())
    other.merge(sample, 0.5)
    assert len(other.rows) < MOST and other.every == 2 * sample.every
    assert [row[3] for row in other.rows] == sorted(row[3] for row in other.rows)
    assert max(row[3] for row in other.rows) > 5.4


@pytest.mark.parametrize("words", [["-o", "html"], ["-o=html"]])
def test_the_command_prints_the_page_and_the_engine_alone_says_that_it_has_none(
    monkeypatch, capsys, words
):
    measured = Measured("http://127.0.0.1:1", [level()])
    monkeypatch.setattr(load_test, "measured", lambda wanted: measured)
    assert main.main(["load", "http://127.0.0.1:1", *words]) == 0
    assert capsys.readouterr().out == load_page.page(measured) + "\n"
    assert engine_main.main(["http://127.0.0.1:1", *words]) == 2
    assert "the engine alone draws no page" in capsys.readouterr().err
