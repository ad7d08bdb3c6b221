"""measure/load_pods.py: workers that start together, end well, fail, are stopped; by their logs."""

import json
import threading
import time
from types import SimpleNamespace

import pytest

from labkit.errors import ApiSilent, CommandFailed, NotFound, PodFailed, Refused, TimedOut
from labkit.load.errors import LoadError
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.measure import load_job, load_pods

PLAN = Plan(url="http://ollama:11434/", requests=4, clients=2, timeout_s=20.0)
READY = '{"ready": true}'
PROGRESS = {
    "elapsed_s": 0.5,
    "in_flight": 1,
    "succeeded": 1,
    "failed": 0,
    "chunks": 9,
    "tokens": 9,
    "ttft_p50_ms": 5.0,
    "ttft_p95_ms": 9.0,
}
INDEX = "batch.kubernetes.io/job-completion-index"


def pod(index: int, state: dict) -> dict:
    meta = {"name": f"load-{index}", "annotations": {INDEX: str(index)}, "uid": f"u{index}"}
    status = {"name": "load", "state": state}
    return {"metadata": meta, "status": {"phase": "Pending", "containerStatuses": [status]}}


class Cluster:
    """An API server with a Job whose Pods write what they are told to, once they may start."""

    def __init__(self) -> None:
        self.pods = [pod(index, {"running": {}}) for index in range(2)]
        self.events: list[dict] = []
        self.deleted = threading.Event()
        self.started: dict[str, float] = {}  # Pod → the moment that it was given
        self.late_s = [0.0, 0.0]
        self.ends: list[object] = [None, None]  # a line, or an error, in place of a result
        self.silent = 0  # logs that cannot be read at first
        self.trouble: Exception = ApiSilent("the API server does not answer", "", "")
        self.waits_for_deletion = False
        self.ready = self.ready_at_start = 0

    def resource(self, word: str) -> SimpleNamespace:
        kind = {"jobs": "Job"}.get(word, word)
        return SimpleNamespace(kind=kind, path=lambda ns, name="": f"/{word}/{name}".rstrip("/"))

    def request(self, method, path, *, query=None, body=None, content_type="") -> dict:
        if method == "DELETE":
            self.deleted.set()
        if path == "/jobs/load-x":
            if self.deleted.is_set():
                raise NotFound("gone", path, "")
            meta = {"name": "load-x", "uid": "j"}
            spec = {"parallelism": 2, "selector": {"matchLabels": {"job": "x"}}}
            return {"metadata": meta, "spec": spec, "status": {}}
        if path.startswith("/pods/"):
            return self.pods[int(path[-1])]
        return {"items": {"/pods": self.pods, "/events": self.events}.get(path, [])}

    def lines(self, path: str, *, query: dict, timeout_s: float):
        index = int(path.removesuffix("/log")[-1])
        if index == 1 and self.silent:
            self.silent -= 1
            raise self.trouble
        self.ready += 1
        yield READY
        yield None
        while f"load-{index}" not in self.started:
            time.sleep(0.01)
        yield json.dumps({"progress": PROGRESS})
        if self.waits_for_deletion:
            assert self.deleted.wait(5)
        if self.ends[index] is not None:
            yield self.ends[index]
            return
        result = Result(PLAN.share(index, 2))
        result.started_at = self.started[f"load-{index}"] + self.late_s[index]
        result.started = result.succeeded = 2
        result.interrupted = self.waits_for_deletion
        result.metrics["latency_ms"].record(1_000_000 * (index + 1))
        yield result.to_json()

    def ran(self, session, name: str, command: tuple) -> None:
        self.ready_at_start = self.ready
        self.started[name] = float(command[-1].split()[1])


