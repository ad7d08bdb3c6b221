"""`./lab` without a word: what to do first, by what is there; it contacts nothing."""

import pytest

from labkit.commands import main as cli
from labkit.commands.parser import parsed
from labkit.setup.cluster import kind as cluster
from labkit.setup.host import lock, paths
from labkit.setup.host.progress import Reporter


def told(capsys) -> list[str]:
    assert cli.main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def commands(lines: list[str]) -> list[str]:
    return [line.split("  ")[1] for line in lines if line.startswith("  ./lab")]


def test_on_a_new_machine_the_first_thing_is_to_bring_the_lab_up(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # no engine to contact
    lines = told(capsys)
    assert lines[1] == "The lab is not on this machine yet."
    assert commands(lines) == ["./lab up", "./lab -h"]
    assert not paths.state("lock").exists()


def test_with_a_lab_the_first_thing_is_the_notebooks(capsys):
    paths.write_text(cluster.LAB.kubeconfig, "")
    assert commands(told(capsys))[:2] == ["./lab notebook", "./lab check"]


def test_while_up_is_at_work_it_says_so(capsys):
    with Reporter() as reporter, lock.held(reporter):
        lines = told(capsys)
    assert lines[1] == "Another ./lab command is at work on this machine."
    assert commands(lines) == ["./lab status", "./lab -h"]


@pytest.mark.parametrize("state", ["new", "made", "held"])
def test_each_line_of_it_is_a_command_that_there_is(state, capsys, monkeypatch):
    if state == "made":
        paths.write_text(cluster.LAB.kubeconfig, "")
    monkeypatch.setattr(lock, "is_held", lambda: state == "held")
    for line in commands(told(capsys)):
        words = line.split()[1:]
        if words != ["-h"]:
            assert parsed(words).command == words[0]


def test_what_cannot_be_looked_at_is_said_in_three_lines(capsys, monkeypatch):
    def refuses() -> bool:
        raise PermissionError(13, "Permission denied", "/var/lab/lock")

    monkeypatch.setattr(lock, "is_held", refuses)
    assert cli.main([]) != 0
    err = capsys.readouterr().err
    assert "saw: [Errno 13] Permission denied" in err and "Traceback" not in err
