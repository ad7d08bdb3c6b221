"""measure/prometheus.py: what Prometheus is asked, what it says, and each way to get no answer."""

import math
import time
from urllib.parse import parse_qs, urlsplit

import pytest

import labkit as lab
from labkit.errors import ApiSilent, LabError, NotFound, Refused, TimedOut, Unreachable
from labkit.measure import prometheus as querying
from labkit.measure.prometheus import Metrics, Series

PROXY = "/api/v1/namespaces/lab-system/services/prometheus:9090/proxy"
QUEUE = {"metric": {"pod": "ollama"}, "values": [[100, "0"], [102, "3"], [104, "NaN"]]}


@pytest.fixture
def prometheus(connected):
    """A Prometheus that gives this answer; the questions that it was asked."""

    def start(body: dict, status: int = 200) -> list[dict]:
        asked: list[dict] = []

        def answer(handler) -> None:
            place = urlsplit(handler.path)
            assert place.path == f"{PROXY}/api/v1/query_range"
            asked.append({key: value[0] for key, value in parse_qs(place.query).items()})
            handler.send(body, status)

        connected(answer)
        return asked

    return start


def matrix(*result: dict) -> dict:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(result)}}


def test_it_prints_the_query_and_its_span_in_words_and_asks_that(prometheus, capsys):
    asked = prometheus(matrix(QUEUE))
    begun = int(time.time())
    found = lab.metrics('sum(up{job="pods"})', minutes=2)
    ended = time.time()
    said = capsys.readouterr().out
    assert said == '# PromQL, of the last 2 min, a value every 2 s: sum(up{job="pods"})\n'
    assert asked[0]["query"] == 'sum(up{job="pods"})'
    assert int(asked[0]["end"]) - int(asked[0]["start"]) == 120
    end, step = int(asked[0]["end"]), float(asked[0]["step"])
    assert begun - step <= end <= ended
    assert found.series[0].points[:2] == [(100, 0.0), (102, 3.0)]


@pytest.mark.parametrize(("minutes", "step"), [(0.5, "2"), (5, "2"), (60, "24")])
def test_a_chart_gets_150_points_but_none_between_two_scrapes(prometheus, minutes, step):
    asked = prometheus(matrix())
    lab.metrics("up", minutes=minutes)
    assert asked[0]["step"] == step
    assert int(asked[0]["end"]) % int(step) == 0
    lab.metrics("up", minutes=minutes, step_s=15)
    assert asked[1]["step"] == "15"


def test_a_query_that_is_none_is_told_in_prometheus_own_words(prometheus):
    said = 'invalid parameter "query": 1:4: parse error: unexpected end of input inside braces'
    prometheus({"status": "error", "errorType": "bad_data", "error": said}, 400)
    with pytest.raises(Refused) as error:
        lab.metrics("up{")
    assert str(error.value).splitlines() == [
        "Refused: Prometheus refuses the query",
        f"saw: {said}",
        "try: fix the query; one that works: lab.metrics('up')",
    ]


def test_where_no_prometheus_is_up_is_what_to_try(prometheus):
    said = 'services "prometheus" not found'
    prometheus({"kind": "Status", "reason": "NotFound", "message": said, "code": 404}, 404)
    with pytest.raises(NotFound) as error:
        lab.metrics("up")
    assert str(error.value).splitlines() == [
        "NotFound: there is no Prometheus in this lab",
        f"saw: {said}",
        "try: ./lab up",
    ]


def test_a_prometheus_without_a_ready_pod_does_not_answer(prometheus):
    said = 'no endpoints available for service "prometheus"'
    prometheus({"kind": "Status", "message": said, "code": 503}, 503)
    with pytest.raises(Unreachable, match="Prometheus does not answer\nsaw: no endpoints"):
        lab.metrics("up")


def test_a_query_that_takes_prometheus_too_long_is_no_fault_of_the_api_server(prometheus):
    said = "query timed out in expression evaluation"
    prometheus({"status": "error", "errorType": "timeout", "error": said}, 503)
    with pytest.raises(TimedOut) as error:
        lab.metrics("up", minutes=60)
    assert str(error.value).splitlines() == [
        "TimedOut: Prometheus did not come to an end",
        f"saw: {said}",
        "try: fewer minutes, or a larger step_s",
    ]


def test_an_api_server_that_is_silent_is_no_fault_of_prometheus(prometheus, connected):
    prometheus({"kind": "Status", "message": "etcd is slow", "code": 503}, 503)
    with pytest.raises(ApiSilent, match="the API server cannot answer now"):
        lab.metrics("up")

    def hang_up(handler) -> None:
        handler.close_connection = True

    connected(hang_up)
    with pytest.raises(ApiSilent, match="the API server does not answer"):
        lab.metrics("up")


@pytest.mark.parametrize("span", [{"minutes": 0}, {"minutes": -1}, {"step_s": -2}])
def test_a_span_that_is_none_is_refused_before_anything_is_asked(prometheus, span):
    asked = prometheus(matrix())
    with pytest.raises(LabError, match="there is no such span of time"):
        lab.metrics("up", **span)
    assert asked == []


def test_a_table_compares_series_and_a_value_that_is_none_counts_for_nothing():
    a = Series({"pod": "a", "job": "pods"}, [(0, 1.0), (2, math.nan), (4, 3.0)])
    b = Series({"pod": "b", "job": "pods"}, [(0, math.nan)])
    found = Metrics("up", 4, 2, [a, b])
    assert found.table().rows == [["a", "3", "1", "2", "3", "3"], ["b", "–", "–", "–", "–", "1"]]
    assert repr(found) == repr(found.table())
    assert found._repr_html_() == found.table()._repr_html_()
    assert found.table().items[0] == {"labels": a.labels, "points": a.points}


def test_a_plot_counts_back_from_now_and_shows_where_nothing_was():
    chart = Metrics("queue", 110, 2, [Series({}, [(100, 1.0), (102, 2.0), (110, 0.0)])]).plot()
    assert (chart.title, chart.x) == ("queue", "time (s, 0 is now)")
    assert [at for at, _ in chart.series["queue"]] == [-10, -8, -6, 0]
    assert math.isnan(chart.series["queue"][2][1])
    named = Metrics("queue", 110, 2, []).plot("Waiting", y="requests")
    assert (named.title, named.y) == ("Waiting", "requests")


def test_no_series_is_said_in_words():
    text = "up: no series. Is the name right, and was anything scraped?"
    assert repr(Metrics("up", 0, 2, [])) == text


def test_a_label_that_all_share_or_that_tells_nothing_more_is_left_out():
    pods = [
        Series({"namespace": "lab", "pod": pod, "instance": f"10.0.0.{n}:80", "container": c}, [])
        for n, (pod, c) in enumerate([("a", "haproxy"), ("a", "exporter"), ("b", "haproxy")])
    ]
    assert querying.named("up", pods) == [
        "container=haproxy, pod=a",
        "container=exporter, pod=a",
        "container=haproxy, pod=b",
    ]
