"""labkit/ollama/hey.py: hey's report as it prints it, with and without answers."""

import math

import pytest

from labkit.errors import CommandFailed
from labkit.ollama import hey

GOOD = """
Summary:
  Total:\t8.2413 secs
  Slowest:\t8.2403 secs
  Fastest:\t0.8222 secs
  Average:\t4.5321 secs
  Requests/sec:\t1.2134

Response time histogram:
  0.822 [1]\t|■■■■
  8.240 [9]\t|■■■■■■

Latency distribution:
  10% in 1.6448 secs
  50% in 4.9344 secs
  0%% in 0.0000 secs

Status code distribution:
  [200]\t8 responses
  [404]\t2 responses
"""
NONE = """
Summary:
  Total:\t0.0100 secs
  Requests/sec:\t1000.0

Status code distribution:

Error distribution:
  [7]\tPost "http://ollama:11434/api/generate": dial tcp: connection refused
  [3]\tPost "http://ollama:11434/api/generate": context deadline exceeded
"""


def test_the_figures_are_those_that_hey_printed():
    report = hey.read(GOOD, 4)
    assert report.statuses == {200: 8, 404: 2}
    assert (report.answers, report.errors, report.concurrency) == (10, 0, 4)
    assert (report.total_s, report.requests_per_s) == (8.2413, 1.2134)
    assert (report.mean_s, report.fastest_s, report.slowest_s) == (4.5321, 0.8222, 8.2403)
    assert report.percentiles_s == {10: 1.6448, 50: 4.9344, 0: 0.0}
    assert repr(report).startswith("8 × 200, 2 × 404, 0 errors; 1.21 requests/s")


def test_requests_without_an_answer_are_errors_and_have_no_mean():
    report = hey.read(NONE, 10)
    assert (report.answers, report.errors) == (0, 10)
    assert math.isnan(report.mean_s)
    assert repr(report).startswith("no answers, 10 errors")
    one = hey.read(NONE.replace("[7]", "[1]").replace("[3]", "[0]"), 10)
    assert repr(one).startswith("no answers, 1 error;")


def test_in_a_notebook_the_figures_stand_first_and_the_report_opens_at_a_click():
    html = hey.read(GOOD, 4)._html()
    assert html.startswith("8 × 200, 2 × 404, 0 errors; ")
    assert "<details><summary>hey's whole report</summary><pre" in html
    assert "Status code distribution:" in html


@pytest.mark.parametrize("text", ["", "Usage: hey [options...] <url>\n"])
def test_what_is_no_report_is_said_so(text):
    with pytest.raises(CommandFailed, match="hey gave no report"):
        hey.read(text, 1)
