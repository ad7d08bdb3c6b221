"""The command line: every word of `./lab`."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from labkit.errors import CommandFailed, LabError, NotEnoughDisk, Unsupported

if TYPE_CHECKING:
    from labkit.bringup.progress import Reporter

NO, UNKNOWN, INTERRUPTED = 1, 2, 130


def parser() -> argparse.ArgumentParser:
    """Every command and option of `./lab`."""
    top = argparse.ArgumentParser(
        prog="./lab",
        description="A Kubernetes cluster on this machine with an Ollama that answers.",
        epilog="Exit codes: 0 yes or done, 1 no or failed, 2 could not tell.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, *, context: bool = True, output: bool = False):
        sub = commands.add_parser(name, help=text, description=text)
        if context:
            text = "an existing cluster of your kubeconfig instead of the lab's own"
            sub.add_argument("--context", default="", metavar="CTX", help=text)
        if output:
            text = "text (the default) or json"
            sub.add_argument(
                "-o", dest="output", choices=("text", "json"), default="text", help=text
            )
        return sub

    up = command("up", "bring the lab up: everything that is missing or broken, nothing else")
    text = "where artefacts come from; auto asks the network"
    up.add_argument("--route", choices=("auto", "registry", "packages"), default="auto", help=text)
    up.add_argument("--nodes", type=_workers, metavar="N", help="number of worker nodes (1)")
    text = "the model to serve: lab-llama (the default) or a name of Ollama's library"
    up.add_argument("--model", default="lab-llama", metavar="NAME", help=text)
    text = "do not start JupyterLab"
    up.add_argument("--no-jupyter", dest="jupyter", action="store_false", help=text)
    up.add_argument("--yes", action="store_true", help="do not ask before installing an engine")
    command("notebook", "start JupyterLab if it does not run, and print its URL", output=True)
    text = "is the lab up, and ready for a workshop? every part and what was seen"
    command("status", text, output=True)
    command("env", 'the exports for a terminal: eval "$(./lab env)"', output=True)
    text = "every tool and image: version, source, present or not, stand-in or not"
    command("images", text, context=False, output=True)
    logs = command("logs", "the logs of builds and commands; `cluster` asks the cluster")
    logs.add_argument("name", nargs="?", default="", metavar="NAME", help="which log to print")
    check = command("check", "is a step done? every step once, without a word", output=True)
    check.add_argument("step", nargs="?", default="", metavar="STEP", help="03-service/right-port")
    goto = command(
        "goto", "bring your namespace to where a step begins, from anything", output=True
    )
    goto.add_argument("step", metavar="STEP", help="such as 03-service/right-port, or 03-service")
    goto.add_argument("--yes", action="store_true", help="do not ask before changing anything")
    text = "empty your namespace, as it was on the first day; with STEP the same as goto"
    reset = command("reset", text, context=False, output=True)
    reset.add_argument("step", nargs="?", default="", metavar="STEP", help="03-service/right-port")
    text = "a cluster of your kubeconfig instead of the lab's own; several are reset at once"
    reset.add_argument(
        "--context", dest="contexts", action="append", default=[], metavar="CTX", help=text
    )
    reset.add_argument("--all", action="store_true", help="every lab that this machine knows")
    reset.add_argument("--yes", action="store_true", help="do not ask before changing anything")
    down = command("down", "remove the cluster; keep what makes the next up quick")
    down.add_argument("--purge", action="store_true", help="free the caches too; asks first")
    down.add_argument("--yes", action="store_true", help="do not ask before purging")
    _add_load(command("load", "measure an Ollama under load, or any URL", context=False))
    test = command("test", "prove the lab: all tiers, or the named one", context=False)
    text = "quick, cluster, metrics, notebooks, steps, browser; or long, which is run by hand"
    test.add_argument("words", nargs="*", metavar="TIER", help=text)
    return top


def _add_load(load: argparse.ArgumentParser) -> None:
    """The options of `load`, for the help of all commands; `labkit.load` reads them itself."""
    from labkit.load.options import OWN, SWITCHES, USAGE, VALUES

    load.usage, load.description = "%(prog)s [options] TARGET", USAGE
    load.formatter_class = argparse.RawDescriptionHelpFormatter
    load.add_argument("target", nargs="?", metavar="TARGET", help="http://…, or a Service")
    for name in (*VALUES, *OWN):
        load.add_argument(name, action="append", help=argparse.SUPPRESS)
    for name in set(SWITCHES) - {"-h", "--help"}:
        load.add_argument(name, action="store_true", help=argparse.SUPPRESS)


def _load(words: list[str]) -> int:
    """`./lab load`: a URL is measured from here, a Service from inside the cluster."""
    from labkit.load.__main__ import main as load
    from labkit.load.options import is_url, split

    target, own, _ = split(words)
    alone = is_url(target) or not target
    if {"-h", "--help", "--plan"}.intersection(words) or (alone and not own):
        return load(words)
    from labkit import loading

    return loading.command(words)


def main(words: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = sys.argv[1:] if words is None else words
    if words[:1] == ["load"]:  # before a parser is made: its start is measured
        options = argparse.Namespace(command="load", words=words[1:])
    else:
        options = parser().parse_args(words)
    try:
        return COMMANDS[options.command](options)
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        known = _from_system(error)
        print(known, file=sys.stderr)
        return known.exit_code
    except Exception as error:  # a mistake of ours; a traceback helps us and no learner
        print(_unexpected(error), file=sys.stderr)
        return UNKNOWN
    except KeyboardInterrupt:
        again = f"./lab {options.command}"
        print(f"\nStopped. Nothing is lost: {again} goes on from here.", file=sys.stderr)
        return INTERRUPTED


def _from_system(error: OSError) -> LabError:
    """What the operating system refused, in the lab's three lines."""
    if error.errno == errno.ENOSPC:
        hint = "free some space (./lab down --purge frees the lab's caches), then try again"
        return NotEnoughDisk("a file could not be written whole", str(error), hint)
    hint = "look at the rights and the place of that file, then try again"
    return CommandFailed("the operating system said no", str(error), hint)


