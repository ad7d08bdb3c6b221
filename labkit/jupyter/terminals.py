"""JupyterLab's terminals: the lab's tools, `lab` and its completion, after the user's profile."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from labkit.setup.build import tools
from labkit.setup.cluster import environment, labs
from labkit.setup.host import paths
from labkit.setup.host.shell import fish_quoted

# a login shell reads these first, and they may set PATH again
_BASH_PROFILE = """\
if [ -r /etc/profile ]; then . /etc/profile; fi
for _lab_file in ~/.bash_profile ~/.bash_login ~/.profile; do
    if [ -r "$_lab_file" ]; then . "$_lab_file"; break; fi
done
unset _lab_file
"""
# a shell reads $ENV after these: `own` sets the value that it had before ours
_POSIX_PROFILE = """\
{own}
for _lab_file in /etc/profile ~/.profile; do
    if [ -r "$_lab_file" ]; then . "$_lab_file"; fi
done
eval "_lab_file=\\"${{ENV:-{usual}}}\\""
if [ -r "$_lab_file" ]; then . "$_lab_file"; fi
unset _lab_file
"""
_USUAL_ENV = {"ksh": "$HOME/.kshrc", "mksh": "$HOME/.mkshrc"}
# ./lab is what texts and hints say; it is in the clone's folder only
_DOT_LAB = """\
./lab() {
    if [ -x ./lab ]; then command ./lab "$@"; else command lab "$@"; fi
}
"""
# at the first Tab: the script of each costs a start of its program
_BASH_COMPLETION = """\
_lab_completion() {
    local program="${1##*/}"
    complete -r "$program" "$1" 2>/dev/null
    eval "$(command "$program" completion bash 2>/dev/null)"
    if [ "$1" = ./lab ]; then complete -o default -F _lab ./lab; fi
    return 124
}
complete -o default -F _lab_completion lab ./lab
if declare -F _init_completion _get_comp_words_by_ref >/dev/null; then
    complete -o default -F _lab_completion kubectl helm kind
fi
"""
# the lab's lines to try end with a comment, which zsh takes in scripts only
_ZSH_COMPLETION = """\
setopt interactivecomments
if ! (( $+functions[compdef] )); then autoload -Uz compinit && compinit -i -D; fi
_lab_completion() {
    local program=${service:t}
    unset "_comps[$program]" "_comps[$service]"
    eval "$(command $program completion zsh 2>/dev/null)"
    if ! (( $+_comps[$program] )); then return 1; fi
    _comps[$service]=$_comps[$program]
    $_comps[$program]
}
compdef _lab_completion lab ./lab kubectl helm kind
"""
_FISH_COMPLETION = """\
if not contains -- {folder} $fish_complete_path
    set -g fish_complete_path {folder} $fish_complete_path
end
"""


def command(context: str = "") -> list[str]:
    """Return what JupyterLab starts as a terminal; empty for a shell that this does not know.

    It writes the files that this shell reads, and makes `lab` one of the lab's tools. The shell is
    the user's own ($SHELL): bash, zsh, fish, or one that reads $ENV.
    """
    tools.link("lab", _program())
    shell = os.environ.get("SHELL") or shutil.which("bash") or "sh"
    made = _SHELLS.get(Path(shell).name)
    return made(shell, context) if made else []


def _program() -> Path:
    """The clone's `lab`; of an installed wheel, the command `labkit`."""
    clone = paths.PACKAGE.parent / "lab"
    return clone if clone.is_file() else Path(sys.executable).with_name("labkit")


def _values(context: str) -> dict[str, str]:
    own = {"LAB_CONTEXT": context} if context else {}
    return environment.exported(labs.Lab(context)) | own


def _bash(shell: str, context: str) -> list[str]:
    exports = environment.export_lines(_values(context))
    file = _written("bashrc", _BASH_PROFILE, exports, _DOT_LAB, _BASH_COMPLETION)
    return [shell, "--rcfile", str(file)]


def _zsh(shell: str, context: str) -> list[str]:
    """The user's own files are read as ever; ours is, once, before the first prompt."""
    exports = environment.export_lines(_values(context))
    last = shlex.quote(str(_written("last.zsh", exports, _DOT_LAB, _ZSH_COMPLETION)))
    own = os.environ.get("ZDOTDIR", "")
    first = _written(
        ".zshenv",
        f"export ZDOTDIR={shlex.quote(own)}\n" if own else "unset ZDOTDIR\n",
        "if [[ -r ${ZDOTDIR:-$HOME}/.zshenv ]]; then . ${ZDOTDIR:-$HOME}/.zshenv; fi\n",
        "_lab_terminal() {\n"
        "    precmd_functions=(${precmd_functions:#_lab_terminal})\n"
        "    unfunction _lab_terminal\n"
        f"    . {last}\n"
        "}\n"
        "precmd_functions+=(_lab_terminal)\n",
    )
    return ["env", f"ZDOTDIR={first.parent}", shell, "-l"]


def _fish(shell: str, context: str) -> list[str]:
    values = _values(context)
    folder = fish_quoted(values.pop("PATH"))
    lines = [f"set -gx {name} {fish_quoted(value)}\n" for name, value in values.items()]
    lines.append(f"contains -- {folder} $PATH; or set -gx PATH {folder} $PATH\n")
    for program in ("lab", "kubectl", "helm", "kind"):
        script = _written(f"fish/{program}.fish", f"command {program} completion fish | source\n")
    completion = _FISH_COMPLETION.format(folder=fish_quoted(str(script.parent)))
    file = _written("config.fish", *lines, completion)
    return [shell, "-l", "-C", f"source {fish_quoted(str(file))}"]


def _posix(shell: str, context: str) -> list[str]:
    """Ours is $ENV, and reads what a login shell reads, also the $ENV that a profile sets."""
    found = os.environ.get("ENV", "")
    own = f"export ENV={shlex.quote(found)}" if found else "unset ENV"
    first = _POSIX_PROFILE.format(own=own, usual=_USUAL_ENV.get(Path(shell).name, ""))
    file = _written("shrc", first, environment.export_lines(_values(context)))
    return ["env", f"ENV={file}", shell]


def _written(name: str, *texts: str) -> Path:
    file = paths.state("jupyter", "terminal", name)
    text = "".join(part if part.endswith("\n") else f"{part}\n" for part in texts)
    paths.write_text(file, f"# written by labkit for JupyterLab's terminals\n{text}")
    return file


_SHELLS: dict[str, Callable[[str, str], list[str]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
    "sh": _posix,
    "dash": _posix,
    "ksh": _posix,
    "mksh": _posix,
}
