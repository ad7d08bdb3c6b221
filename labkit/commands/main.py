"""The command line: runs one word of `./lab`, and says how it ended."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from labkit.commands import lessons, terminal
from labkit.commands.exit_codes import INTERRUPTED, NO
from labkit.commands.parser import parsed
from labkit.errors import CommandFailed, LabError, NotEnoughDisk, Unsupported
from labkit.ui import colour

if TYPE_CHECKING:
    from labkit.setup.host.progress import Reporter


def _load(words: list[str]) -> int:
    """`./lab load`: a URL is measured from here, a Service from inside the cluster."""
    from labkit.load.__main__ import main as load
    from labkit.load.options import is_url, split

    if words[:1] == ["compare"]:
        from labkit.measure import load_compare

        return load_compare.command(words[1:])
    target, own, _ = split(words)
    own |= {"-o": "html"} if {"-o=html", "html"} & set(words) else {}  # drawn outside of the engine
    alone = is_url(target) or not target
    if {"-h", "--help", "--plan"}.intersection(words) or (alone and not own):
        return load(words)
    from labkit.lessons import likely_cause

    return likely_cause.command(words)


def main(words: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    words = sys.argv[1:] if words is None else words
    options = argparse.Namespace(command="")
    try:
        if not words:
            return _welcome()
        if words[:1] == ["load"]:  # before a parser is made: its start is measured
            options = argparse.Namespace(command="load", words=words[1:])
        else:
            options = parsed(words)
        return COMMANDS[options.command](options)
    except LabError as error:
        return _failed(error)
    except OSError as error:
        return _failed(_from_system(error))
    except Exception as error:  # a mistake of ours; a traceback helps us and no learner
        return _failed(_unexpected(error))
    except KeyboardInterrupt:
        again = f"./lab {options.command}"
        print(f"\nStopped. Nothing is lost: {again} continues from here.", file=sys.stderr)
        return INTERRUPTED


def _welcome() -> int:
    from labkit.commands import welcome

    print(welcome.text())
    return 0


def _failed(error: LabError) -> int:
    colour.say(terminal.error(error), file=sys.stderr)
    return error.exit_code


def _from_system(error: OSError) -> LabError:
    """What the operating system refused, in the lab's three lines."""
    if error.errno == errno.ENOSPC:
        hint = "free some space (./lab down --purge frees the lab's caches), then try again"
        return NotEnoughDisk("a file could not be written whole", str(error), hint)
    hint = "look at the rights and the place of that file, then try again"
    return CommandFailed("the operating system reported an error", str(error), hint)


def _unexpected(error: Exception) -> LabError:
    from labkit.setup.host import paths

    log = paths.log_file("unexpected")
    with log.open("a") as file:
        traceback.print_exception(error, file=file)
    saw = f"{type(error).__name__}: {error}"
    hint = f"./lab again; if it comes back, report it with {log}"
    return CommandFailed("unexpected internal error", saw, hint)


def _confirm(reporter: Reporter, yes: bool, default: bool) -> Callable[[str], bool]:
    """Ask on a terminal; elsewhere, or after --yes, take the default."""

    def ask(question: str) -> bool:
        if yes or not sys.stdin.isatty():
            reporter.say(question)
            return yes or default
        with reporter.paused():
            try:
                return input(f"{question} Continue? [y/N] ").strip().lower() in ("y", "yes")
            except EOFError:  # Ctrl-D
                return False

    return ask


def _up(options: argparse.Namespace) -> int:
    from labkit.commands import up
    from labkit.setup.host import lock, progress

    wanted = up.Options(
        route=options.route,
        workers=options.nodes,
        model=options.model,
        context=options.context,
        jupyter=options.jupyter,
        bundle=options.bundle,
        code=options.code,
    )
    with progress.Reporter() as reporter, lock.held(reporter):
        # installing an engine is what `up` was asked for, so without a terminal it goes on
        up.Up(wanted, reporter, _confirm(reporter, options.yes, default=True)).run()
    return 0


def _bundle(options: argparse.Namespace) -> int:
    from labkit.commands import bundle

    return bundle.command(options)


def _notebook(options: argparse.Namespace) -> int:
    from labkit.commands import up
    from labkit.jupyter import server as jupyter
    from labkit.setup.host import lock, progress

    with progress.Reporter() as reporter, lock.held(reporter):
        server, arrived = jupyter.ensure(options.context)
        if options.output == "json":
            print(json.dumps({"url": server.url, "work": server.work, "new": arrived}, indent=1))
        else:
            up.say_where(reporter, server, arrived)
    return 0


def _down(options: argparse.Namespace) -> int:
    from labkit.commands import down
    from labkit.setup.host import lock, progress

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
    from labkit.commands import status

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
        colour.say(f"{signs[part.works]:3} {part.name:17} {part.saw}")
    if url := status.address():
        # the token is for the person at this terminal: not for a file, a log, or a notebook, whose
        # kernel runs a command on a terminal too and saves what it prints
        is_seen = sys.stdout.isatty() and "JPY_PARENT_PID" not in os.environ
        print(f"Open in a browser: {url if is_seen else '(./lab notebook prints it)'}")
    print(line)
    return code


def _env(options: argparse.Namespace) -> int:
    from labkit.setup.cluster import environment

    if options.output == "json":
        print(json.dumps(environment.variables(options.context), indent=1))
    else:
        print(environment.exports(options.context))
    return 0


def _images(options: argparse.Namespace) -> int:
    from labkit.commands import status

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


def _versions(options: argparse.Namespace) -> int:
    from labkit.commands import versions

    return versions.command(options.output)


def _facts(options: argparse.Namespace) -> int:
    from labkit.commands import facts

    return facts.command(options)


def _logs(options: argparse.Namespace) -> int:
    from labkit.errors import LogMissing
    from labkit.setup.cluster import diagnostics
    from labkit.setup.host import paths

    folder = paths.cache("logs")
    names = sorted(file.stem for file in folder.glob("*.log"))
    if options.name == "cluster":
        print(diagnostics.report(options.context))
    elif not options.name:
        print("\n".join([*names, "cluster"]))
    elif options.name in names:
        print((folder / f"{options.name}.log").read_text(errors="replace"), end="")
    else:
        saw = f"logs: {', '.join([*names, 'cluster'])}"
        raise LogMissing(f"there is no log {options.name}", saw, "./lab logs")
    return 0


def _docs(options: argparse.Namespace) -> int:
    from labkit.commands import docs

    return docs.command(options.port, options.site_dir)


def _completion(options: argparse.Namespace) -> int:
    from labkit.commands import completion

    print(completion.script(options.shell), end="")
    return 0


def _test(options: argparse.Namespace) -> int:
    from labkit.commands import selftest

    return selftest.main(options.words, options.cpu)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "notebook": _notebook,
    "bundle": _bundle,
    "check": lessons.check,
    "hint": lessons.hint,
    "diagnose": lessons.diagnose,
    "goto": lessons.goto,
    "reset": lessons.reset,
    "down": _down,
    "status": _status,
    "env": _env,
    "images": _images,
    "versions": _versions,
    "facts": _facts,
    "logs": _logs,
    "completion": _completion,
    "docs": _docs,
    "load": lambda options: _load(options.words),
    "test": _test,
}

if __name__ == "__main__":
    sys.exit(main())