def _unexpected(error: Exception) -> LabError:
    from labkit.bringup import paths

    log = paths.log_file("unexpected")
    with log.open("a") as file:
        traceback.print_exception(error, file=file)
    saw = f"{type(error).__name__}: {error}"
    hint = f"./lab again; if it comes back, report it with {log}"
    return CommandFailed("the lab met something that nobody has thought of", saw, hint)


def _workers(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 8:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 8")
    return number


def _confirm(reporter: Reporter, yes: bool, default: bool) -> Callable[[str], bool]:
    """Asks on a terminal; elsewhere, or after --yes, takes the default."""

    def ask(question: str) -> bool:
        if yes or not sys.stdin.isatty():
            reporter.say(question)
            return yes or default
        with reporter.paused():
            try:
                return input(f"{question} Go on? [y/N] ").strip().lower() in ("y", "yes")
            except EOFError:  # Ctrl-D
                return False

    return ask


def _up(options: argparse.Namespace) -> int:
    from labkit.bringup import lock, progress, up

    wanted = up.Options(
        route=options.route,
        workers=options.nodes,
        model=options.model,
        context=options.context,
        jupyter=options.jupyter,
    )
    with progress.Reporter() as reporter, lock.held(reporter):
        # installing an engine is what `up` was asked for, so without a terminal it goes on
        up.Up(wanted, reporter, _confirm(reporter, options.yes, default=True)).run()
    return 0


def _notebook(options: argparse.Namespace) -> int:
    from labkit.bringup import jupyter, lock, progress, up

    with progress.Reporter() as reporter, lock.held(reporter):
        server, arrived = jupyter.ensure(options.context)
        if options.output == "json":
            print(json.dumps({"url": server.url, "work": server.work, "new": arrived}, indent=1))
        else:
            up.say_where(reporter, server, arrived)
    return 0


def _down(options: argparse.Namespace) -> int:
    from labkit.bringup import down, lock, progress

    if options.purge and options.context:
        raise Unsupported(
            "--purge frees this machine's caches, --context names another cluster",
            "both were given",
            "./lab down --context CTX, or ./lab down --purge",
        )
    with progress.Reporter() as reporter, lock.held(reporter):
        if not options.purge:
            down.down(reporter, options.context)
            if not options.context:
                down.say_what_stays(reporter)
            return 0
        return 0 if down.purge(reporter, _confirm(reporter, options.yes, default=False)) else NO


def _status(options: argparse.Namespace) -> int:
    from labkit.bringup import status

    found = status.parts(options.context)
    code = status.exit_code(found)
    line = status.readiness(found, options.context)
    if options.output == "json":
        rows = [{"name": p.name, "works": p.works, "saw": p.saw} for p in found]
        told = {"up": {0: True, 1: False}.get(code), "readiness": line, "parts": rows}
        print(json.dumps(told, indent=1))
        return code
    signs = {True: "ok", False: "no", None: "??"}
    for part in found:
        print(f"{signs[part.works]:3} {part.name:17} {part.saw}")
    print(line)
    return code


def _env(options: argparse.Namespace) -> int:
    from labkit.bringup import status

    if options.output == "json":
        print(json.dumps(status.environment(options.context), indent=1))
    else:
        print(status.exports(options.context))
    return 0


def _images(options: argparse.Namespace) -> int:
    from labkit.bringup import status

    found = status.materials()
    if options.output == "json":
        print(json.dumps(found, indent=1))
        return 0
    for tool in found["tools"]:
        here = "here" if tool["path"] else "missing"
        pinned = "" if tool["pinned"] else ", not pinned"
        print(f"{here:8} {tool['name']} {tool['version']}: {tool['source']}{pinned}")
    for image in found["images"]:
        here = {True: "here", False: "missing", None: "unknown"}[image["present"]]
        pinned = "" if image["pinned"] else ", not pinned"
        print(f"{here:8} {image['name']}: {image['source']}{pinned}")
        if image["stand_in"]:
            print(f"{'':8}   stand-in: {image['stand_in']}")
    return 0


def _logs(options: argparse.Namespace) -> int:
    from labkit.bringup import diagnose, paths
    from labkit.errors import LogMissing

    folder = paths.cache("logs")
    names = sorted(file.stem for file in folder.glob("*.log"))
    if options.name == "cluster":
        print(diagnose.report(options.context))
    elif not options.name:
        print("\n".join([*names, "cluster"]))
    elif options.name in names:
        print((folder / f"{options.name}.log").read_text(errors="replace"), end="")
    else:
        saw = f"logs: {', '.join([*names, 'cluster'])}"
        raise LogMissing(f"there is no log {options.name}", saw, "./lab logs")
    return 0


def _check(options: argparse.Namespace) -> int:
    from labkit import checks

    _enter(options.context)
    with _quiet(options.output):
        found = checks.ask(options.step)
    if options.output == "json":
        print(json.dumps([verdict.plain() for verdict in found], indent=1))
    else:
        print(checks.report(found))
    verdicts = {verdict.passed for verdict in found}
    return NO if False in verdicts else UNKNOWN if None in verdicts else 0


def _goto(options: argparse.Namespace) -> int:
    return _bring(options, options.context)


def _reset(options: argparse.Namespace) -> int:
    from labkit import several, steps

    contexts = list(dict.fromkeys(options.contexts))
    if options.all and contexts:
        raise Unsupported("--all names every lab", "--context was given too", "one of the two")
    if not options.all and len(contexts) < 2:
        return _bring(options, "".join(contexts))
    if options.step:
        steps.one(options.step)  # a mistake in it is told once
    contexts = several.labs() if options.all else contexts
    names = ", ".join(context or several.OWN for context in contexts)
    if not _agreed(f"Reset {len(contexts)} labs: {names}?", options.yes):
        return NO
    found = several.reset(contexts, options.step)
    print(json.dumps(found.items, indent=1) if options.output == "json" else found)
    codes = {item["code"] for item in found.items}
    return NO if NO in codes else max(codes, default=0)


def _bring(options: argparse.Namespace, context: str) -> int:
    from labkit import states, steps

    step = steps.one(options.step) if options.step else None
    session = _enter(context, missing_ok=True)
    question = f"Change namespace {session.namespace} so?"
    with _quiet(options.output):
        reached = states.go(step, agree=lambda: _agreed(question, options.yes))
    if reached is None:
        return NO
    if options.output == "json":
        print(json.dumps(reached.plain(), indent=1))
    return 0


def _enter(context: str, *, missing_ok: bool = False):
    from labkit import session

    if context:
        os.environ["LAB_CONTEXT"] = context
    return session.enter(missing_ok=missing_ok)


def _quiet(output: str) -> contextlib.AbstractContextManager:
    """With -o json what is told on the way does not stand in the answer's way."""
    return contextlib.redirect_stdout(sys.stderr) if output == "json" else contextlib.nullcontext()


def _agreed(question: str, yes: bool) -> bool:
    """Asks a person; a program means what it says."""
    if yes or not sys.stdin.isatty():
        return True
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        return False


def _test(options: argparse.Namespace) -> int:
    from labkit import testing

    return testing.main(options.words)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "notebook": _notebook,
    "check": _check,
    "goto": _goto,
    "reset": _reset,
    "down": _down,
    "status": _status,
    "env": _env,
    "images": _images,
    "logs": _logs,
    "load": lambda options: _load(options.words),
    "test": _test,
}

if __name__ == "__main__":
    sys.exit(main())
