"""labkit/measure/panels.py: what a panel makes of Prometheus' answers, as text and as HTML."""

import math
import re

import nbformat
import pytest
import yaml

from labkit.measure import panels
from labkit.measure.panels import PANELS, Line, Panel
from labkit.measure.prometheus import Metrics, Series
from labkit.setup.host import paths

END = 1000.0
POD = "ollama-7d5f46b548-ngrf9"
END_OF_POD = "ngrf9"
QUEUED = Panel("queued", "requests", (Line('q{namespace="NAMESPACE"}', by="pod"),), "a proxy")
UP = Series({"pod": POD, "container": "haproxy"}, [(998, 1.0), (1000, 1.0)])


def answer(*series: Series) -> Metrics:
    return Metrics("q", END, 2, series)


def seen(*series: Series, panel: Panel = QUEUED, targets=(UP,)) -> panels.Seen:
    answers = [answer(*series), *[answer() for _ in panel.lines[1:]]]
    return panels.seen(panel, "lab", answers, targets)


WAITING = Series({"pod": POD}, [(992, 3.0), (994, 16.0), (1000, 2.0)])


def test_a_panel_has_a_line_for_each_pod_and_the_query_of_its_namespace():
    found = seen(WAITING)
    assert found.queries == ('q{namespace="lab"}',)
    assert found.missing == ""
    ((name, points),) = found.series.items()
    assert name == POD
    assert points[0] == (-8, 3.0)
    assert points[-1] == (0, 2.0)
    assert math.isnan(points[2][1])  # no value between: the line ends


def test_the_text_has_now_least_and_most_and_what_to_paste():
    said = panels.text([seen(WAITING)], "namespace lab").splitlines()
    assert said[0] == "namespace lab"
    assert said[2].split() == ["queued", "(requests)", POD, "2", "2", "16"]
    assert said[-1] == """queued: lab.metrics('q{namespace="lab"}')"""


def test_a_pod_that_is_gone_has_no_value_now():
    gone = Series({"pod": "gone"}, [(900, 16.0)])
    assert panels.table([seen(gone)], "").rows == [
        ["queued (requests)", "gone", "ended", "16", "16"]
    ]


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ([], "Prometheus scrapes no Pod of namespace lab; it needs a proxy"),
        (
            [Series(UP.labels, [(1000, 0.0)])],
            f"Prometheus gets no answer from {POD}/haproxy",
        ),
        ([UP], "it needs a proxy"),
    ],
)
def test_what_is_missing_is_said_with_its_reason_and_is_never_zero(targets, why):
    found = seen(targets=targets)
    assert found.missing == why
    assert panels.table([found], "").rows == [["queued (requests)", "–", "no data", "", ""]]
    assert f"queued: no data: {why}" in panels.text([found], "")
    assert panels.line([found]) == "queued: no data"
    html = panels.html([found], "", 60)
    assert f"<b>queued</b>: no data: {why}" in html
    assert "<img" not in html


def test_a_quantile_of_nothing_is_no_data():
    nothing = Series({}, [(998, math.nan), (1000, math.nan)])
    first = next(panel for panel in PANELS if panel.title == "time to first token")
    found = seen(nothing, panel=first)
    assert found.missing == "it needs answers that ended in the last 30 s"


def test_html_is_an_image_with_words_and_the_value_now_in_its_legend():
    html = panels.html([seen(WAITING)], "namespace <lab>", 60)
    assert "namespace &lt;lab&gt;" in html
    (alt,) = re.findall(r'<img alt="([^"]*)"', html)
    assert alt.startswith(
        f"queued. Line chart of requests over time (s, 0 is now). {END_OF_POD}: 2: "
    )
    assert "q{namespace=&quot;lab&quot;}</code>" in html
    assert "<svg" not in html  # an untrusted notebook would not show it


def test_a_line_for_a_terminal_names_series_only_where_there_are_several():
    other = Series({"pod": "b"}, [(1000, 1.0)])
    assert panels.line([seen(WAITING)]) == "queued: 2"
    assert panels.line([seen(WAITING, other)]) == f"queued: {END_OF_POD} 2, b 1"


def test_every_panel_asks_for_one_namespace_only():
    queries = [line.query for panel in PANELS for line in panel.lines] + [panels.UP]
    for query in queries:
        assert query.count('namespace="NAMESPACE"') == 1
        assert "NAMESPACE" not in panels.asked(query, "lab")


@pytest.mark.parametrize("name", ["haproxy_server_current_queue", "_time_average_seconds"])
def test_no_panel_alert_or_exercise_leans_on_a_metric_that_misleads(name):
    """The first stays 0 while requests wait; the second divides by 1,024 requests at once."""
    lines = [line.query for panel in panels.PANELS for line in panel.lines]
    rules = yaml.safe_load(paths.k8s("cluster", "prometheus", "alerts.yml").read_text())
    lines += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    books = sorted((paths.PACKAGE.parent / "notebooks").glob("*.ipynb"))
    cells = [cell for book in books for cell in nbformat.read(book, as_version=4).cells]
    lines += [cell.source for cell in cells if cell.cell_type == "code"]
    lines += [file.read_text() for file in (paths.PACKAGE / "lessons").glob("*.py")]
    assert len(lines) > 100 and [line for line in lines if re.search(name, line)] == []
    queues = [line for line in lines if "current_queue" in line]
    assert queues and not [line for line in queues if "(backend|server)" in line]


def test_the_grid_fills_the_width_and_the_queries_open_at_a_click():
    html = panels.html([seen(WAITING)] * 7, "", 60)
    assert "display:grid" in html and "repeat(auto-fit,minmax(" in html
    assert html.count('style="width:100%"') == 7
    assert html.count("<details><summary>queued: PromQL</summary>") == 7
    again = panels.html([seen(WAITING)] * 7, "", 60, queries=False)
    assert "<details" not in again and "q{namespace" not in again
