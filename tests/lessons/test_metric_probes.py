"""labkit/lessons/metric_probes.py: what the checks of notebook 08 make of what Prometheus has."""

import datetime
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import labkit
from labkit.kube import refs, session
from labkit.lessons import deployment_probes, metric_probes, pod_probes, service_probes
from labkit.lessons.deployment_probes import PodModel
from labkit.lessons.seen import Seen
from labkit.measure.prometheus import Metrics, Series
from labkit.setup.cluster import slow_model

PODS = ["a", "b"]
AT = datetime.datetime(2026, 11, 30, 9, tzinfo=datetime.UTC)
LOGGED = "".join(
    f'{{"path":"{path}","status":200,"end":"--"}}\n' for path in ("/api/chat", "/api/generate")
)
LIMIT = {"containers": [{"name": "ollama", "resources": {"limits": {"cpu": "250m"}}}]}


class Logs:
    """An API server that has the log of each Pod's proxy."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.asked: list[tuple[str, dict]] = []

    def resource(self, word: str) -> SimpleNamespace:
        return SimpleNamespace(path=lambda namespace, name: f"/{word}/{name}")

    def text(self, path: str, *, query: dict, timeout_s: float) -> str:
        self.asked.append((path, query))
        return self._text


@pytest.fixture
def prometheus(monkeypatch):
    """`prometheus({"metric": {"a": 1.0}})`: what it has of each Pod; other metrics it has not."""
    monkeypatch.setattr(session, "_current", session.Session("lab", "", None))
    asked = []

    def start(
        has: dict[str, dict[str, float]], pods: list[str] = PODS, logs: str = LOGGED, **pod: dict
    ) -> list[str]:
        def queried(_, question: dict) -> Metrics:
            query = question["query"]
            asked.append(query)
            found = next((has[name] for name in has if name in query), {})
            label = "proxy" if "by (proxy)" in query else "pod"
            rows = [Series({label: name}, [(0, 0.0), (2, value)]) for name, value in found.items()]
            return Metrics(query, 2, 2, rows)

        there = [{"metadata": {"name": name}, **pod} for name in pods]
        monkeypatch.setattr(metric_probes.prometheus, "queried", queried)
        monkeypatch.setattr(refs, "parsed", lambda *_: None)
        monkeypatch.setattr(refs, "pods_of", lambda *_: there)
        ready = Seen(passed=True, saw="ready")
        monkeypatch.setattr(deployment_probes, "deployment_ready", lambda count: lambda _: ready)
        monkeypatch.setattr(service_probes, "service_answers", lambda _: ready)
        monkeypatch.setattr(pod_probes, "answers", lambda at: Seen(True, f"{at} answers"))
        monkeypatch.setattr(deployment_probes, "every_pod_has_both", lambda _: ready)
        had = [PodModel(one, AT) for one in there]
        monkeypatch.setattr(deployment_probes, "pod_models", lambda _: had)
        monkeypatch.setattr(session, "_current", session.Session("lab", "", None))
        session.current().__dict__["api"] = Logs(logs)
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


def test_a_service_that_goes_around_the_proxies_is_not_counted(prometheus):
    up = {"up": {"a": 2, "b": 2}}
    prometheus(up, logs='<13> a server came\n{"path":"/api/chat","status":503}\n')
    seen = look(metric_probes.counted)
    assert seen[:2] == (False, "service/ollama answers, and no proxy has passed the question on")
    prometheus(up)
    assert look(metric_probes.counted).passed
    api = session.current().api
    assert api.asked == [("/pods/a/log", {"container": "haproxy", "sinceSeconds": 15})]


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
    prometheus({**healthy, **answers}, logs="")  # what it counted was before the model was lost
    seen = look(metric_probes.both_serve)
    assert seen[:2] == (False, "a has its model again, and no client has asked it since")
    prometheus({**healthy, **answers})
    assert look(metric_probes.both_serve).passed
    since = {"container": "haproxy", "sinceTime": "2026-11-30T09:00:00+00:00"}
    assert session.current().api.asked == [("/pods/a/log", since), ("/pods/b/log", since)]


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
    prometheus(known, ["a"], spec=LIMIT)  # asked a moment ago: no figure is no proof
    assert look(metric_probes.unthrottled)[:2] == (
        False,
        "a has a CPU limit, 250m, and cAdvisor has not counted it yet",
    )


def test_who_has_not_been_asked_or_seen_is_not_called_unthrottled(prometheus):
    prometheus({"ollama_answers_total": {"a": 7}}, ["a"])
    assert look(metric_probes.unthrottled)[:2] == (False, "a has answered 7")
    prometheus({"ollama_answers_total": {"a": 8}}, ["a"])
    assert look(metric_probes.unthrottled)[:2] == (False, "cAdvisor has not seen a yet")


@pytest.mark.parametrize(
    ("count", "held", "passed", "saw"),
    [
        (1, [labkit.model], False, "a has 1 model in memory"),
        (2, [labkit.model, "copy"], False, f"a has {labkit.model} and copy in memory"),
        (2, [slow_model.NAME, f"{labkit.model}:latest"], True, "a has 2 models in memory"),
    ],
    ids=["one", "one and a copy of it", "both"],
)
def test_the_two_models_must_be_in_memory_at_once(
    prometheus, monkeypatch, count, held, passed, saw
):
    prometheus({"ollama_loaded_models": {"a": count}}, ["a"])
    server = SimpleNamespace(get=lambda path: {"models": [{"name": name} for name in held]})
    monkeypatch.setattr(metric_probes.client, "server", lambda at: nullcontext(server))
    assert look(metric_probes.both_models_stay)[:2] == (passed, saw)
