"""`./lab check`, `hint`, `diagnose`, `goto` and `reset`: what a learner does and lacks."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

from labkit.commands import terminal
from labkit.commands.exit_codes import NO, UNKNOWN
from labkit.errors import Unsupported
from labkit.ui import colour, units

if TYPE_CHECKING:
    from labkit.lessons.checks import Verdict


def check(options: argparse.Namespace) -> int:
    """Is a step done? All of them without one."""
    from labkit.lessons import checks

    if options.wait and not options.step:
        happened = "--wait is for one step, or for those of one notebook"
        raise Unsupported(happened, "no STEP", "./lab check STEP --wait")
    _enter(options.context)
    with _quiet(options.output):
        asked = checks.ask(options.step, wait=options.wait)
    found = [_for_terminal(one) for one in asked]
    if options.output == "json":
        print(json.dumps([verdict.plain() for verdict in found], indent=1))
    else:
        said = checks.report(found)
        if len(found) == 1 and found[0].question:
            said += "\nmore: " + terminal.line(f'lab.hint("{found[0].step}")')
        colour.say(said)
    verdicts = {verdict.passed for verdict in found}
    return NO if False in verdicts else UNKNOWN if None in verdicts else 0


def _for_terminal(verdict: Verdict) -> Verdict:
    from dataclasses import replace  # it would cost each `./lab` 6 ms

    fix, look = terminal.line(verdict.fix), terminal.line(verdict.look)
    return replace(verdict, fix=fix, look=look)


def hint(options: argparse.Namespace) -> int:
    """Print a step's question and where to look, and with --command the solution."""
    from labkit.lessons import hints

    session = _enter(options.context)
    step, ladder = hints.of(options.step)
    ladder = hints.with_cause(ladder, session)
    said = [f"{step.id}: {ladder.question}", ladder.pointer, f"look: {terminal.line(ladder.look)}"]
    if options.command_too:
        said.append(f"try: {terminal.line(ladder.command)}")
    colour.say("\n".join(said))
    return 0


def diagnose(options: argparse.Namespace) -> int:
    """Print the causes of what does not work in a namespace, or what was read of it."""
    from pathlib import Path

    from labkit.diagnosis import gathering, record, report

    if options.file:
        if options.facts or options.namespace or options.context:
            happened = "--from reads recorded facts, and asks no cluster"
            raise Unsupported(happened, "other options", "./lab diagnose --from FILE")
        found = report.of(record.read(Path(options.file)))
    elif options.facts:
        here = report.place(options.namespace, options.context)
        print(record.dump(gathering.gather(here.session, outside=here.outside, whole=True)), end="")
        return 0
    else:
        found = report.diagnose(options.namespace, context=options.context)
    print(json.dumps(found.plain(), indent=1) if options.output == "json" else found)
    return NO if found.found else 0


def goto(options: argparse.Namespace) -> int:
    """The namespace as a step finds it."""
    return _bring(options, options.context)


def reset(options: argparse.Namespace) -> int:
    """The namespace of one lab or of several, empty or as a step finds it."""
    from labkit.commands import reset_many
    from labkit.lessons import steps

    contexts = list(dict.fromkeys(options.contexts))
    if options.all and contexts:
        raise Unsupported("--all names every lab", "--context was given too", "one of the two")
    if not options.all and len(contexts) < 2:
        return _bring(options, "".join(contexts))
    if options.step:
        steps.one(options.step, "reset")  # a mistake in it is told once
    contexts = reset_many.labs() if options.all else contexts
    names = ", ".join(context or reset_many.OWN for context in contexts)
    if not _agreed(f"Reset {units.count(len(contexts), 'lab')}: {names}?", options.yes):
        return NO
    found = reset_many.reset(contexts, options.step)
    print(json.dumps(found.items, indent=1) if options.output == "json" else found)
    codes = {item["code"] for item in found.items}
    return NO if NO in codes else max(codes, default=0)


def _bring(options: argparse.Namespace, context: str) -> int:
    from labkit.lessons import steps
    from labkit.lessons.reset import goto as states

    step = steps.one(options.step, options.command) if options.step else None
    session = _enter(context, missing_ok=True, timeout_s=states.ENTER_S)
    question = f"Change namespace {session.namespace} so?"
    with _quiet(options.output):
        reached = states.go(step, agree=lambda: _agreed(question, options.yes))
    if reached is None:
        return NO
    if options.output == "json":
        print(json.dumps(reached.plain(), indent=1))
    return 0


def _enter(context: str, **options: bool | float):
    from labkit.kube import session

    if context:
        os.environ["LAB_CONTEXT"] = context
    return session.enter(**options)


def _quiet(output: str) -> contextlib.AbstractContextManager:
    """With -o json what is told on the way does not stand in the answer's way."""
    return contextlib.redirect_stdout(sys.stderr) if output == "json" else contextlib.nullcontext()


def _agreed(question: str, yes: bool) -> bool:
    """Ask a person; a program is not asked."""
    if yes or not sys.stdin.isatty():
        return True
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        return False
