"""The container engine: Docker if it answers; on Debian as root, installed and started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from labkit.errors import (
    CommandFailed,
    EngineDenied,
    EngineMissing,
    LabError,
    TimedOut,
    ToolMissing,
)
from labkit.setup.host import machine, paths, shell, speed
from labkit.setup.host.poll import Poll
from labkit.setup.host.progress import Reporter

SOCKET = Path("/var/run/docker.sock")
CAP_SYS_RESOURCE = 24
BUILD = ("docker", "build", "--network", "host")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
INSTALL_S = 900
START_S = 60


def docker(*words: str | Path, **options) -> str:
    """What `docker WORDS` printed."""
    return shell.output("docker", *words, env={"DOCKER_BUILDKIT": "0"}, **options)


def version() -> str:
    """The engine's version. Raises EngineMissing or EngineDenied when it does not answer."""
    try:
        done = shell.run(
            "docker", "version", "--format", "{{.Server.Version}}", check=False, timeout_s=20
        )
    except (ToolMissing, TimedOut) as error:
        raise _missing(error.saw) from None
    if done.returncode == 0:
        return done.stdout.strip()
    said = shell.last_line(done.stderr)
    if "permission denied" in said.lower():
        raise EngineDenied(
            "the container engine refuses this user",
            said,
            "add yourself to the docker group (sudo usermod -aG docker $USER) and log in again",
        )
    raise _missing(said)


def proxies(option: str) -> list[str]:
    """Options that hand the host's proxy settings on by name, without their values."""
    return [word for name in PROXIES if name in os.environ for word in (option, name)]


def ensure(reporter: Reporter, confirm: Callable[[str], bool]) -> str:
    """The version of an engine that answers, installed and started where we may."""
    try:
        return version()
    except EngineMissing as missing:
        if not _may_install():
            raise
        if started_by_lab():  # it runs, and is slow to answer
            _wait(lambda: started_by_lab() is not None)
            return version()
        if not shutil.which("dockerd"):
            what = "Installing docker.io from Debian's packages and starting it"
            if not confirm(f"{what}."):
                raise EngineMissing(missing.happened, "you declined", missing.hint) from None
            with reporter.task("container engine: install"):
                apt_install("docker.io", "iptables")
        start(reporter)
        return version()


def is_installed() -> bool:
    """Is there an engine that the lab may start here?"""
    return _may_install() and shutil.which("dockerd") is not None


def apt_install(*packages: str) -> None:
    """Install Debian packages. Raises BuildFailed, which names the log."""
    log = paths.log_file("apt")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    shell.run("apt-get", "update", log=log, env=env, timeout_s=speed.deadline(INSTALL_S))
    shell.run(
        *("apt-get", "install", "-y", "--no-install-recommends", *packages),
        log=log,
        env=env,
        timeout_s=speed.deadline(INSTALL_S),
    )


def start(reporter: Reporter) -> None:
    """Start the installed engine, by systemd where there is one, else as a process."""
    with reporter.task("container engine: start"):
        if Path("/run/systemd/system").is_dir():
            shell.run("systemctl", "start", "docker", timeout_s=speed.deadline(START_S))
            _wait(lambda: True)
        else:
            process = _spawn()
            _wait(lambda: process.poll() is None)


def started_by_lab() -> int | None:
    """The process id of the engine that the lab itself runs; None when it runs none."""
    pid = paths.read_json(paths.state("engine.json")).get("pid")
    return pid if isinstance(pid, int) and _program(pid) == "dockerd" else None


def stop() -> None:
    """Stop the engine that the lab started, and only that one."""
    pid = started_by_lab()
    if pid is None:
        return
    os.kill(pid, 15)
    poll = Poll(speed.deadline(START_S), every_s=0.2)
    while _program(pid) == "dockerd":
        poll.not_yet(
            f"the container engine did not stop within {poll.limit_s:.0f} s",
            f"dockerd is process {pid}",
            f"read {paths.log_file('engine')}",
        )


