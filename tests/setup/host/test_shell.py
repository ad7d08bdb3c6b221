"""Commands: bounded, logged, ended together with us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.errors import BuildFailed, CommandFailed, TimedOut, ToolMissing
from labkit.setup.host import shell


def test_what_a_command_prints_comes_back_without_blanks_around_it():
    assert shell.output("echo", "hello") == "hello"
    assert shell.output("cat", stdin="given") == "given"


def test_a_command_that_says_no_is_quoted_with_its_last_line():
    with pytest.raises(CommandFailed) as error:
        shell.run("sh", "-c", "echo first; echo no such host >&2; exit 3")
    assert "exit code 3" in str(error.value)
    assert "saw: no such host" in str(error.value)


def test_a_build_that_fails_names_its_log_and_the_log_holds_all_of_it(tmp_path):
    log = tmp_path / "build.log"
    with pytest.raises(BuildFailed) as error:
        shell.run("sh", "-c", "echo one; echo 'go: module: 403 Forbidden' >&2; exit 1", log=log)
    assert "saw: go: module: 403 Forbidden" in str(error.value)
    assert str(log) in str(error.value)
    assert log.read_text().splitlines()[1:] == ["one", "go: module: 403 Forbidden"]


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(ToolMissing, match="no-such-program is not installed"):
        shell.run("no-such-program", "version")


def test_a_command_that_hangs_is_ended_at_its_limit():
    begun = time.monotonic()
    with pytest.raises(TimedOut, match="still running after 1 s"):
        shell.run("sleep", "60", timeout_s=0.5 + 0.5)
    assert time.monotonic() - begun < 20


def test_a_command_that_ignores_being_asked_is_killed():
    begun = time.monotonic()
    with pytest.raises(TimedOut):
        shell.run("sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60", timeout_s=1)
    assert time.monotonic() - begun < 30


@pytest.mark.skipif(not shell.tied(), reason="this system cannot tie a child's life to ours")
@pytest.mark.parametrize("call", ["run(*{})", "attached({})", "echoed({}, keep=1)"])
def test_a_killed_lab_leaves_no_command_behind(tmp_path, call):
    words = ["sh", "-c", "echo $$ > pid; sleep 600"]
    code = f"from labkit.setup.host import shell; shell.{call.format(words)}"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    child = _number(tmp_path / "pid")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    deadline = time.monotonic() + 60
    while _alive(child):
        assert time.monotonic() < deadline, "the command outlived the lab"
        time.sleep(0.05)


def _number(file: Path) -> int:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(file.read_text())


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


CLEANS_UP = """
import sys, time
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)  # longer than subprocess.run would wait
    print("cleaned up", flush=True)
"""


@pytest.mark.parametrize("call", ["attached({!r})", "echoed({!r}, keep=1)"])
def test_after_ctrl_c_a_command_may_clean_up(call):
    words = [sys.executable, "-c", CLEANS_UP]
    code = f"from labkit.setup.host import shell\nshell.{call.format(words)}"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.communicate(timeout=20)[0] == "cleaned up\n"
    assert process.returncode != 0


def test_the_exit_code_of_an_attached_command_is_its_own():
    assert shell.attached([sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_an_echoed_command_is_shown_whole_and_its_last_lines_are_kept(capsys):
    code = (
        "import sys; print('a\\nb'); sys.stdout.flush(); print('c', file=sys.stderr); sys.exit(3)"
    )
    assert shell.echoed([sys.executable, "-c", code], keep=2) == (3, ["b", "c"])
    assert capsys.readouterr().out == "a\nb\nc\n"


def test_what_an_echoed_command_leaves_running_is_not_waited_for():
    code, said = shell.echoed(["sh", "-c", "sleep 600 & echo $!"], keep=5)  # it holds the pipe
    assert code == 0
    os.kill(int(said[0]), signal.SIGTERM)  # raises when it has ended
