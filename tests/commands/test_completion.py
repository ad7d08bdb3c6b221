"""commands/completion.py: what each shell offers; one that is not on this machine is skipped."""

import argparse
import shutil
import subprocess

import pytest

from labkit.commands import main
from labkit.commands.parser import parser
from labkit.lessons import steps

SHELLS = ("bash", "zsh", "fish")
# bash and fish complete a line; zsh's function is called, and prints what it would offer
ASKING = {
    "bash": """
        source {script}
        COMP_WORDS=({words} '{last}'); COMP_CWORD=$(({place}-1))
        _lab; printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "fish": """
        source {script}
        complete -C '{line}'
    """,
    "zsh": """
        compdef() {{ }}
        _files() {{ }}
        _describe() {{ local one; for one in ${{(P)2}}; do print -r -- ${{one%%:*}}; done }}
        source {script}
        words=({words} '{last}'); CURRENT={place}
        _lab
    """,
}


@pytest.fixture(params=SHELLS)
def offered(request, tmp_path, capsys):
    """`offered(line)`: what the shell offers for the last word of the line."""
    shell = request.param
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    assert main.main(["completion", shell]) == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)

    def ask(line: str) -> set[str]:
        *words, last = line.split(" ")
        values = {"script": script, "line": line, "words": " ".join(words), "last": last}
        asking = ASKING[shell].format(**values, place=len(words) + 1)
        bare = {"bash": "--norc", "zsh": "-f", "fish": "--no-config"}[shell]
        done = subprocess.run([shell, bare, "-c", asking], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        found = [line.partition("\t")[0] for line in done.stdout.splitlines() if line]
        assert len(found) == len(set(found))
        return {word for word in found if word.startswith(last)}

    return ask


def commands() -> dict[str, argparse.ArgumentParser]:
    actions = parser()._actions
    return next(a.choices for a in actions if isinstance(a, argparse._SubParsersAction))


def test_the_first_word_is_a_command(offered):
    assert offered("./lab ") == set(commands())
    assert offered("./lab che") == {"check"}


@pytest.mark.parametrize("command", ["check", "goto", "hint", "reset"])
def test_a_step_is_one_of_the_lessons_or_a_notebook(offered, command):
    names = {step.id for step in steps.STEPS if step.id.startswith("03-")}
    assert offered(f"./lab {command} 03-") == names | {"03-service"}
    assert offered(f"./lab {command} 03-service/r") == {"03-service/right-port"}


def test_an_option_is_one_of_that_command(offered):
    assert offered("./lab check --w") == {"--wait"}
    assert offered("./lab up --") == {
        option
        for action in commands()["up"]._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    assert "--rate" in offered("./lab load --")


def test_a_value_is_one_that_the_option_takes(offered):
    assert offered("./lab up --route ") == {"auto", "registry", "packages"}
    assert offered("./lab check 03-service -o ") == {"text", "json"}
    assert offered("./lab completion ") >= set(SHELLS)
    assert {"quick", "browser", "long"} <= offered("./lab test ")


def test_a_value_that_nobody_knows_is_not_offered_as_something_else(offered):
    assert offered("./lab check --context 03") == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_has_a_script_with_every_command_and_step(shell, capsys):
    assert main.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name in [*commands(), *(step.id for step in steps.STEPS)]:
        assert name in script


def test_another_shell_is_refused(capsys):
    assert main.main(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
