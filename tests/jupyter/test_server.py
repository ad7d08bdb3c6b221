"""labkit/jupyter/server.py with real JupyterLabs: found again, repaired, private."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from labkit.errors import JupyterFailed
from labkit.jupyter import server as jupyter
from labkit.setup.host import paths


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch) -> Iterator[None]:
    monkeypatch.setenv("LAB_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # beside the learner's own server, and beside other tests
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setattr(jupyter, "PORT", free.getsockname()[1])
    yield
    jupyter.stop()


def status(url: str) -> int:
    """The HTTP status of a GET, without any token but that in the URL."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def text(url: str) -> str:
    """What a GET answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.read().decode()


def listening(pid: int) -> set[str]:
    """The addresses on which a process listens, as Linux has them in hexadecimal."""
    sockets = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = row.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                found.add(words[1].partition(":")[0])
    return found


def test_it_opens_on_the_first_lesson_for_those_who_have_the_token_and_no_others():
    begun = time.monotonic()
    server, _ = jupyter.ensure()
    assert time.monotonic() - begun < 20
    assert f"/lab/tree/00-start.ipynb?token={server.token}" in server.url
    assert status(server.url) == 200
    api = f"http://127.0.0.1:{server.port}/api/contents"
    assert status(f"{api}?token={server.token}") == 200
    assert status(api) == status(f"{api}?token=wrong") == 403
    assert listening(server.pid) == {"0100007F"}  # 127.0.0.1
    command = Path(f"/proc/{server.pid}/cmdline").read_text()
    assert server.token not in command
    assert paths.state("jupyter.json").stat().st_mode & 0o777 == 0o600
    home = Path.home()
    assert not home.exists() or not list(home.iterdir())
    assert (Path(server.work) / "00-start.ipynb").exists()
    page = f"http://127.0.0.1:{server.port}/lab?token={server.token}"
    assert "custom/custom.css" in text(page)
    style = f"http://127.0.0.1:{server.port}/custom/custom.css?token={server.token}"
    assert text(style) == jupyter.CSS


def test_a_second_call_finds_it_and_after_a_kill_the_same_url_works_again():
    server, _ = jupyter.ensure()
    again, _ = jupyter.ensure()
    assert again == server
    os.kill(server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while jupyter._runs(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.answers()
    repaired, _ = jupyter.ensure()
    assert repaired.pid != server.pid
    assert repaired.url == server.url
    assert jupyter.stop()
    assert jupyter.known() is None
    assert not jupyter.stop()
    assert jupyter.ensure()[0].url == server.url


def test_on_a_port_of_somebody_elses_it_takes_the_next(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        monkeypatch.setattr(jupyter, "PORT", theirs.getsockname()[1])
        server, _ = jupyter.ensure()
    assert server.port > jupyter.PORT
    assert server.answers()


def test_one_that_cannot_start_says_why_and_names_its_log(monkeypatch):
    code = "import sys; sys.exit('no such thing as JupyterLab')"
    monkeypatch.setattr(jupyter, "_command", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(JupyterFailed) as raised:
        jupyter.ensure()
    assert "exit code 1; no such thing as JupyterLab" in raised.value.saw
    assert "./lab logs jupyter" in raised.value.hint
    assert jupyter.known() is None


def test_another_folder_is_another_server(monkeypatch, tmp_path):
    first, _ = jupyter.ensure()
    monkeypatch.setenv("LAB_WORK", str(tmp_path / "other"))
    second, _ = jupyter.ensure()
    assert second.work == str(tmp_path / "other")
    assert not jupyter._runs(first)
    assert jupyter._runs(second)


def test_a_process_that_has_its_number_today_is_left_alone():
    pid = os.getpid()
    jupyter._write(vars(jupyter.Server(pid, jupyter.PORT, "x" * 32, "/nowhere", "")))
    assert not jupyter.stop()  # this test goes on


def test_its_kernels_know_the_learners_folder_wherever_it_was_started(tmp_path):
    assert jupyter._environment("token", "", tmp_path)["LAB_WORK"] == str(tmp_path)


def test_a_kernel_of_it_names_the_first_cell_before_labkit_is_imported(monkeypatch, tmp_path):
    environment = jupyter._environment("token", "", tmp_path)
    monkeypatch.setenv("IPYTHONDIR", environment["IPYTHONDIR"])
    manager = KernelManager(kernel_name="python3", transport="ipc")
    manager.start_kernel(env=environment, stderr=subprocess.DEVNULL)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        shown: list[dict] = []
        for code in ("lab.start()", "globals().keys() & {'labkit', 'notebook'}"):
            client.execute_interactive(code, timeout=60, output_hook=shown.append)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    (error,) = (m["content"]["traceback"] for m in shown if m["msg_type"] == "error")
    assert error[0] == "NameError: lab is not defined in this kernel" and len(error) == 3
    (value,) = (m["content"]["data"] for m in shown if m["msg_type"] == "execute_result")
    assert value == {"text/plain": "set()"}  # no name of ours among the learner's