def data_root() -> Path:
    """Where the engine keeps its images."""
    try:
        return Path(docker("info", "--format", "{{.DockerRootDir}}"))
    except LabError:
        return Path("/var/lib/docker")


def needs_wrapper(status: Path = Path("/proc/self/status")) -> bool:
    """Does this kernel forbid CAP_SYS_RESOURCE, which privileged containers ask for?"""
    try:
        rows = dict(row.split(":", 1) for row in status.read_text().splitlines())
        return not int(rows["CapBnd"], 16) >> CAP_SYS_RESOURCE & 1
    except (OSError, KeyError, ValueError):
        return False


def _may_install() -> bool:
    # A DOCKER_HOST that does not answer is somebody's choice: starting another engine is no cure.
    debian = Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None
    return debian and os.geteuid() == 0 and "DOCKER_HOST" not in os.environ


def _missing(saw: str) -> EngineMissing:
    return EngineMissing(
        "no container engine answers",
        saw,
        "install Docker (https://docs.docker.com/engine/install/) or start it, then ./lab up again",
    )


def _spawn() -> subprocess.Popen:
    # After a reboot a pid file may name a process that is another program by now, and
    # dockerd would take it for a running engine.
    for pid_file in (
        Path("/var/run/docker.pid"),
        SOCKET.parent / "docker/containerd/containerd.pid",
    ):
        try:
            name = pid_file.name.removesuffix(".pid").replace("docker", "dockerd")
            if _program(int(pid_file.read_text())) != name:
                pid_file.unlink()
        except (OSError, ValueError):
            continue
    command = ["dockerd"]
    if needs_wrapper():
        command += ["--add-runtime", f"lab={_wrapper()}", "--default-runtime", "lab"]
    with paths.log_file("engine").open("ab") as log:
        # Its own session and no pipe of ours: it outlives this command, and nobody waits for it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    paths.write_json(paths.state("engine.json"), {"pid": process.pid})
    return process


def _wrapper() -> Path:
    """A runtime that drops the forbidden capability and then is runc."""
    source = Path(__file__).with_name("runc_wrapper.py").read_text()
    wrapper = paths.cache("lab-runc")
    # Not .venv's Python: the engine outlives this folder.
    paths.write_text(wrapper, f"#!{Path(sys._base_executable).resolve()} -IS\n{source}")
    wrapper.chmod(0o755)
    return wrapper


def _wait(alive: Callable[[], bool]) -> None:
    """Wait for an answer. Raises TimedOut with the engine's last words, at once if it ended."""
    poll = Poll(speed.deadline(START_S), every_s=0.3)
    while True:
        try:
            version()
            return
        except EngineMissing as missing:
            if poll.is_over or not alive():
                log = paths.log_file("engine")
                saw = shell.last_line(log.read_text(errors="replace")) if log.exists() else ""
                raise TimedOut(
                    "the container engine was started and does not answer",
                    saw or missing.saw,
                    f"read {log}",
                ) from None
        poll.pause()


def _program(pid: int) -> str:
    """What runs as this process; empty when it has ended, waited for or not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    rows = dict(row.split(":", 1) for row in status.splitlines())
    return "" if "Z" in rows["State"] else rows["Name"].strip()


def require_disk(needed: int) -> int:
    """Free bytes where the engine keeps images. Raises NotEnoughDisk below `needed`."""
    return machine.disk(data_root(), needed)


def inspect(kind: str, *names: str) -> dict[str, dict]:
    """What the engine knows of images, containers, volumes …: {name: its description}.

    Names it does not know are left out.
    """
    if not names:
        return {}
    done = shell.run("docker", kind, "inspect", *names, check=False)
    if done.returncode and "no such" not in done.stderr.lower():
        raise CommandFailed(
            f"docker {kind} inspect failed", shell.last_line(done.stderr), "docker info"
        )
    found = json.loads(done.stdout or "[]")
    if len(found) == len(names):
        return dict(zip(names, found, strict=True))
    # The answer leaves unknown names out, so ask one by one which is which.
    if len(names) == 1:
        return {}
    return {name: row for name in names for row in inspect(kind, name).values()}
