import pytest

from labkit.kube.pod_status import pod_doing, trouble, workload_trouble


def pod(*, phase: str = "Pending", spec: dict | None = None, **status) -> dict:
    return {
        "metadata": {"name": "ollama"},
        "spec": spec or {},
        "status": {"phase": phase, **status},
    }


def waiting(reason: str, message: str = "", /, *, restarts: int = 0, **last) -> dict:
    """A container's status as kubelets of 1.34 write it."""
    return {
        "name": "main",
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": message}},
        "lastState": {"terminated": last} if last else {},
    }


def ended(code: int, reason: str, **more) -> dict:
    return {"name": "main", "state": {"terminated": {"exitCode": code, "reason": reason, **more}}}


@pytest.mark.parametrize(
    "reason",
    [
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "RunContainerError",
        "CreateContainerConfigError",
    ],
)
def test_what_the_kubelet_gives_up_on_is_trouble_of_that_name(reason):
    found = trouble(pod(containerStatuses=[waiting(reason, "no\n such")]))
    assert found[:2] == (reason, "container main: no such")
    assert found.hint


def test_a_kubelet_that_is_late_with_a_configmap_is_believed_later_than_one_that_finds_none():
    late = "failed to sync configmap cache: timed out waiting for the condition"
    for message, holds_s in ((late, 30.0), ('configmap "x" not found', 3.0)):
        found = trouble(pod(containerStatuses=[waiting("CreateContainerConfigError", message)]))
        assert found.holds_s == holds_s


@pytest.mark.parametrize("reason", ["ErrImagePull", "ContainerCreating", "PodInitializing"])
def test_a_first_try_is_no_trouble(reason):
    assert trouble(pod(containerStatuses=[waiting(reason)])) is None


def test_a_first_crash_is_no_trouble_and_the_loop_is():
    crashed = pod(phase="Running", containerStatuses=[ended(3, "Error")])
    assert trouble(crashed) is None
    status = waiting("CrashLoopBackOff", "back-off 10s", restarts=1, exitCode=3, reason="Error")
    found = trouble(pod(phase="Running", containerStatuses=[status]))
    assert found.message == "container main: exit code 3, 1 restart"
    assert found.hint == 'lab.logs("pod/ollama", previous=True) shows its last words'


def crashed_again(code: int, reason: str = "Error", *, restarts: int = 2) -> dict:
    """As a kubelet of 1.37 may leave it for the whole back-off."""
    last = {"terminated": {"exitCode": code, "reason": reason}}
    return {**ended(code, reason), "restartCount": restarts, "lastState": last}


def test_a_crash_loop_that_only_shows_as_ended_is_one_after_it_stood_three_seconds():
    found = trouble(pod(phase="Running", containerStatuses=[crashed_again(1)]))
    assert found[:2] == ("CrashLoopBackOff", "container main: exit code 1, 2 restarts")
    assert found.holds_s == 3.0  # one that ends today and ended last week is restarted at once
    killed = trouble(pod(phase="Running", containerStatuses=[crashed_again(137, "OOMKilled")]))
    assert killed.reason == "OOMKilled"
    hook = {"reason": "FailedPostStartHook", "message": "PostStartHook failed"}
    failed = trouble(pod(phase="Running", containerStatuses=[crashed_again(137)]), [hook])
    assert failed.reason == "FailedPostStartHook"
    init = trouble(pod(initContainerStatuses=[crashed_again(1)]))
    assert init.reason == "CrashLoopBackOff"


def test_a_container_that_has_done_its_work_is_no_crash_loop():
    first = {**ended(1, "Error"), "restartCount": 0}
    assert trouble(pod(phase="Running", containerStatuses=[first])) is None
    once_more = {**crashed_again(1), **ended(0, "Completed")}
    assert trouble(pod(phase="Running", initContainerStatuses=[once_more])) is None
    for policy in ("Never", "OnFailure"):
        done = pod(phase="Running", spec={"restartPolicy": policy}, containerStatuses=[once_more])
        assert trouble(done) is None
    always = trouble(pod(phase="Running", containerStatuses=[once_more]))
    assert always.reason == "CrashLoopBackOff"


def test_a_container_over_its_memory_limit_is_named_so_with_the_limit():
    spec = {"containers": [{"name": "main", "resources": {"limits": {"memory": "30Mi"}}}]}
    looping = waiting("CrashLoopBackOff", exitCode=137, reason="OOMKilled")
    found = trouble(pod(phase="Running", spec=spec, containerStatuses=[looping]))
    assert found.reason == "OOMKilled" and "limit of 30Mi" in found.message
    once = pod(phase="Failed", spec=spec, containerStatuses=[ended(137, "OOMKilled")])
    assert trouble(once).reason == "OOMKilled"


