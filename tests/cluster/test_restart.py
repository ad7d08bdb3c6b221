"""goto while the API server restarts: alone, because nothing else would stand that."""

import time

from labkit.errors import LabError
from labkit.kube import session
from labkit.lessons import steps
from labkit.lessons.reset import goto
from labkit.setup.cluster import labs
from labkit.setup.host import docker, speed

STEP = "03-service/answers"
KILL = (
    "for p in /proc/[0-9]*; do grep -qx kube-apiserver $p/comm && kill -9 ${p#/proc/}; done; true"
)


def restart_api_server() -> None:
    """Kills it; the kubelet starts it again."""
    docker.docker("exec", "lab-control-plane", "sh", "-c", KILL)


def test_a_goto_goes_on_when_the_api_server_is_there_again(seat):
    seat.run("""
        kubectl create deployment ollama --image ollama/ollama --replicas 2
        kubectl create configmap mine
        kubectl run other --image ollama/ollama
    """)
    process = seat.lab("goto", STEP, "--yes")
    time.sleep(0.9)
    assert process.poll() is None, "it was done before anything could happen to it"
    restart_api_server()
    try:
        said, _ = process.communicate(timeout=speed.deadline(280))
    finally:
        process.kill()
        wait_for_api_server()
    assert process.returncode == 0, said
    assert goto.planned(session.current(), steps.before(steps.one(STEP))) == []


def wait_for_api_server() -> None:
    deadline = time.monotonic() + speed.deadline(120)
    while True:
        try:
            labs.Lab().kubectl("get", "--raw", "/readyz", timeout_s=10)
            return
        except LabError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
