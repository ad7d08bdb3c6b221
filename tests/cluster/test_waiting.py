"""Every ending of `lab.wait`, for real; the Pods that fail do so side by side."""

import json
import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from labkit.errors import Gone, NotFound, PodFailed, TimedOut
from labkit.kube import wait as waiting
from labkit.kube.session import Session
from labkit.setup.cluster import labs
from labkit.setup.host import speed

LAB = labs.Lab()
NAME, QUOTA_NAME = "labkit-test-waiting", "labkit-test-waiting-quota"
UNSEEN = "nosuch.invalid/typo:1"  # .invalid is never found, whatever network there is

ILL = {  # name: what its container has, and the reason that wait gives
    "misspelt-image": ({"image": UNSEEN, "imagePullPolicy": "Always"}, {"ImagePullBackOff"}),
    "wrong-image": ({"image": "Ollama/OLLAMA"}, {"InvalidImageName"}),
    "misspelt-command": ({"command": ["olama"]}, {"RunContainerError", "CrashLoopBackOff"}),
    "crashing": ({"command": ["sh", "-c", "exit 3"]}, {"CrashLoopBackOff"}),
    "small-limit": (
        {
            "command": ["sh", "-c", "x=a; while :; do x=$x$x; done"],
            "resources": {"limits": {"memory": "30Mi"}},
        },
        # containerd does not always notice why the container was killed
        {"OOMKilled", "CrashLoopBackOff"},
    ),
    "big-request": ({"resources": {"requests": {"memory": "900Gi"}}}, {"Unschedulable"}),
    "failing-hook": (
        {"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "exit 4"]}}}},
        {"FailedPostStartHook"},
    ),
    "no-configmap": (
        {"envFrom": [{"configMapRef": {"name": "nosuch"}}]},
        {"CreateContainerConfigError"},
    ),
}

# without a probe a container is ready for the moment that it runs, and kubectl's wait is done then
NEVER = {"tcpSocket": {"port": 1}}


def pod(name: str, *, restart: str = "Always", **container) -> dict:
    image = LAB.kubectl("get", "deployment/ollama", "-n", labs.SYSTEM, "-o", "jsonpath={..image}")
    main = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent"}
    spec = {
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": 0,
        "containers": [{**main, "command": ["sleep", "600"], **container}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, **container) -> dict:
    spec = {**pod(name, **container)["spec"]}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


def apply(*items: dict, namespace: str = NAME) -> None:
    whole = {"apiVersion": "v1", "kind": "List", "items": list(items)}
    LAB.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(whole))


def remove(target: str) -> None:
    LAB.kubectl("delete", target, "-n", NAME, "--wait=false", "--now")


def same_line(printed: str, timeout_s: float = 60) -> int:
    """The exit code of kubectl, given the line that `wait` printed."""
    line = next(line for line in printed.splitlines() if line.startswith("$ kubectl wait "))
    words = [LAB.program(), "-n", NAME, *shlex.split(line)[2:]]
    command = subprocess.run(
        words,
        env={**os.environ, **LAB.environment()},
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    return command.returncode


@contextmanager
def namespace(name: str) -> Iterator[None]:
    labels = dict([labs.LABEL])
    whole = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }
    LAB.kubectl("delete", "namespace", name, "--ignore-not-found")
    LAB.kubectl("create", "-f", "-", stdin=json.dumps(whole))
    try:
        with pytest.MonkeyPatch.context() as patch:
            session = Session(name, "", LAB.kubeconfig)
            patch.setattr(waiting, "current", lambda: session)
            yield
    finally:
        LAB.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def wait(lab) -> Iterator[Callable]:
    with namespace(NAME):
        apply(*(pod(name, readinessProbe=NEVER, **ill) for name, (ill, _) in ILL.items()))
        yield waiting.wait


def test_ready_for_a_pod_and_kubectl_ends_equally(wait, capsys):
    apply(pod("well"))
    done = wait("pod/well")
    assert 0 < done.seconds < speed.deadline(60) and done.item["status"]["phase"] == "Running"
    assert same_line(capsys.readouterr().out) == 0


def test_ready_for_a_deployment_and_kubectl_ends_equally(wait, capsys):
    apply(deployment("well"))
    assert wait("deployment/well").seconds < speed.deadline(60)
    assert same_line(capsys.readouterr().out) == 0


def test_an_address_can_be_waited_for(wait, capsys):
    apply(pod("addressed"))
    wait("pod/addressed", until="jsonpath={..podIP}")
    assert same_line(capsys.readouterr().out) == 0


@pytest.mark.parametrize("name", ILL)
def test_failed_says_why(wait, name):
    with pytest.raises(PodFailed) as caught:
        wait(f"pod/{name}")
    assert caught.value.reason in ILL[name][1], caught.value
    if name == "small-limit":
        assert "resources.limits.memory" in caught.value.hint


def test_failed_of_a_deployment_is_that_of_its_pods_until_it_is_corrected(wait):
    apply(deployment("mended", image=UNSEEN, imagePullPolicy="Always"))
    with pytest.raises(PodFailed, match="pod/mended-") as caught:
        wait("deployment/mended")
    assert caught.value.reason == "ImagePullBackOff"
    apply(deployment("mended"))  # the Pod that fails is still there
    assert wait("deployment/mended").seconds < speed.deadline(60)


def test_a_pod_that_ended_badly_is_not_waited_for(wait):
    ends = ["sh", "-c", "exit 5"]
    apply(pod("ended", restart="Never", command=ends, readinessProbe=NEVER))
    with pytest.raises(PodFailed, match="exit code 5"):
        wait("pod/ended")


def test_a_job_is_complete_or_failed_by_its_own_word(wait, capsys):
    def job(name: str, command: str) -> dict:
        template = {"spec": pod(name, restart="Never", command=[command])["spec"]}
        spec = {"backoffLimit": 0, "template": template}
        head = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
        return {**head, "spec": spec}

    apply(job("fine", "true"), job("bad", "false"))
    assert wait("job/fine").seconds < speed.deadline(60)
    assert same_line(capsys.readouterr().out) == 0
    with pytest.raises(PodFailed) as caught:
        wait("job/bad")
    assert caught.value.reason == "BackoffLimitExceeded"


@pytest.mark.usefixtures("lab")
def test_failed_by_a_quota_for_a_deployment_and_a_statefulset():
    with namespace(QUOTA_NAME):
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
        apply({**quota, "spec": {"hard": {"pods": "0"}}}, namespace=QUOTA_NAME)
        used = "jsonpath={.status.hard.pods}=0"
        waiting.wait("resourcequota/none", until=used)
        many = deployment("many")
        apply(many, {**many, "kind": "StatefulSet"}, namespace=QUOTA_NAME)
        for target in ("deployment/many", "statefulset/many"):
            with pytest.raises(PodFailed, match="exceeded quota: none") as caught:
                waiting.wait(target)
            assert caught.value.reason == "FailedCreate"


def test_gone_when_the_pod_is_deleted_meanwhile(wait, capsys):
    apply(pod("leaving", readinessProbe={"exec": {"command": ["false"]}}))
    wait("pod/leaving", until="jsonpath={.status.phase}=Running")
    threading.Timer(0.5, remove, ["pod/leaving"]).start()
    capsys.readouterr()
    with pytest.raises(Gone):
        wait("pod/leaving", timeout_s=speed.deadline(30))
    assert same_line(capsys.readouterr().out) != 0


def test_until_delete_ends_with_the_pod_and_kubectl_ends_equally(wait, capsys):
    apply(pod("leaving-too"))
    wait("pod/leaving-too")
    capsys.readouterr()
    threading.Timer(0.5, remove, ["pod/leaving-too"]).start()
    assert 0.4 < wait("pod/leaving-too", until="delete").seconds < speed.deadline(30)
    assert same_line(capsys.readouterr().out) == 0


def test_until_create_waits_for_what_comes(wait):
    with ThreadPoolExecutor() as pool:
        waited = pool.submit(wait, "pod/coming", until="create", timeout_s=speed.deadline(30))
        apply(pod("coming"))
        assert waited.result().item["metadata"]["name"] == "coming"


def test_late_after_the_time_given_and_kubectl_ends_equally(wait, capsys):
    apply(pod("slow", readinessProbe={"exec": {"command": ["false"]}}))
    with pytest.raises(TimedOut, match=r"timeout_s=4\) if it needs longer") as caught:
        wait("pod/slow", timeout_s=2)
    assert caught.value.happened == f"pod/slow in namespace {NAME} not ready after 2 s"
    assert same_line(capsys.readouterr().out) != 0


def test_not_found_at_once_and_kubectl_ends_equally(wait, capsys):
    with pytest.raises(NotFound):
        wait("pod/nosuch")
    assert same_line(capsys.readouterr().out) != 0