@pytest.fixture
def cluster(monkeypatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(load_pods.kubectl_exec, "ran", made.ran)
    monkeypatch.setattr(load_job, "remove_leftovers", lambda session: None)
    job = {"metadata": {"name": "load-x", "uid": "j"}}
    monkeypatch.setattr(load_job, "make", lambda session, plan, pods: job)
    monkeypatch.setattr(load_pods, "LAST_WORDS_S", 2.0)
    return made


@pytest.fixture
def run(cluster):
    session = SimpleNamespace(namespace="lab", api=cluster)

    def begin(on_progress=lambda progress: None, on_wait=lambda text: None, pods=2) -> Result:
        return load_pods.run(session, PLAN, on_progress, on_wait, pods=pods)

    return begin


def test_all_are_given_one_moment_and_their_results_are_one(run, cluster):
    seen = []
    result = run(seen.append)
    assert len(set(cluster.started.values())) == 1
    assert result.succeeded == 4 and result.plan == PLAN
    assert result.metrics["latency_ms"].count == 2
    assert [worker["worker"] for worker in result.workers] == [0, 1]
    assert not result.reasons and not result.interrupted
    assert (seen[-1].succeeded, seen[-1].ttft_p95_ms) == (2, 9.0)
    assert cluster.deleted.is_set()


def test_a_worker_that_began_late_makes_the_figures_doubtful(run, cluster):
    cluster.late_s[1] = 0.7
    assert run().reasons == ["worker 1 began 0.7 s after the others"]


def test_a_log_that_cannot_be_read_for_a_moment_is_read_anew(run, cluster, monkeypatch):
    monkeypatch.setattr(load_pods, "PAUSE_S", 0.01)
    cluster.silent = 1
    assert run().succeeded == 4
    assert cluster.ready_at_start == 2


def test_a_log_that_is_refused_is_asked_for_again_but_not_for_ever(run, cluster, monkeypatch):
    monkeypatch.setattr(load_pods, "PAUSE_S", 0.01)
    cluster.trouble = Refused("the API server refuses", "500: dial tcp: no route to host", "")
    cluster.silent = load_pods.REFUSALS
    assert run().succeeded == 4
    cluster.deleted.clear()
    cluster.started.clear()
    cluster.silent = 10 * load_pods.REFUSALS
    with pytest.raises(CommandFailed) as error:
        run()
    assert "worker 1" in error.value.happened


def test_a_worker_without_a_result_is_told_with_its_last_words(run, cluster):
    cluster.ends[1] = "LoadError: the target's name has no address"
    with pytest.raises(CommandFailed) as error:
        run()
    assert "worker 1 of the load test, pod/load-1, ended without a result" in str(error.value)
    assert "its last words: LoadError: the target's name has no address" in str(error.value)
    assert cluster.deleted.is_set()


def test_a_worker_that_was_killed_is_told_with_kubernetes_own_reason(run, cluster):
    cluster.ends[0] = "words"
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    cluster.pods[0] = pod(0, ended)
    cluster.pods[0]["status"]["phase"] = "Failed"
    with pytest.raises(PodFailed) as error:
        run()
    assert error.value.reason == "OOMKilled"


def test_ctrl_c_ends_the_workers_and_gives_what_they_have(run, cluster):
    cluster.waits_for_deletion = True

    def interrupt(progress) -> None:
        if not cluster.deleted.is_set():
            raise KeyboardInterrupt

    result = run(interrupt)
    assert result.interrupted and result.succeeded == 4


def test_ctrl_c_gives_also_what_only_one_of_them_has(run, cluster):
    cluster.waits_for_deletion = True
    cluster.ends[0] = "killed"

    def interrupt(progress) -> None:
        if not cluster.deleted.is_set():
            raise KeyboardInterrupt

    result = run(interrupt)
    assert (result.interrupted, result.succeeded, result.plan) == (True, 2, PLAN)
    assert result.reasons == ["no result from 1 of 2 workers"]


def test_ctrl_c_before_the_start_leaves_nothing(run, cluster):
    cluster.pods = cluster.pods[:1]

    def interrupt(text: str) -> None:
        assert text == "1 of 2 workers running"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(on_wait=interrupt)
    assert cluster.deleted.is_set() and not cluster.started


def test_an_image_that_is_not_there_is_what_lab_up_brings(run, cluster):
    waits = {"waiting": {"reason": "ImagePullBackOff", "message": "python:3.11-slim not found"}}
    cluster.pods[1] = pod(1, waits)
    with pytest.raises(PodFailed) as error:
        run()
    assert str(error.value).splitlines() == [
        "PodFailed: a worker of the load test in namespace lab will not run",
        "saw: pod/load-1 ImagePullBackOff: container load: python:3.11-slim not found",
        "try: ./lab up brings the image to the lab's registry; ./lab images",
    ]


def test_workers_that_do_not_come_have_a_time_limit(run, cluster, monkeypatch):
    monkeypatch.setattr(load_job, "READY_S", 0.1)
    cluster.pods = []
    with pytest.raises(TimedOut, match=r"0 of 2 workers running after 0.1 s"):
        run()


def test_workers_that_do_not_end_have_a_time_limit(run, cluster, monkeypatch):
    monkeypatch.setattr(load_job, "READY_S", 0.0)
    monkeypatch.setattr(load_job, "longest_s", lambda plan: 0.5)
    cluster.waits_for_deletion = True
    with pytest.raises(TimedOut, match="no result of worker 0, 1"):
        run()


def test_more_workers_than_requests_are_refused_before_anything_is_made(run, cluster):
    with pytest.raises(LoadError, match="a worker would have nothing to do"):
        run(pods=9)
    assert not cluster.deleted.is_set()
