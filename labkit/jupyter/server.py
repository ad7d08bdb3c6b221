"""JupyterLab as a part of the lab: one server in the background, on the learner's copies."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import JupyterFailed
from labkit.jupyter import copies, terminals
from labkit.learner import places
from labkit.setup.build import registry
from labkit.setup.cluster import environment, labs
from labkit.setup.host import paths, shell, speed, web
from labkit.setup.host.poll import Poll

PORT = 8888
START_S = 60
END_S = 15
FIRST = "00-start.ipynb"
KERNEL_CONFIG = "profile_default/ipython_kernel_config.py"
EXTENSION = 'c.IPKernelApp.extensions = ["labkit.ui.notebook"]\n'
# JupyterLab draws what looks like a path in an error as a link, also where there is no such file:
# without a target it is drawn as the text that it is.
CSS = ".jp-RenderedText pre a:not([href]) { color: inherit; text-decoration: none; }\n"
SETTINGS = paths.PACKAGE / "jupyter"

_children: dict[int, subprocess.Popen] = {}  # those that this very process started


@dataclass(frozen=True)
class Server:
    """A JupyterLab of ours that was started: it may have ended since."""

    pid: int
    port: int
    token: str
    work: str
    context: str

    @property
    def url(self) -> str:
        """What the learner opens: the first notebook, with the token that lets them in."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{FIRST}?token={self.token}"

    def answers(self) -> bool:
        """Is it ours that answers there? Only ours takes the token."""
        url = f"http://127.0.0.1:{self.port}/api/status"
        return web.status(url, headers={"Authorization": f"token {self.token}"}) == 200


def ensure(context: str = "") -> tuple[Server, list[str]]:
    """JupyterLab runs on the learner's copies; the server, and which changed lessons arrived.

    Raises JupyterFailed, which names the log.
    """
    wanted(context, True)
    work = places.work()
    arrived = copies.refresh(work)
    terminal = terminals.command(context)  # also for a server that runs: its variables may change
    server = known()
    if server and (server.work, server.context) != (str(work), context):
        stop()  # another folder, or another cluster, is another server
    elif server and server.answers():
        return server, arrived
    return _start(work, context, server, terminal), arrived


def known() -> Server | None:
    """The server that was started last; None when there was none, or it was stopped."""
    found = paths.read_json(_record())
    if "pid" not in found:
        return None
    return Server(**found)


def wanted(context: str = "", choice: bool | None = None) -> bool:
    """Is JupyterLab a part of this lab? Not after `./lab up --no-jupyter`, until one is started.

    Each context is a lab of its own. `choice` is remembered; without it nothing is changed.
    """
    suffix = f".{urllib.parse.quote(context, safe='')}" if context else ""
    mark = paths.state(f"no-jupyter{suffix}")
    if choice is False:
        paths.write_text(mark, "./lab up --no-jupyter\n")
    elif choice:
        mark.unlink(missing_ok=True)
    return not mark.exists()


def stop() -> bool:
    """End the server and its kernels; False when none ran."""
    server = known()
    if not server:
        return False
    ran = _runs(server)
    if ran:
        os.kill(server.pid, signal.SIGTERM)
        poll = Poll(END_S, every_s=0.1)
        while _runs(server) and not poll.is_over:
            poll.pause()
        if _runs(server):
            os.killpg(server.pid, signal.SIGKILL)
    _write({"port": server.port, "token": server.token})  # for the same URL next time
    return ran


def _start(work: Path, context: str, before: Server | None, terminal: list[str]) -> Server:
    found = paths.read_json(_record())
    port = found.get("port", PORT)
    if before and _runs(before):  # it hangs
        stop()
    while registry.taken(port):
        port += 1
    token = found.get("token") or secrets.token_urlsafe(24)
    log = paths.log_file("jupyter")
    with log.open("ab") as file:
        process = subprocess.Popen(
            _command(port, work, terminal),
            env=_environment(token, context, work),
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # it outlives this command and its terminal
        )
    _children[process.pid] = process
    server = Server(process.pid, port, token, str(work), context)
    _write(vars(server))
    poll = Poll(speed.deadline(START_S), every_s=0.1)
    while not server.answers():
        ended = process.poll()
        if ended is not None or poll.is_over:
            what = f"it ended with exit code {ended}" if ended is not None else "no answer"
            last = shell.last_line(log.read_text(errors="replace"))
            stop()
            raise JupyterFailed(
                "JupyterLab did not start", f"{what}; {last}", "./lab logs jupyter, then once more"
            )
        poll.pause()
    return server


def _command(port: int, work: Path, terminal: list[str]) -> list[str]:
    words = [sys.executable, "-P", "-m", "labkit.jupyter.labapp", "--no-browser"]
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,  # else a busy port moves it silently
        "ServerApp.root_dir": work,
        "LabApp.default_url": f"/lab/tree/{FIRST}",
        "LabApp.app_settings_dir": SETTINGS,
        "LabApp.custom_css": True,
        "LabApp.extension_manager": "readonly",  # the other one asks PyPI
        "LanguageServerManager.autodetect": False,  # asks npm, which writes into the user's home
        # else every kernel warns of what nobody but this machine can hear
        "KernelManager.transport_encryption": "auto",
    }
    if terminal:
        settings["ServerApp.terminado_settings"] = {"shell_command": terminal}
    words += [f"--{name}={value}" for name, value in settings.items()]
    return [*words, "--allow-root"] if os.geteuid() == 0 else words


def _environment(token: str, context: str, work: Path) -> dict[str, str]:
    """The lab's variables, for terminals and kernels; and nothing of the user's Jupyter."""
    values = environment.exported(labs.Lab(context))
    path = os.environ.get("PATH", os.defpath)
    values["PATH"] = os.pathsep.join([values["PATH"], path])
    if context:
        values["LAB_CONTEXT"] = context
    values[places.WORK] = str(work)  # where what the learner has passed is kept
    folder = paths.state("jupyter")
    own = {
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        "IPYTHONDIR": folder / "ipython",
    }
    for place in own.values():
        place.mkdir(parents=True, exist_ok=True)
    # from a kernel's start: the first cell, which imports labkit, is the one that is forgotten
    paths.write_text(own["IPYTHONDIR"] / KERNEL_CONFIG, EXTENSION)
    paths.write_text(own["JUPYTER_CONFIG_DIR"] / "custom" / "custom.css", CSS)
    # of the user's own: settings of Jupyter, and an Ollama that no lesson shall fill;
    # of a test run, which the server outlives: what it leaves of the machine
    not_ours = ("JUPYTER", "OLLAMA_HOST", speed.SHARE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
    # not on the command line, where every user of the machine can read it
    return {**kept, **values, **{k: str(v) for k, v in own.items()}, "JUPYTER_TOKEN": token}


def _runs(server: Server) -> bool:
    """Does that process run, and is it still this server?"""
    child = _children.get(server.pid)
    if child:
        child.poll()  # one that ended is a zombie until it is asked
    said = shell.run("ps", "-ww", "-o", "stat=,command=", "-p", str(server.pid), check=False).stdout
    return f"--ServerApp.port={server.port}" in said and not said.lstrip().startswith("Z")


def _record() -> Path:
    return paths.state("jupyter.json")


def _write(value: dict) -> None:
    paths.write_text(_record(), json.dumps(value, indent=1) + "\n", private=True)
