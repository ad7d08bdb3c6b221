"""The proxy of k8s/steps/08-proxy before a real Ollama: its queue, its drain, its figures."""

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import labkit
from labkit.errors import LabError, OllamaSaid, StreamCut
from labkit.kube import apply, pod_logs, pod_run, refs, session, wait
from labkit.kube import proxy as reach
from labkit.measure import panels
from labkit.ollama import local_models
from labkit.setup.cluster import services
from labkit.setup.host import speed

PARALLEL, WAITING = 4, 16
QUEUE_S = round(speed.deadline(4))  # long enough to fill it, and shorter than LONG's streams
HTTP_ERRORS = 'ollama_answers_total{path="/api/generate",outcome="http_error"}'
# a grammar that lets no answer end before its last token: long streams of a tiny model
NUMBERS = {"type": "array", "items": {"type": "integer"}, "minItems": 1000}
LONG = {
    "model": labkit.model,
    "prompt": "What is a Pod?",
    "format": {"type": "array", "items": NUMBERS, "minItems": 1000},
    "options": {"num_predict": 5000},  # Ollama stops at ten times the context, 512 here
}
SHORT = {"model": labkit.model, "prompt": "What is a Pod?"}
REPLICAS = 2


@pytest.fixture(scope="module", autouse=True)
def proxied(twins) -> Iterator[None]:
    """Two Pods behind the proxy, as the manifests have them but for a shorter time in the queue."""
    for folder in ("05-model", "03-service", "08-proxy"):
        for item in apply.load(f"k8s/steps/{folder}"):
            if item["kind"] == "Deployment":
                item["spec"]["replicas"] = REPLICAS
                (proxy,) = [
                    one
                    for one in item["spec"]["template"]["spec"]["initContainers"]
                    if one["name"] == "haproxy"
                ]
                proxy["env"][-1]["value"] = f"{QUEUE_S}s"
            apply.apply(item)
    # without a proxy
    pod_run.run("bare", image="ollama/ollama", env={"OLLAMA_NUM_PARALLEL": str(PARALLEL)})
    wait.wait("pod/bare")
    local_models.pull(at="pod/bare")
    wait.rollout("deployment/ollama")
    yield


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2 * PARALLEL + WAITING) as made:
        yield made


def pods() -> list[str]:
    """The two ready Pods behind the Service that are not on their way out, once there are two."""
    path = session.current().api.resource("pods").path(session.current().namespace)
    deadline = time.monotonic() + speed.deadline(60)
    while True:
        query = {"labelSelector": "app=ollama"}
        found = session.current().api.request("GET", path, query=query)["items"]
        ready = [one["metadata"]["name"] for one in filter(refs.ready, found)]
        if len(ready) == REPLICAS:
            return ready
        assert time.monotonic() < deadline, found
        time.sleep(0.3)


def order_gone(pod: str) -> None:
    path = session.current().api.resource("pods").path(session.current().namespace, pod)
    session.current().api.request("DELETE", path)


def scraped(pod: str, port: int) -> Counter[str]:
    """The samples of a Pod's page of metrics."""
    with reach.opened(session.current(), f"pod/{pod}", port=port) as connection:
        lines = connection.get("/metrics").splitlines()
    rows = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return Counter({sample: float(value) for sample, value in rows})


def stream(pod: str, begun: Future | None = None) -> dict:
    """The last line of a long answer; `begun` is told of the first."""
    last: dict = {}
    with reach.opened(session.current(), f"pod/{pod}") as connection:
        for last in connection.lines("/api/generate", LONG):  # noqa: B007 - it is the answer
            if begun and not begun.done():
                begun.set_result(True)
    return last


def refusal(pod: str) -> tuple[int, str]:
    """Status and text of a request that is refused."""
    with reach.opened(session.current(), f"pod/{pod}") as connection:
        try:
            connection.post("/api/generate", SHORT)
        except OllamaSaid as error:
            return error.status, error.saw
    return 200, ""


def waiting_in(pod: str) -> float:
    found = scraped(pod, 8404)
    kinds = ('backend_current_queue{proxy="inference"}', 'server_current_queue{proxy="inference"')
    return sum(
        value
        for name, value in found.items()
        if name.startswith(tuple(f"haproxy_{kind}" for kind in kinds))
    )


def test_a_full_queue_says_no_at_once_and_a_pod_that_goes_cuts_no_stream(pool, twins):
    pod = pods()[0]
    begun = [Future() for _ in range(PARALLEL)]
    streams = [pool.submit(stream, pod, first) for first in begun]
    for first in begun:
        assert first.result(timeout=speed.deadline(20))
    queued = [pool.submit(refusal, pod) for _ in range(WAITING)]
    deadline = time.monotonic() + QUEUE_S
    while waiting_in(pod) < WAITING:
        assert time.monotonic() < deadline
    status, said = refusal(pod)
    assert (status, said) == (503, f"server busy, please try again: {WAITING} requests are waiting")
    # by the proxy's clock: on a busy machine the way to it takes seconds
    deadline = time.monotonic() + speed.deadline(5)
    while not (refused := [one for one in logged(pod) if one["status"] == 503]):
        assert time.monotonic() < deadline
    assert [one["total_ms"] < 500 for one in refused] == [True]
    order_gone(pod)
    # as many, for one alone may end before its Pod does
    begun = [Future() for _ in range(PARALLEL)]
    bare = [pool.submit(stream, "bare", first) for first in begun]
    for first in begun:
        assert first.result(timeout=speed.deadline(20))
    order_gone("bare")
    for one in bare:
        with pytest.raises(StreamCut):
            one.result(timeout=speed.deadline(40))
    for one in queued:
        status, said = one.result(timeout=speed.deadline(20))
        assert (status, said) == (503, "server busy: your time in the queue is over")
    # by the proxy's clock, as above; its log comes a moment later
    deadline = time.monotonic() + speed.deadline(5)
    while len(refused := [one for one in logged(pod) if one["status"] == 503]) < WAITING + 1:
        assert time.monotonic() < deadline, refused
    waited_s = sorted(one["total_ms"] / 1000 for one in refused)[1:]
    assert QUEUE_S - 0.5 < waited_s[0] <= waited_s[-1] < QUEUE_S + speed.deadline(3)
    deadline = time.monotonic() + speed.deadline(5)
    while (refused := scraped(pod, 8405)[HTTP_ERRORS]) < WAITING + 1:
        assert time.monotonic() < deadline, refused
    assert refused == WAITING + 1
    for one in streams:
        assert (
            one.result(timeout=speed.deadline(60))["eval_count"] == LONG["options"]["num_predict"]
        )
    # nothing holds it up any more but connections that their clients keep for later
    twins.kubectl(
        twins.ours, "wait", "--for=delete", f"pod/{pod}", f"--timeout={10 + speed.deadline(20):g}s"
    )


