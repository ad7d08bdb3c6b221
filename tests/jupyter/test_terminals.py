"""labkit/jupyter/terminals.py: real shells on a pseudo-terminal, as JupyterLab starts them."""

import json
import os
import re
import shutil
import sys
import urllib.request
from pathlib import Path

import pytest
from ptyprocess import PtyProcess

from labkit.jupyter import server as jupyter
from labkit.jupyter import terminals
from labkit.setup.host import paths

SHELLS = ["bash", "zsh", "fish", "dash"]
CLONE = paths.PACKAGE.parent
TOOLS = ["kubectl", "helm", "ollama", "hey", "kind"]
# Debian's /etc/profile and many a user's own do this
RESETS_PATH = {
    ".profile": "PATH=/usr/local/bin:/usr/bin:/bin; KUBECONFIG=/other; export PATH KUBECONFIG\n",
    ".zprofile": "export PATH=/usr/local/bin:/usr/bin:/bin KUBECONFIG=/other\n",
    ".zshrc": "precmd_functions+=()\n",
    ".config/fish/config.fish": "set -gx PATH /usr/local/bin /usr/bin /bin\n",
}
MARKS_OWN = {
    ".profile": "export OWN=profile\n",
    ".zshenv": "export OWN=zshenv\n",
    ".config/fish/config.fish": "set -gx OWN config\n",
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A home whose profile sets PATH again, and tools of the lab that print their name."""
    folder = tmp_path / "home"
    for files in (RESETS_PATH, MARKS_OWN):
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((file.read_text() if file.exists() else "") + text)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    monkeypatch.delenv("ZDOTDIR", raising=False)
    paths.tools().mkdir(parents=True)
    for name in TOOLS:
        program(paths.tools() / name, f'echo "the {name} of the lab: $*"')
    # the clone's own would first make its Python environment
    own = program(folder / "lab", f'PYTHONPATH={CLONE} exec {sys.executable} -P -m labkit "$@"')
    monkeypatch.setattr(terminals, "_program", lambda: own)
    return folder


def program(place: Path, line: str) -> Path:
    place.write_text(f"#!/bin/sh\n{line}\n")
    place.chmod(0o755)
    return place


@pytest.fixture(params=SHELLS)
def shell(request, monkeypatch) -> str:
    found = shutil.which(request.param)
    if not found:
        pytest.skip(f"no {request.param} on this machine")
    monkeypatch.setenv("SHELL", found)
    return request.param


def typed(*lines: str, keys: str = "", folder: str = "/", context: str = "") -> str:
    """What a terminal of JupyterLab shows after these lines were typed in it, in a folder."""
    there = terminals.command(context)
    terminal = PtyProcess.spawn(there, cwd=folder, env={**os.environ, "TERM": "dumb"})
    try:
        text = "".join(f"{line}\r" for line in lines)
        terminal.write(f"{text}{keys}\rexit\r".encode())
        shown = b""
        while True:
            try:
                shown += terminal.read()
            except EOFError:
                break
    finally:
        terminal.terminate(force=True)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", shown.decode(errors="replace"))


def test_each_tool_is_found_although_the_profile_sets_path_again(shell):
    shown = typed(*(f"{name} version" for name in TOOLS))
    assert [name for name in TOOLS if f"the {name} of the lab: version" not in shown] == []


def test_the_variables_are_the_labs_and_the_users_profile_was_read(shell):
    shown = typed('echo "[$MODEL] [$KUBECONFIG] [$LAB_CONTEXT] [$OWN]"', context="mine")
    own = {"zsh": "zshenv", "fish": "config"}.get(shell, "profile")
    assert "[models.lab-system:5001/library/lab-llama]" in shown
    assert f"{paths.state()}/" in shown and "/other" not in shown.partition("[models")[2]
    assert f"[mine] [{own}]" in shown


@pytest.mark.parametrize("by", ["profile", "environment"])
def test_the_users_env_file_is_read_and_the_variables_are_the_labs(by, home, monkeypatch):
    if not shutil.which("dash"):
        pytest.skip("no dash on this machine")
    monkeypatch.setenv("SHELL", shutil.which("dash"))
    (home / "own env").write_text(RESETS_PATH[".profile"] + "export MINE=env\n")
    if by == "profile":
        with (home / ".profile").open("a") as file:
            file.write("export ENV='$HOME/own env'\n")
    else:
        monkeypatch.setenv("ENV", "$HOME/own env")
    shown = typed("kubectl version", 'echo "[$OWN] [$MINE] [$ENV] [$KUBECONFIG]"')
    assert "the kubectl of the lab: version" in shown
    assert f"[profile] [env] [$HOME/own env] [{paths.state()}/" in shown


def test_lab_answers_in_any_folder(shell, tmp_path):
    shown = typed("lab --version", folder=str(tmp_path))
    assert re.search(r"labkit \d", shown)


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_dot_lab_answers_in_any_folder_and_gives_way_to_one_that_is_there(
    name, monkeypatch, tmp_path
):
    if not shutil.which(name):
        pytest.skip(f"no {name} on this machine")
    monkeypatch.setenv("SHELL", name)
    assert re.search(r"^labkit \d", typed("./lab --version", folder=str(tmp_path)), re.MULTILINE)
    program(tmp_path / "lab", "echo another one")
    assert "another one" in typed("./lab --version", folder=str(tmp_path))


@pytest.mark.parametrize(
    ("name", "lab"),
    [("bash", "lab"), ("bash", "./lab"), ("zsh", "lab"), ("zsh", "./lab"), ("fish", "lab")],
)
def test_a_tab_completes_the_labs_words(name, lab, monkeypatch):
    if not shutil.which(name):
        pytest.skip(f"no {name} on this machine")
    monkeypatch.setenv("SHELL", name)
    assert "usage: ./lab notebook" in typed(f"{lab} notebo\t -h")


def test_lab_is_the_clones_own(monkeypatch):
    monkeypatch.undo()
    assert terminals._program() == CLONE / "lab" and os.access(CLONE / "lab", os.X_OK)


def test_a_shell_that_is_not_known_stays_as_jupyterlab_starts_it(monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert terminals.command() == []


def test_jupyterlabs_own_terminal_has_the_tools(monkeypatch, tmp_path):
    from websocket import create_connection

    monkeypatch.setenv("LAB_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("SHELL", shutil.which("bash") or "bash")
    server, _ = jupyter.ensure()
    try:
        base = f"127.0.0.1:{server.port}"
        asked = urllib.request.Request(
            f"http://{base}/api/terminals?token={server.token}", method="POST"
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as answer:
            name = json.load(answer)["name"]
        url = f"ws://{base}/terminals/websocket/{name}?token={server.token}"
        socket = create_connection(url, timeout=30, http_no_proxy=["127.0.0.1"])
        socket.send(json.dumps(["stdin", "ollama list; pwd\r"]))
        shown = ""
        while f"{server.work}\r\n" not in shown:
            kind, *words = json.loads(socket.recv())
            shown += words[0] if kind == "stdout" else ""
        socket.close()
    finally:
        jupyter.stop()
    assert "the ollama of the lab: list" in shown
