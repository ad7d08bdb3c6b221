"""The container engine: what is said when it is not there or refuses us."""

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from labkit.errors import EngineDenied, EngineMissing
from labkit.setup.host import docker as engine
from labkit.setup.host import runc_wrapper
from labkit.setup.host.progress import Reporter


@pytest.fixture
def fake_docker(tmp_path, monkeypatch):
    """Puts a `docker` that answers as given first on PATH."""

    def put(lines: str) -> None:
        docker = tmp_path / "docker"
        docker.write_text(f"#!/bin/sh\n{textwrap.dedent(lines)}\n")
        docker.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return put


def test_an_engine_without_permission_names_the_group_to_join(fake_docker):
    fake_docker("echo 'permission denied while trying to connect to the socket' >&2; exit 1")
    with pytest.raises(EngineDenied) as error:
        engine.version()
    assert "docker group" in str(error.value)
    assert len(str(error.value).splitlines()) == 3


def test_no_engine_and_no_root_says_what_to_install(fake_docker, monkeypatch):
    fake_docker("echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(EngineMissing) as error:
        engine.ensure(Reporter(), confirm=lambda question: pytest.fail("nothing to ask"))
    assert "saw: Cannot connect to the Docker daemon" in str(error.value)
    assert "https://docs.docker.com/engine/install/" in str(error.value)


def test_a_docker_host_that_is_silent_is_not_replaced_by_an_engine_of_ours(
    fake_docker, monkeypatch
):
    fake_docker("echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(EngineMissing):
        engine.ensure(Reporter(), confirm=lambda question: pytest.fail("nothing to ask"))


def test_who_says_no_gets_no_engine_installed(fake_docker, monkeypatch):
    fake_docker("echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    monkeypatch.setattr(engine, "_may_install", lambda: True)
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    monkeypatch.setattr(engine, "apt_install", lambda *names: pytest.fail("installed all the same"))
    with pytest.raises(EngineMissing, match="you declined"):
        engine.ensure(Reporter(), confirm=lambda question: False)


def test_the_wrapper_is_used_only_where_the_kernel_forbids_the_capability(tmp_path):
    status = tmp_path / "status"
    status.write_text("CapEff:\t0\nCapBnd:\t000001fffeffffff\n")
    assert engine.needs_wrapper(status)
    status.write_text("CapEff:\t0\nCapBnd:\t000001ffffffffff\n")
    assert not engine.needs_wrapper(status)
    assert not engine.needs_wrapper(tmp_path / "none")


def test_the_wrapper_drops_that_capability_alone_and_becomes_runc(tmp_path):
    capabilities = {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "effective": ["CAP_CHOWN"]}
    config = {"process": {"capabilities": capabilities, "args": ["sh"]}, "root": {"path": "/"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "$@"\n')
    runc.chmod(0o755)
    words = ["create", "--bundle", str(tmp_path), "name"]
    done = subprocess.run(
        [sys.executable, runc_wrapper.__file__, *words],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == words
    written = json.loads((tmp_path / "config.json").read_text())
    config["process"]["capabilities"]["bounding"] = ["CAP_CHOWN"]
    assert written == config


def test_the_wrapper_also_drops_it_from_an_exec(tmp_path):
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"capabilities": {"bounding": ["CAP_SYS_RESOURCE"]}}))
    runc_wrapper.drop(process)
    assert json.loads(process.read_text()) == {"capabilities": {"bounding": []}}


def test_a_pid_that_is_another_program_by_now_is_not_our_engine():
    engine.paths.write_json(engine.paths.state("engine.json"), {"pid": 1})
    assert engine.started_by_lab() is None
    engine.stop()
    assert Path("/proc/1").exists()


def test_a_process_that_ended_and_was_not_waited_for_runs_nothing():
    """dockerd takes its pid in a stale pid file for a running engine."""
    with subprocess.Popen(["sleep", "5"]) as process:
        _becomes("sleep", process.pid)  # its name changes a moment after it was started
        process.kill()
        _becomes("", process.pid)
        assert Path(f"/proc/{process.pid}").exists()


def _becomes(name: str, pid: int) -> None:
    deadline = time.monotonic() + 60
    while engine._program(pid) != name:
        assert time.monotonic() < deadline
        time.sleep(0.01)