def test_an_init_container_counts_too():
    found = trouble(pod(initContainerStatuses=[waiting("ImagePullBackOff")]))
    assert found.reason == "ImagePullBackOff"


def test_a_pod_that_fits_nowhere_is_believed_after_two_seconds():
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    found = trouble(pod(conditions=[{**condition, "message": "Insufficient memory"}]))
    assert (found.reason, found.message, found.holds_s) == (
        "Unschedulable",
        "Insufficient memory",
        2.0,
    )
    late = "pod has unbound immediate PersistentVolumeClaims"
    assert trouble(pod(conditions=[{**condition, "message": late}])).holds_s > 2


def test_a_failed_hook_is_told_by_the_status_or_by_an_event():
    first = waiting("PostStartHookError", "exited with 4")
    found = trouble(pod(phase="Running", containerStatuses=[first]))
    assert found[:2] == ("FailedPostStartHook", "container main: exited with 4")
    older = waiting("PostStartHookError: command 'x' exited with 4")
    assert "exited with 4" in trouble(pod(containerStatuses=[older])).message
    event = {"reason": "FailedPostStartHook", "message": "PostStartHook failed"}
    looping = pod(containerStatuses=[waiting("CrashLoopBackOff", exitCode=137)])
    assert trouble(looping, [event]).reason == "FailedPostStartHook"


def test_a_kill_that_nobody_explains_hints_at_memory():
    killed = waiting("CrashLoopBackOff", exitCode=137, reason="Error")
    found = trouble(pod(containerStatuses=[killed]))
    assert found.reason == "CrashLoopBackOff"
    assert "resources.limits.memory" in found.hint
    other = waiting("CrashLoopBackOff", exitCode=1, reason="Error")
    assert "memory" not in trouble(pod(containerStatuses=[other])).hint


def test_a_volume_that_is_not_there_is_told_by_an_event():
    creating = pod(containerStatuses=[waiting("ContainerCreating")])
    event = {"reason": "FailedMount", "message": 'secret "x" not found'}
    assert trouble(creating, [event])[:2] == ("FailedMount", 'secret "x" not found')


def test_an_evicted_pod_says_so_and_any_other_its_exit_code():
    found = trouble(pod(phase="Failed", reason="Evicted", message="low on memory"))
    assert found[:2] == ("Evicted", "low on memory")
    found = trouble(pod(phase="Failed", containerStatuses=[ended(1, "Error")]))
    assert found[:2] == ("Error", "container main: exit code 1")
    misspelt = ended(128, "StartError", message='exec: "olama": not found')
    assert trouble(pod(phase="Failed", containerStatuses=[misspelt])).reason == "StartError"
    assert trouble(pod(phase="Failed")).reason == "Failed"


def test_a_pod_that_has_done_its_work_is_not_ready_any_more():
    found = trouble(pod(phase="Succeeded", containerStatuses=[ended(0, "Completed")]))
    assert found.reason == "Completed" and "{.status.phase}" in found.hint


def test_a_pod_that_is_being_deleted_is_not_in_trouble():
    leaving = pod(phase="Failed")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-24T01:00:00Z"
    assert trouble(leaving) is None and pod_doing(leaving) == "Terminating"


def test_quota_is_told_by_a_condition_or_by_an_event():
    said = "exceeded quota: q"
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    deployment = {"status": {"conditions": [{**condition, "message": said}]}}
    found = workload_trouble(deployment)
    assert (found.reason, found.message, found.holds_s) == ("FailedCreate", said, 2.0)
    event = {"reason": "FailedCreate", "message": said}
    assert workload_trouble({"spec": {"replicas": 1}}, [event]).message == said
    assert workload_trouble({"spec": {"replicas": 1}, "status": {"replicas": 1}}, [event]) is None


@pytest.mark.parametrize(
    ("status", "events", "words"),
    [
        ({}, [{"message": 'Pulling image "ollama"'}], "Pending: pulling image ollama"),
        ({}, [], "Pending"),
        ({"containerStatuses": [waiting("ErrImagePull")]}, [], "Pending: ErrImagePull"),
        (
            {"phase": "Running", "containerStatuses": [{"ready": True}, {"ready": False}]},
            [],
            "Running: 1 of 2 containers ready",
        ),
    ],
)
def test_what_a_pod_is_at_is_said_in_words(status, events, words):
    assert pod_doing(pod(**status), events) == words
