"""Faults on the real engine: a build killed in the middle, a port that is taken."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from labkit.errors import PortTaken
from labkit.setup.build import catalog, dockerfile, images, registry
from labkit.setup.cluster import kind
from labkit.setup.host import docker, paths, speed
from labkit.setup.host.progress import Reporter

PARTS = (
    "tools and images",
    "image registry",
    "cluster",
    "model mirror",
    "model",
    "answer",
    "other images",
    "metrics",
)
TINY = catalog.Image("lab/test-tiny", ("latest",), "tiny", "bookworm")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A folder whose Dockerfile takes as many seconds as it is told."""
    monkeypatch.setattr(dockerfile, "folder", lambda image: tmp_path)

    def write(seconds: int) -> None:
        step = f"FROM ${{BASE}}\nRUN sleep {seconds}; head -c 1M /dev/zero > /tiny\n"
        (tmp_path / "Dockerfile").write_text(f"ARG BASE\n{step}")

    yield write
    docker.docker("rmi", "-f", TINY.reference, check=False)


def test_an_image_killed_in_the_middle_is_not_there_and_is_built_the_next_time(lab, tiny, tmp_path):
    tiny(60)
    code = textwrap.dedent(f"""
        from pathlib import Path
        from labkit.setup.build import catalog, dockerfile
        dockerfile.folder = lambda image: Path({str(tmp_path)!r})
        image = catalog.Image("lab/test-tiny", ("latest",), "tiny", "bookworm")
        dockerfile.build(image, "inputs")
    """)
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + speed.deadline(30)
    while "sleep 60" not in docker.docker("ps", "--no-trunc", "--format", "{{.Command}}"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert docker.inspect("image", TINY.reference) == {}
    tiny(0)
    dockerfile.build(TINY, images.inputs(TINY))
    labels = docker.inspect("image", TINY.reference)[TINY.reference]["Config"]["Labels"]
    assert labels[catalog.INPUTS] == images.inputs(TINY)


def test_a_changed_dockerfile_makes_another_image(lab, tiny):
    tiny(0)
    before = images.inputs(TINY)
    tiny(1)
    assert images.inputs(TINY) != before


def test_a_taken_port_is_named_and_another_can_be_chosen(lab, monkeypatch):
    registry.remove()
    try:
        with socket.create_server(("127.0.0.1", 0)) as other:
            monkeypatch.setenv("LAB_REGISTRY_PORT", str(other.getsockname()[1]))
            with pytest.raises(PortTaken) as error:
                registry.ensure(Reporter())
        assert "LAB_REGISTRY_PORT=" in str(error.value)
    finally:
        monkeypatch.delenv("LAB_REGISTRY_PORT")
        assert lab("up").returncode == 0


def test_an_up_killed_in_the_middle_of_each_part_in_turn_is_finished_by_the_next(lab):
    """SIGKILL to the whole `up` just after each part began, from a lab that is down.

    Of three nodes: the tests of test_life.py that follow have them too.
    """
    assert lab("down").returncode == 0
    docker.docker("rmi", "nixery.dev/hey:latest")  # so that there is something to build
    shutil.rmtree(paths.state("pushed"))  # and to push
    for part in PARTS:
        _kill_up_in(part)
    done = lab("up", "--nodes", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert paths.read_json(paths.state("cluster.json"))["whole"] is True
    assert kind.nodes() == ["lab-control-plane", "lab-worker", "lab-worker2"]


def _kill_up_in(part: str) -> None:
    command = [sys.executable, "-u", "-P", "-m", "labkit", "up", "--nodes", "2"]
    beginning = (f"{part} ...", f"{part} of about ")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        deadline = threading.Timer(180, process.kill)
        deadline.start()
        begun = any(line.startswith(beginning) for line in process.stdout)
        assert begun, f"up never came to {part}"
        time.sleep(0.3)
        process.kill()
        deadline.cancel()
