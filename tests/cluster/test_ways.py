"""What each way of notebook 05 shows when its model cannot be had, as the notebook's table says."""

import time
from collections.abc import Callable

import pytest

import labkit
from labkit.errors import PodFailed
from labkit.kube import apply, tables, wait
from labkit.setup.host import speed

LIMIT_S = 90


@pytest.fixture(autouse=True)
def misspelt(twins):
    """The ConfigMap that all ways read names a model that is nowhere."""
    kinds = "deployment,job,pvc,configmap"
    apply.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "model"},
            "data": {"MODEL": f"{labkit.model}-nosuch"},
        }
    )
    yield
    twins.kubectl(
        twins.ours, "delete", kinds, "--all", "--cascade=foreground", timeout_s=speed.deadline(120)
    )


@pytest.fixture
def seen(twins) -> Callable[..., str]:
    """Looks until the lines of `kubectl get pods` have this text; all that it showed then.

    With words, those of `kubectl WORDS`.
    """

    def look(text: str, *words: str) -> str:
        deadline = time.monotonic() + speed.deadline(LIMIT_S)
        while text not in (shown := twins.kubectl(twins.ours, *(words or ("get", "pods")))):
            assert time.monotonic() < deadline, shown
            time.sleep(0.5)
        return shown

    return look


def log_of(twins, target: str, container: str) -> str:
    return twins.kubectl(twins.ours, "logs", target, f"--container={container}")


def test_a_hook_fails_and_restarts_and_its_words_are_in_no_log(twins, seen):
    apply.apply("k8s/steps/05-hook")
    with pytest.raises(PodFailed) as caught:
        wait.rollout("deployment/ollama", timeout_s=speed.deadline(LIMIT_S))
    assert caught.value.reason == "FailedPostStartHook"
    # STATUS may say Error for the whole back-off (Kubernetes 1.37)
    seen("1", "get", "pods", "--output=jsonpath={..restartCount}")
    log = twins.kubectl(twins.ours, "logs", "deployment/ollama", "--previous")
    assert "Listening on" in log
    assert "Error: " not in log, "what `ollama pull` says when it fails"


def test_an_init_container_ends_in_error_and_its_log_says_why(twins, seen):
    apply.apply("k8s/steps/05-init")
    seen("Init:Error")
    # it is tried again: the log may be of a try that has just begun
    seen("Error: ", "logs", "deployment/ollama", "--container=pull")


def test_a_sidecar_goes_on_trying_and_its_pod_is_not_ready(twins, seen):
    apply.apply("k8s/steps/05-sidecar")
    seen("Running")
    deadline = time.monotonic() + speed.deadline(LIMIT_S)
    while log_of(twins, "deployment/ollama", "pull").count("Error: ") < 3:
        assert time.monotonic() < deadline, "it has not tried again"
        time.sleep(0.5)
    assert [row["status"].get("readyReplicas", 0) for row in tables.get("deployments").items] == [0]
    assert "1/2" in seen("Running")


def test_a_store_is_not_filled_its_job_says_why_and_the_servers_wait(twins, seen):
    apply.apply("k8s/steps/05-store")
    assert "Init:0/1" in seen("Error")
    assert "Error: " in log_of(twins, "job/fill-models", "pull")
