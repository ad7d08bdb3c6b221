"""labkit/setup/cluster/local_ollama.py: the `ollama` command that the lab puts on PATH."""

import os
import subprocess
from pathlib import Path

import pytest

from labkit.setup.cluster import local_ollama

SAYS_ITS_WORDS = '#!/bin/sh\necho "$0|$OLLAMA_HOST|$@"\n'


@pytest.fixture
def command(tmp_path):
    """`command(words, docker=script, other=script, **env)` runs it beside such programs."""

    def program(name: str, script: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(script)
        file.chmod(0o755)
        return file.parent

    def run(*words: str, docker: str = "", other: str = "", **env: str):
        tools = program("tools/ollama", local_ollama.COMMAND)
        path = [str(tools)]
        path += [str(program("docker/docker", docker))] if docker else []
        path += [str(program("other/ollama", other))] if other else []
        return subprocess.run(
            [tools / "ollama", *words],
            env={"PATH": os.pathsep.join([*path, "/usr/bin:/bin"]), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    return run


DOCKER = '#!/bin/sh\nif [ "$1" = inspect ]; then echo true; else echo "$@"; fi\n'
NO_DOCKER = "#!/bin/sh\nexit 1\n"


def test_it_runs_in_the_labs_container_without_a_terminal_where_there_is_none(command):
    done = command("run", "m", "two words", docker=DOCKER)
    assert done.stdout == "exec --interactive lab-ollama ollama run m two words\n"


def test_what_reads_nothing_leaves_a_scripts_next_line_to_its_shell(command):
    assert command("list", docker=DOCKER).stdout == "exec lab-ollama ollama list\n"


def test_without_the_container_three_lines_say_so(command):
    done = command("list", docker=NO_DOCKER)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Unreachable: the lab's own Ollama does not run"
    assert lines[2] == "try: ./lab up"


def test_an_ollama_of_ones_own_is_asked_with_its_own_client(command):
    done = command("list", other=SAYS_ITS_WORDS, docker=DOCKER, LAB_OLLAMA="127.0.0.1:11434")
    program, host, words = done.stdout.strip().split("|")
    assert program.endswith("other/ollama")
    assert (host, words) == ("127.0.0.1:11434", "list")


def test_without_a_client_of_ones_own_three_lines_say_so(command):
    done = command("list", docker=DOCKER, LAB_OLLAMA="127.0.0.1:11434")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 3
    assert "LAB_OLLAMA needs an ollama client" in done.stderr
