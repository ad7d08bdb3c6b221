"""`./lab completion SHELL`: completion of `./lab`, generated from the parser and the steps."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from typing import NamedTuple

from labkit.commands import tiers
from labkit.commands.parser import parser
from labkit.lessons import steps
from labkit.setup.host.shell import fish_quoted

_NAMES = "lab labkit"


class _Option(NamedTuple):
    names: list[str]
    help: str
    takes_value: bool
    values: list[str]


class _Command(NamedTuple):
    help: str
    options: list[_Option]
    words: dict[str, str]  # what may follow, and what it is


def script(shell: str) -> str:
    """Return the script that bash, zsh or fish evaluates once."""
    return SHELLS[shell](_commands())


def _commands() -> dict[str, _Command]:
    (group,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    helps = {one.dest: one.help or "" for one in group._choices_actions}
    return {name: _command(sub, helps[name]) for name, sub in group.choices.items()}


def _command(sub: argparse.ArgumentParser, text: str) -> _Command:
    options, words = [], {}
    for action in sub._actions:
        values = [str(value) for value in action.choices or []]
        if action.option_strings:
            told = "" if action.help in (None, argparse.SUPPRESS) else str(action.help)
            options.append(_Option([*action.option_strings], told, action.nargs != 0, values))
        else:
            words |= dict.fromkeys(values, "") | _known(str(action.metavar))
    return _Command(text, options, words)


def _known(metavar: str) -> dict[str, str]:
    """Return the values of an argument of that name, with their descriptions."""
    if metavar == "TIER":
        return dict.fromkeys([*tiers.WORDS, *tiers.BY_HAND], "")
    if metavar != "STEP":
        return {}
    found: dict[str, str] = {}
    for step in steps.STEPS:
        found.setdefault(step.notebook, "")
        found[step.id] = step.title
    return found


def _cases(commands: dict[str, _Command]) -> list[tuple[str, _Option]]:
    """Return each option with a value, after its command: `up --route`."""
    return [
        (f"{name} {flag}", option)
        for name, command in commands.items()
        for option in command.options
        if option.takes_value
        for flag in option.names
    ]


def _bash(commands: dict[str, _Command]) -> str:
    cases = [f"{_q(place)}) words={_q(' '.join(o.values))} ;;" for place, o in _cases(commands)]
    for name, command in commands.items():
        flags = [flag for option in command.options for flag in option.names]
        cases.append(f"{_q(f'{name} ')}*) words={_q(' '.join([*flags, *command.words]))} ;;")
    lines = "\n            ".join(cases)
    return f"""\
# in ~/.bashrc: eval "$(./lab completion bash)", with the whole path of lab
_lab() {{
    local words=
    if [ "$COMP_CWORD" = 1 ]; then
        words={_q(" ".join(commands))}
    else
        case "${{COMP_WORDS[1]}} ${{COMP_WORDS[COMP_CWORD - 1]}}" in
            {lines}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _lab {_NAMES}
"""


def _zsh(commands: dict[str, _Command]) -> str:
    def array(words: dict[str, str]) -> str:
        return " ".join(_q(f"{word}:{text}" if text else word) for word, text in words.items())

    cases = []
    for place, option in _cases(commands):
        known = f"found=({array(dict.fromkeys(option.values, ''))})"
        cases.append(f"({_q(place)}) {known if option.values else '_files; return'} ;;")
    for name, command in commands.items():
        flags = {flag: option.help for option in command.options for flag in option.names}
        cases.append(f"({_q(f'{name} ')}*) found=({array(flags | command.words)}) ;;")
    lines = "\n            ".join(cases)
    return f"""\
# in ~/.zshrc, after compinit: eval "$(./lab completion zsh)", with the whole path of lab
_lab() {{
    local -a found
    if (( CURRENT == 2 )); then
        found=({array({name: command.help for name, command in commands.items()})})
    else
        case "$words[2] $words[CURRENT-1]" in
            {lines}
        esac
    fi
    _describe lab found
}}
compdef _lab {_NAMES}
"""


def _fish(commands: dict[str, _Command]) -> str:
    lines = ["# in ~/.config/fish/config.fish, with the whole path of lab:"]
    lines += ["# ./lab completion fish | source", "complete -c lab -f"]
    for name, command in commands.items():
        first = "test (count (commandline -opc)) = 1"
        lines.append(f"complete -c lab -n {_f(first)} -a {name} -d {_f(command.help)}")
        here = f"complete -c lab -n {_f(f'contains -- {name} (commandline -opc)[2]')}"
        for option in command.options:
            flags = [f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names]
            value = f" -x -a {_f(' '.join(option.values))}" if option.takes_value else ""
            lines.append(f"{here} {' '.join(flags)}{value} -d {_f(option.help)}")
        lines += [f"{here} -a {word} -d {_f(text)}" for word, text in command.words.items()]
    return "\n".join([*lines, "complete -c labkit -w lab", ""])


_q, _f = shlex.quote, fish_quoted


SHELLS: dict[str, Callable[[dict[str, _Command]], str]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
