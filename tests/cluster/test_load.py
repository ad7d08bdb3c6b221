"""`lab.load_test` and `./lab load` in the cluster: beside hey, from many Pods, stopped, killed."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import labkit
from labkit.errors import ModelMissing, PodFailed, Unreachable
from labkit.kube import workloads
from labkit.load.result import BOUNDED, METRICS, Result
from labkit.measure import load_test
from labkit.ollama import hey as clients
from labkit.ollama import local_models
from labkit.setup.host import speed
from labkit.ui import units

URL = "http://ollama:11434/api/generate"
TOLD_S = 30
LONG_S = 20  # a Pod's time to end is over by then, and load_job.GONE_S nearly


@pytest.fixture(scope="module", autouse=True)
def served(twins):
    """An Ollama that has the lab's model, in the namespace where verbs act."""
    twins.kubectl(twins.ours, "create", "deployment", "ollama", "--image=ollama/ollama")
    twins.kubectl(twins.ours, "create", "service", "clusterip", "ollama", "--tcp=11434")
    twins.kubectl(
        twins.ours, "rollout", "status", "deployment/ollama", f"--timeout={speed.deadline(90):g}s"
    )
    local_models.pull(at="deployment/ollama")


def told_long_ago(item: dict) -> bool:
    told = item["metadata"].get("deletionTimestamp")
    return bool(told) and time.time() - units.moment_of(told).timestamp() > LONG_S


@pytest.fixture
def left(twins):
    """The objects of load tests that are still there.

    What was told to go long ago does not count: `load_test` waits for it no longer either, and once
    a kubelet let a Pod go half a minute after it had ended.
    """

    def look() -> list[str]:
        found = twins.kubectl(twins.ours, "get", "jobs,pods,configmaps", "--output=json")
        items = [item for item in json.loads(found)["items"] if not told_long_ago(item)]
        names = [f"{item['kind'].lower()}/{item['metadata']['name']}" for item in items]
        return [name for name in names if "/load-" in name]

    return look


@pytest.fixture
def begun(seat):
    """A `./lab load` of four seconds, which has had its first answers."""
    words = ("load", "service/ollama", "-c", "2", "-z", "4s", "--pods", "2", "-o", "json")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-P", "-m", "labkit", *words]
    with subprocess.Popen(command, env=seat.env, stdin=subprocess.DEVNULL, **pipes) as process:
        deadline = time.monotonic() + speed.deadline(TOLD_S)
        for line in process.stderr:
            if "answered" in line:
                break
            assert time.monotonic() < deadline, line
        yield process
        process.kill()


def test_ours_agrees_with_hey_on_what_hey_can_see_within_heys_own_noise():
    body = {"model": labkit.model, "prompt": load_test.PROMPT}
    # at the same time, each with one client: they take turns, and whatever else keeps the machine
    # busy is felt by both
    with ThreadPoolExecutor(1) as pool:
        hey = pool.submit(clients.hey, URL, n=200, c=1, body=body)
        ours = load_test.load_test("service/ollama", requests=200)
        theirs = hey.result()
    assert (theirs.statuses, theirs.errors) == ({200: 200}, 0)
    assert (ours.succeeded, ours.failures) == (200, {})
    median_ms = ours.items[0]["latency_ms"]["p50"]
    spread_ms = {share: seconds * 1000 for share, seconds in theirs.percentiles_s.items()}
    assert spread_ms[10] <= median_ms <= spread_ms[90]
    assert median_ms == pytest.approx(spread_ms[50], rel=0.25)


def test_four_restricted_pods_begin_together_and_their_histograms_are_added_exactly(
    twins, left, monkeypatch
):
    parts = []

    def merge(results, start_at, merged=Result.merge):
        parts.extend(results)
        return merged(results, start_at)

    monkeypatch.setattr(Result, "merge", merge)
    words = ("label", "namespace", twins.ours, "--overwrite")
    twins.kubectl(twins.ours, *words, "pod-security.kubernetes.io/enforce=restricted")
    try:
        found = load_test.load_test("service/ollama", clients=8, requests=101, pods=4, warmup=3)
    finally:
        twins.kubectl(twins.ours, *words, "pod-security.kubernetes.io/enforce=baseline")
    whole = found.items[0]
    assert [part.started for part in parts] == [25, 25, 25, 26]
    assert max(part.started_at for part in parts) - min(part.started_at for part in parts) < 0.1
    for name in METRICS:
        for end in ("low", "high") if name in BOUNDED else ("",):
            measured = [part.metrics[name] for part in parts]
            each = [getattr(one, end) if end else one for one in measured]
            read = type(measured[0]).of(whole[name], measured[0].unit)
            added = getattr(read, end) if end else read
            assert added.buckets == sum((one.buckets for one in each), Counter())
            assert added.total == sum(one.total for one in each)
    assert whole["latency_ms"]["count"] == whole["requests"]["succeeded"] == 101
    most = [part.plain()["latency_ms"]["high"]["max"] for part in parts]
    assert whole["latency_ms"]["high"]["max"] == max(most)
    assert [worker["worker"] for worker in whole["workers"]] == [0, 1, 2, 3]
    assert all(worker["client"]["delay_ms"]["count"] for worker in whole["workers"])
    assert left() == []


def test_ctrl_c_gives_the_partial_result_of_every_worker_and_leaves_nothing(begun, left):
    begun.send_signal(signal.SIGINT)
    out, err = begun.communicate(timeout=speed.deadline(TOLD_S))
    assert begun.returncode == 130, err
    found = json.loads(out)
    assert found["interrupted"]
    assert found["requests"]["succeeded"] > 0
    assert len(found["workers"]) == 2
    assert left() == []


def test_what_a_killed_client_leaves_ends_by_itself_and_goes_with_the_next_test(begun, left, twins):
    begun.kill()
    begun.wait()
    (name,) = [name for name in left() if name.startswith("job")]
    spec = json.loads(twins.kubectl(twins.ours, "get", name, "--output=json"))["spec"]
    assert spec["ttlSecondsAfterFinished"] <= 60
    assert spec["activeDeadlineSeconds"] < speed.deadline(300)
    # No answer is asked for: an Ollama whose client is killed in the middle of one can be blocked
    # for good (client-left in docs/troubleshooting.md).
    found = load_test.load_test("deployment/ollama", path="/api/tags", requests=3)
    assert found.levels[0].plan.addresses
    assert found.succeeded == 3
    twins.kubectl(twins.ours, "wait", "--for=delete", name, f"--timeout={speed.deadline(20):g}s")
    assert left() == []


def test_a_quota_that_lets_only_some_of_the_pods_be_made_is_named(twins, left):
    quota = ("quota", "small", "--hard=pods=2")  # one of them is Ollama's
    twins.kubectl(twins.ours, "create", *quota)
    try:
        with pytest.raises(PodFailed, match="exceeded quota: small") as error:
            load_test.load_test("service/ollama", clients=2, pods=2)
    finally:
        twins.kubectl(twins.ours, "delete", *quota[:2])
    assert error.value.reason == "FailedCreate"
    assert left() == []


def test_a_target_that_cannot_answer_is_told_before_anything_is_made(twins):
    with pytest.raises(ModelMissing, match=r"service/ollama does not have the model no-such"):
        load_test.load_test("service/ollama", model="no-such")
    workloads.create_service("olama", tcp=11434)
    try:
        with pytest.raises(Unreachable, match="service/olama") as error:
            labkit.load_test("service/olama")
    finally:
        twins.kubectl(twins.ours, "delete", "service", "olama")
    assert "likely: " in error.value.saw