def logged(pod: str) -> list[dict]:
    """The last answers to prompts, as the proxy's access log has them."""
    text = str(pod_logs.logs(f"pod/{pod}", container="haproxy", tail=50))
    records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [one for one in records if one["path"] == "/api/generate"]


def one_that_answers() -> str:
    """A Pod whose Ollama is at work on an answer now."""
    deadline = time.monotonic() + speed.deadline(20)
    while True:
        for pod in pods():
            for sample, value in scraped(pod, 8404).items():
                if sample.startswith('haproxy_server_current_sessions{proxy="inference"') and value:
                    return pod
        assert time.monotonic() < deadline, [scraped(pod, 8404) for pod in pods()]


def test_no_answer_is_cut_while_pods_go(pool):
    pods()  # both, before the load: it is over sooner than a Pod may come
    (most,) = labkit.load_test("service/ollama", clients=8, requests=100).levels
    # what one Pod can do too, while the other ends its answers
    rate = most.rates()["requests_per_s"] / 2
    load = pool.submit(
        labkit.load_test, "service/ollama", clients=30, seconds=20, rate=rate, warmup=1
    )
    for _ in range(2):
        order_gone(one_that_answers())
    assert not load.done()
    (found,) = load.result(timeout=speed.deadline(60)).levels
    failures = {kind: count for kind, count in found.failures.items() if count}
    assert set(failures) <= {"http_status"}, (failures, found.failure_examples)
    assert set(found.statuses) <= {200, 503}
    assert sum(found.statuses.values()) == found.started
    # measured: all of them, on two cores; a busier machine refuses some while one Pod is there
    assert found.statuses[200] > 0.8 * found.started, found.statuses


def totals() -> Counter[str]:
    """The exporters' sums, over all Pods."""
    found = Counter()
    for pod in pods():
        for sample, value in scraped(pod, 8405).items():
            found[re.sub('gen_ai_request_model=".*?",?', "", sample)] += value
    return found


def test_the_exporters_counts_are_the_clients_own():
    before = totals()
    (load,) = labkit.load_test("service/ollama", clients=8, requests=200).levels
    with reach.opened(session.current(), "service/ollama") as connection:
        nowhere = f"{services.HOST}/library/nosuch"
        for path, model in (("/api/generate", "nosuch"), ("/api/pull", nowhere)):
            for _ in range(5):
                with contextlib.suppress(LabError):
                    list(connection.lines(path, {"model": model, "insecure": True}))
    counts = totals()
    counts.subtract(before)
    ours = re.compile('ollama_answers_total{path="/api/(generate|pull)"')
    told = {sample: value for sample, value in counts.items() if value and ours.match(sample)}
    assert told == {
        'ollama_answers_total{path="/api/generate",outcome="ok"}': 200,
        'ollama_answers_total{path="/api/generate",outcome="http_error"}': 5,
        'ollama_answers_total{path="/api/pull",outcome="in_band_error"}': 5,
    }
    tokens = counts['gen_ai_client_token_usage_sum{gen_ai_token_type="output"}']
    assert tokens == load.generated_tokens
    assert counts["gen_ai_server_time_to_first_token_seconds_count{}"] == 200


def test_every_panel_of_the_dashboard_has_values_of_what_was_asked():
    labkit.load_test("service/ollama", clients=8, requests=200)
    deadline = time.monotonic() + speed.deadline(40)
    while missing := {one.panel.title: one.missing for one in look() if one.missing}:
        assert time.monotonic() < deadline, missing
        time.sleep(1)
    of = {one.panel.title: one.series for one in look()}
    both = set(pods())
    for title in ("in flight", "queued", "tokens", "loaded models"):
        assert both <= set(of[title]), title
    assert set(of["time to first token"]) == {"p50", "p95"}
    assert set(of["memory"]) == {"server", "model"}
    assert {"http_error", "in_band_error", "cut"} <= set(of["errors"])
    for title in ("in flight", "time to first token", "tokens", "memory", "loaded models"):
        most = max(value for points in of[title].values() for _, value in points if value == value)
        assert most > 0, title


def look() -> list[panels.Seen]:
    return labkit.dashboard()._seen


def test_an_access_log_line_tells_where_the_time_went():
    found = [one for one in logged(pods()[0]) if one["status"] == 200]
    assert found
    for one in found:
        assert one["total_ms"] >= one["queue_ms"] + one["response_ms"]
        assert one["answer"]["eval_count"] > 0
