"""labkit/lessons/metric_probes.py: what the checks of notebook 08 make of what Prometheus has."""

import pytest

from labkit.kube import refs, session
from labkit.lessons import deployment_probes, metric_probes, pod_probes, service_probes
from labkit.lessons.seen import Seen
from labkit.measure.prometheus import Metrics, Series
from labkit.ui import units

PODS = ["a", "b"]


@pytest.fixture
def prometheus(monkeypatch):
    """`prometheus({"metric": {"a": 1.0}})`: what it has of each Pod; other metrics it has not."""
    monkeypatch.setattr(session, "_current", session.Session("lab", "", None))
    asked = []

    def start(has: dict[str, dict[str, float]], pods: list[str] = PODS) -> list[str]:
        def queried(_, question: dict) -> Metrics:
            query = question["query"]
            asked.append(query)
            found = next((has[name] for name in has if name in query), {})
            label = "proxy" if "by (proxy)" in query else "pod"
            rows = [Series({label: name}, [(0, 0.0), (2, value)]) for name, value in found.items()]
            return Metrics(query, 2, 2, rows)

        there = [{"metadata": {"name": name}} for name in pods]
        monkeypatch.setattr(metric_probes.prometheus, "queried", queried)
        monkeypatch.setattr(refs, "parsed", lambda *_: None)
        monkeypatch.setattr(refs, "pods_of", lambda *_: there)
        ready = Seen(passed=True, saw="ready")
        monkeypatch.setattr(deployment_probes, "deployment_ready", lambda count: lambda _: ready)
        monkeypatch.setattr(service_probes, "service_answers", lambda _: ready)
        monkeypatch.setattr(pod_probes, "answers", lambda at: Seen(True, f"{at} answers"))
        return asked

    return start


def look(check) -> Seen:
    return check(session.current())


def test_both_containers_of_every_pod_must_be_read(prometheus):
    asked = prometheus({"up": {"a": 2, "b": 1}})
    seen = look(metric_probes.scraped)
    assert seen[:2] == (False, "Prometheus reads too little: b: 1 of 2")
    assert asked == ['sum by (pod) (up{namespace="lab", container=~"haproxy|exporter"})']
    prometheus({"up": {"a": 2, "gone": 2}})
    assert look(metric_probes.scraped).saw == "Prometheus reads too little: b: 0 of 2"
    prometheus({"up": {"a": 2, "b": 2}})
    assert look(metric_probes.scraped).passed


def test_a_front_proxy_must_find_both_pods(prometheus):
    prometheus({"haproxy_backend_active_servers": {"pods": 1}})
    assert look(metric_probes.front_spreads)[:2] == (False, "the front proxy sends to 1 Pod")
    prometheus({"haproxy_backend_active_servers": {"pods": 2}})
    assert look(metric_probes.front_spreads).saw == (
        "the front proxy sends to 2 Pods; service/front answers"
    )


def test_both_pods_must_have_a_model_and_have_answered(prometheus):
    answers = {"ollama_answers_total": {"a": 9, "b": 3}}
    prometheus({"haproxy_backend_active_servers": {"a": 1, "b": 0}, **answers})
    seen = look(metric_probes.both_serve)
    assert seen == (False, "the proxy of b finds no model", 'lab.pull(at="pod/b")')
    healthy = {"haproxy_backend_active_servers": {"a": 1, "b": 1}}
    prometheus({**healthy, "ollama_answers_total": {"a": 9, "b": 0}})
    assert look(metric_probes.both_serve)[:2] == (False, "a has answered 9, b has answered 0")
    prometheus({**healthy, **answers})
    assert look(metric_probes.both_serve).passed


def test_a_limit_that_stops_the_processor_is_seen_and_so_is_none(prometheus):
    known = {"container_memory_working_set_bytes": {"a": 1e8}, "ollama_answers_total": {"a": 8}}
    prometheus({**known, "throttled": {"a": 0.87}}, ["a"])
    assert look(metric_probes.unthrottled)[:2] == (
        False,
        "a was paused by its CPU limit in 87% of its periods",
    )
    prometheus({**known, "throttled": {"a": 0.02, "gone": 0.9}}, ["a"])
    assert look(metric_probes.unthrottled).passed
    prometheus(known, ["a"])
    assert look(metric_probes.unthrottled).passed


def test_who_has_not_been_asked_or_seen_is_not_called_unthrottled(prometheus):
    prometheus({"ollama_answers_total": {"a": 7}}, ["a"])
    assert look(metric_probes.unthrottled)[:2] == (False, "a has answered 7")
    prometheus({"ollama_answers_total": {"a": 8}}, ["a"])
    assert look(metric_probes.unthrottled)[:2] == (False, "cAdvisor has not seen a yet")


@pytest.mark.parametrize(("count", "passed"), [(1, False), (2, True)])
def test_two_models_must_be_in_memory_at_once(prometheus, count, passed):
    prometheus({"ollama_loaded_models": {"a": count}}, ["a"])
    seen = look(metric_probes.both_models_stay)
    assert seen[:2] == (passed, f"a has {units.count(count, 'model')} in memory")
