"""commands/parser.py: the version, the examples, and mistakes told in the lab's three lines."""

import argparse
import shlex

import pytest

import labkit
from labkit.commands import main
from labkit.commands.parser import parser


def subparsers() -> dict[str, argparse.ArgumentParser]:
    actions = parser()._actions
    return next(a.choices for a in actions if isinstance(a, argparse._SubParsersAction))


def ended(words: list[str]) -> int:
    """The exit code of a command line that may end inside of the parser."""
    try:
        return main.main(words)
    except SystemExit as end:
        return end.code


def test_it_prints_its_version(capsys):
    assert ended(["--version"]) == 0
    assert capsys.readouterr().out == f"labkit {labkit.__version__}\n"


@pytest.mark.parametrize("name", sorted(subparsers()))
def test_the_help_of_each_command_ends_with_one_example_that_it_takes(name, capsys):
    assert ended([name, "-h"]) == 0
    told = capsys.readouterr().out
    (example,) = [line for line in told.splitlines() if line.startswith("Example: ")]
    assert told.endswith(f"\n\n{example}\n")
    line = example.removeprefix("Example: ").removeprefix('eval "$(').removesuffix(')"')
    words = shlex.split(line)
    assert words[:2] == ["./lab", name]
    assert parser().parse_args(words[1:]).command == name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("chekc", "check"), ("stauts", "status"), ("got", "goto"), ("Up", "up"), ("lod", "load")],
)
def test_a_command_that_comes_near_another_is_answered_with_that_one(typed, meant, capsys):
    assert ended([typed]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"Unsupported: ./lab has no command {typed!r}",
        f"saw: ./lab {typed}",
        f"try: ./lab {meant} # ./lab -h lists the commands",
    ]


def test_the_rest_of_the_line_stays_in_the_command_that_is_meant(capsys):
    assert ended(["chekc", "03-service", "--context", "my lab"]) == 2
    _, saw, hint = capsys.readouterr().err.splitlines()
    assert saw == "saw: ./lab chekc 03-service --context 'my lab'"
    assert hint.startswith("try: ./lab check 03-service --context 'my lab' # ")


def test_a_command_that_comes_near_none_leads_to_the_list(capsys):
    assert ended(["xyzzy"]) == 2
    assert capsys.readouterr().err.splitlines()[2] == "try: ./lab -h # lists the commands"


@pytest.mark.parametrize(
    ("words", "happened", "hint"),
    [
        (
            ["up", "--nodes", "9"],
            "argument --nodes: 9 is not a number between 1 and 8",
            "./lab up -h",
        ),
        (
            ["goto"],
            "the following arguments are required: STEP",
            "./lab goto 03-service/right-port # ./lab check lists all steps",
        ),
        (["check", "--wiat"], "unrecognized arguments: --wiat", "./lab check --wait"),
        (["--wiat", "check"], "unrecognized arguments: --wiat", "./lab -h"),
    ],
)
def test_a_mistake_in_the_options_is_told_in_three_lines(words, happened, hint, capsys):
    assert ended(words) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"Unsupported: {happened}",
        f"saw: {shlex.join(['./lab', *words])}",
        f"try: {hint}",
    ]
