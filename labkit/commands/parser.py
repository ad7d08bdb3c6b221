"""The parser of the command line: every word and option of `./lab`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

import labkit
from labkit.errors import Unsupported

EXAMPLES = {  # that of `load` is in its own usage
    "up": "./lab up --model qwen2:1.5b",
    "notebook": "./lab notebook",
    "bundle": "./lab bundle save workshop.lab",
    "status": "./lab status -o json",
    "env": 'eval "$(./lab env)"',
    "images": "./lab images",
    "versions": "./lab versions",
    "facts": "./lab facts --ollama http://127.0.0.1:11434",
    "logs": "./lab logs cluster",
    "check": "./lab check 03-service",
    "hint": "./lab hint 03-service/right-port",
    "diagnose": "./lab diagnose -n team-a --context company",
    "goto": "./lab goto 03-service/right-port",
    "reset": "./lab reset --yes",
    "completion": 'eval "$(./lab completion bash)"',
    "docs": "./lab docs",
    "down": "./lab down --purge",
    "test": "./lab test quick",
}


_OF_KUBECTL = ("get", "describe", "delete", "apply", "exec", "scale", "wait", "events", "rollout")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SystemExit(message)  # `parsed` makes three lines of it


def parsed(words: list[str]) -> argparse.Namespace:
    """Return the options of a command line.

    Raise Unsupported for a mistake, with the nearest command when the command is unknown.

    >>> parsed(["goto", "03-service"]).step
    '03-service'
    """
    top = parser()
    (commands,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    first = "".join(words[:1])
    is_command = first in commands.choices
    if first and not is_command and not first.startswith("-"):
        raise _no_command(words, list(commands.choices))
    try:
        return top.parse_args(words)
    except SystemExit as end:
        if not isinstance(end.code, str):  # the help was printed, or the version
            raise
        sub = commands.choices.get(first)
        hint = _better(words, end.code, sub) if sub else "./lab -h"
        raise Unsupported(end.code, _line(words), hint) from None


def _better(words: list[str], said: str, command: argparse.ArgumentParser) -> str:
    """The line that was meant, where that can be told from what is wrong; else the help."""
    import difflib

    if said.endswith("arguments are required: STEP"):
        return f"{EXAMPLES[words[0]]} # ./lab check lists all steps"
    for word in said.partition("unrecognized arguments: ")[2].split():
        for near in difflib.get_close_matches(word, command._option_string_actions, n=1):
            return _line([near if one == word else one for one in words])
    return f"./lab {words[0]} -h"


def _no_command(words: list[str], known: list[str]) -> Unsupported:
    import difflib
    import shlex

    hint = "./lab -h # lists the commands"
    if words[0] in _OF_KUBECTL:
        hint = shlex.join(["kubectl", *words])
    for near in difflib.get_close_matches(words[0].lower(), known, n=1):
        hint = f"{_line([near, *words[1:]])} # ./lab -h lists the commands"
    return Unsupported(f"./lab has no command {words[0]!r}", _line(words), hint)


def _line(words: list[str]) -> str:
    import shlex

    return shlex.join(["./lab", *words])


def parser() -> argparse.ArgumentParser:
    """Every command and option of `./lab`."""
    top = _Parser(
        prog="./lab",
        description="A Kubernetes cluster on this machine with an Ollama that answers.",
        epilog="Exit codes: 0 yes or done, 1 no or failed, 2 could not tell.",
    )
    version = f"labkit {labkit.__version__}"
    top.add_argument("--version", action="version", version=version, help="print the version")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, about: str = "", *, context: bool = True, output=False):
        """`text` is the line of `./lab --help`, `about` the paragraph of `./lab NAME --help`."""
        about = about or f"{text[0].upper()}{text[1:]}."
        example = f"Example: {EXAMPLES[name]}" if name in EXAMPLES else None
        sub = commands.add_parser(name, help=text, description=about, epilog=example)
        if context:
            text = "an existing cluster of your kubeconfig instead of the lab's own"
            sub.add_argument("--context", default="", metavar="CTX", help=text)
        if output:
            formats = ("text", "json")
            sub.add_argument(
                "-o",
                dest="output",
                metavar="FORMAT",
                choices=formats,
                default="text",
                help="the format of the result (text)",
            )
        return sub

    about = (
        "Bring the lab up. It makes what is missing, repairs what is broken, and leaves the rest "
        "alone. It is safe to interrupt: run it again to continue. A second `./lab up` at the same "
        "time waits for the first."
    )
    up = command("up", "bring the lab up: make what is missing, repair what is broken", about)
    text = "where artefacts come from (auto: what the network allows)"
    up.add_argument("--route", choices=("auto", "registry", "packages"), default="auto", help=text)
    up.add_argument("--nodes", type=_workers, metavar="N", help="number of worker nodes (1)")
    text = "the model to serve: lab-llama (the default) or a name of Ollama's library"
    up.add_argument("--model", default="lab-llama", metavar="NAME", help=text)
    text = "do not start JupyterLab"
    up.add_argument("--no-jupyter", dest="jupyter", action="store_false", help=text)
    up.add_argument("--yes", action="store_true", help="do not ask before installing an engine")
    text = "a file, folder or URL that everything comes from, without any other network"
    up.add_argument("--bundle", default="", metavar="WHERE", help=text)
    text = "the code that `bundle serve` printed"
    up.add_argument("--code", default="", metavar="CODE", help=text)
    _add_bundle(command)
    command("notebook", "start JupyterLab if it does not run, and print its URL", output=True)
    about = (
        "Is the lab up? Print each part and what was seen. The last line is whether a workshop "
        "can begin without internet, or what is missing."
    )
    command("status", "is the lab up, and ready for a workshop?", about, output=True)
    about = (
        "Print the exports of KUBECONFIG, PATH, MODEL and OLLAMA_HOST for a terminal: "
        '`eval "$(./lab env)"`.'
    )
    command("env", "print the exports for a terminal", about, output=True)
    text = "list every tool and image: version, source, present or not, stand-in or not"
    command("images", text, context=False, output=True)
    about = (
        "List every pinned version beside what the registries serve today, and until when it is "
        "supported. Exit code 1 when a pin is past its support, 2 when no registry answered. "
        "docs/upgrading.md has the steps to move a pin."
    )
    text = "compare every pin with the registries and with its end of support"
    command("versions", text, about, context=False, output=True)
    about = (
        "Query the real parts for what docs/facts.md lists, and compare. Without options these are "
        "the lab's own parts, with `--ollama` any Ollama, with `--context` any cluster. Each fact "
        "is as expected, differs, or could not be asked. Nothing is changed without "
        "`--may-change`. Exit code 1 when one differs, 2 when none could be asked."
    )
    text = "does each part still do what was seen of it?"
    facts = command("facts", text, about, context=False, output=True)
    text = "the address of an Ollama, such as http://127.0.0.1:11434"
    facts.add_argument("--ollama", default="", metavar="URL", help=text)
    text = "the model to ask (the first one, or a small one that is created and deleted again)"
    facts.add_argument("--model", default="", metavar="NAME", help=text)
    text = "a cluster of your kubeconfig instead of the lab's own"
    facts.add_argument("--context", default="", metavar="CTX", help=text)
    text = "the namespace for what the probes create (the context's own)"
    facts.add_argument("-n", dest="namespace", default="", metavar="NS", help=text)
    text = "ask what loads, pulls or creates something too; it is deleted again"
    facts.add_argument("--may-change", action="store_true", help=text)
    about = (
        "List the logs of builds and commands, or print one. `./lab logs cluster` queries the "
        "cluster for Pods, events and logs."
    )
    logs = command("logs", "list the logs, or print one; `cluster` queries the cluster", about)
    logs.add_argument("name", nargs="?", default="", metavar="NAME", help="which log to print")
    about = (
        "Is a step done? Print the verdict, what was seen, the likely cause, a question, and a "
        "line to look for yourself (with `-o json` also what to try). A notebook's name checks all "
        "of its steps, no name every step, each once and at the same time."
    )
    text = "is a step done, or those of a notebook? without STEP: every step, once"
    check = command("check", text, about, output=True)
    check.add_argument(
        "step", nargs="?", default="", metavar="STEP", help="such as 03-service/right-port"
    )
    text = "check again for some seconds, as lab.check does in a notebook"
    check.add_argument("--wait", action="store_true", help=text)
    text = "print a step's question, the likely cause, and a line to look for yourself"
    hint = command("hint", text)
    hint.add_argument("step", metavar="STEP", help="such as 03-service/right-port")
    text = "print the solution too"
    hint.add_argument("--command", dest="command_too", action="store_true", help=text)
    about = (
        "What is wrong in a namespace, and why? Print the causes that fit, the surest first, each "
        "with what was seen, what to try, and what would refute it. It changes nothing, and works "
        "on every namespace that you may read. Exit code 0 where no known cause is seen."
    )
    text = "name the causes of what does not work in a namespace"
    diagnose = command("diagnose", text, about, output=True)
    text = "the namespace to look at (yours; with --context that of the context)"
    diagnose.add_argument("-n", dest="namespace", default="", metavar="NAMESPACE", help=text)
    text = "print what was read, without secrets, as YAML for a report"
    diagnose.add_argument("--facts", action="store_true", help=text)
    text = "diagnose such a file in the place of a cluster"
    diagnose.add_argument("--from", dest="file", default="", metavar="FILE", help=text)
    about = (
        "Bring your namespace to the state in which a step begins, from any state. It shows what "
        "it will delete and create, and on a terminal you confirm it first."
    )
    text = "bring your namespace to where a step begins, from any state"
    goto = command("goto", text, about, output=True)
    goto.add_argument("step", metavar="STEP", help="such as 03-service/right-port, or 03-service")
    goto.add_argument("--yes", action="store_true", help="do not ask before changing anything")
    about = (
        "Empty your namespace, as on the first day. With STEP it does the same as goto. With "
        "`--context` more than once, or `--all`, it resets several labs at the same time and "
        "prints a table."
    )
    text = "empty your namespace, as on the first day; with STEP the same as goto"
    reset = command("reset", text, about, context=False, output=True)
    reset.add_argument(
        "step", nargs="?", default="", metavar="STEP", help="such as 03-service/right-port"
    )
    text = "a cluster of your kubeconfig instead of the lab's own; several are reset at once"
    reset.add_argument(
        "--context", dest="contexts", action="append", default=[], metavar="CTX", help=text
    )
    reset.add_argument("--all", action="store_true", help="every lab that this machine knows")
    reset.add_argument("--yes", action="store_true", help="do not ask before changing anything")
    about = (
        "Build the documentation site from this clone, and serve it on 127.0.0.1 until Ctrl-C: "
        "guides, lessons with the outputs of their last run, the Python reference, and a search. "
        "It needs no network, but the tools of `./lab test`."
    )
    docs = command("docs", "serve the documentation site on 127.0.0.1", about, context=False)
    text = "the port to serve on (8010)"
    docs.add_argument("--port", type=_port, default=8010, metavar="PORT", help=text)
    text = "build the site into this folder, and do not serve it"
    docs.add_argument("--site-dir", default="", metavar="FOLDER", help=text)
    about = (
        "Stop JupyterLab and remove the cluster. It keeps what makes the next `./lab up` quick; "
        "`--purge` deletes that too."
    )
    down = command("down", "remove the cluster; keep what makes the next up quick", about)
    down.add_argument("--purge", action="store_true", help="free the caches too; asks first")
    down.add_argument("--yes", action="store_true", help="do not ask before purging")
    text = "print the script that completes commands, options and steps in a shell"
    completion = command("completion", text, context=False)
    shells = ("bash", "zsh", "fish")
    text = "the shell, whose startup file evaluates the script"
    completion.add_argument("shell", choices=shells, metavar="SHELL", help=text)
    _add_load(command("load", "measure an Ollama under load, or any URL", context=False))
    about = (
        "Test the lab. Without TIER it runs all tiers but long. A tier that fails does not stop "
        "the others. It ends with a table, the first failure of each tier, and how many tests "
        "passed, failed and were skipped."
    )
    test = command("test", "test the lab: all tiers, or the named ones", about, context=False)
    text = (
        "`quick` (needs no cluster), `cluster`, `metrics`, `notebooks`, `steps` or `browser`; or "
        "`long`, which takes hours"
    )
    test.add_argument("words", nargs="*", metavar="TIER", help=text)
    text = (
        "the share of each core that is left to the lab and its tests, as on a slower machine, "
        "such as 0.25; needs root"
    )
    test.add_argument("--cpu", default="1", metavar="SHARE", help=text)
    return top


def _add_bundle(command: Callable[..., argparse.ArgumentParser]) -> None:
    about = (
        "The whole workshop in one file, for machines without a network. `save` writes the lab "
        "that is up on this machine to a file. `verify` compares every byte with the bundle's own "
        "list and names what is damaged. `list` prints its parts. `serve` offers a file to other "
        "machines, until Ctrl-C. `./lab up --bundle WHERE` comes up from it."
    )
    text = "the whole workshop in one file: save, verify, list or serve it"
    bundle = command("bundle", text, about, context=False, output=True)
    choices = ("save", "verify", "list", "serve")
    text = "save, verify, list or serve"
    bundle.add_argument("action", choices=choices, metavar="ACTION", help=text)
    text = "the file to save or serve; a file, a folder or a URL to verify or list"
    bundle.add_argument("where", metavar="WHERE", help=text)
    text = "with save: a Python version to bring packages for (3.11 to 3.14); can be repeated"
    bundle.add_argument("--python", action="append", default=[], metavar="VERSION", help=text)
    text = "with verify: another copy, from which damaged parts are taken"
    bundle.add_argument("--repair", default="", metavar="FROM", help=text)
    text = "with serve: the address of this machine that the others reach"
    bundle.add_argument("--address", default="", metavar="ADDRESS", help=text)
    text = "with serve: the port (8765)"
    bundle.add_argument("--port", type=_fixed_port, default=8765, metavar="PORT", help=text)
    text = "with serve: how many answers run at the same time (30)"
    bundle.add_argument("--at-once", type=_at_least_one, default=30, metavar="N", help=text)
    text = "the code that `bundle serve` printed"
    bundle.add_argument("--code", default="", metavar="CODE", help=text)


def _add_load(load: argparse.ArgumentParser) -> None:
    """The options of `load`, for the help of all commands; `labkit.load` reads them itself."""
    from labkit.load.options import OWN, SWITCHES, USAGE, VALUES

    load.usage, load.description = "%(prog)s [options] TARGET", USAGE
    load.formatter_class = argparse.RawDescriptionHelpFormatter
    load.add_argument("target", nargs="*", metavar="TARGET", help="http://…, or a Service")
    for name in (*VALUES, *OWN):
        load.add_argument(name, action="append", help=argparse.SUPPRESS)
    for name in set(SWITCHES) - {"-h", "--help"}:
        load.add_argument(name, action="store_true", help=argparse.SUPPRESS)


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 8:
        raise argparse.ArgumentTypeError(f"{text} is not a number between 1 and 8")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _fixed_port(text: str) -> int:
    if not _port(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and 65535")
    return int(text)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)
