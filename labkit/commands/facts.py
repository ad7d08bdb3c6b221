"""`./lab facts`: does each part still do what was seen of it?"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from contextlib import suppress

from labkit.commands.exit_codes import NO, UNKNOWN
from labkit.errors import LabError, NotUp
from labkit.facts import entries, places, runner
from labkit.setup.build import catalog
from labkit.setup.cluster import environment, local_ollama, services
from labkit.setup.host import docker
from labkit.ui import colour
from labkit.ui.table import Table

SIGNS = {runner.AS_EXPECTED: "ok", runner.DIFFERS: "no", runner.NOT_ASKED: "??"}


def command(options: argparse.Namespace) -> int:
    """Ask, print, and return 0, 1 (one differs) or 2 (none could be asked)."""
    asked = chosen(options)
    where = where_to_ask(options)
    found = []
    for row in runner.rows(asked, where, on_fact=_say if sys.stderr.isatty() else _quiet):
        found.append(row)
    _say(None) if sys.stderr.isatty() else None
    found.sort(key=lambda row: asked.index(row.fact))
    if options.output == "json":
        print(json.dumps([row.plain() for row in found], indent=1))
    else:
        colour.say(f"{table(found)}\n\n{details(found)}{summary(found)}")
    return code(found)


def chosen(options: argparse.Namespace) -> list[entries.Fact]:
    """The facts of the parts that the command line names; all of them without any."""
    found = entries.every()
    if not (options.ollama or options.context):
        return found
    of = places.OF_OLLAMA if options.ollama else ()
    of += places.OF_CLUSTER if options.context else ()
    return [fact for fact in found if fact.of in of]


def where_to_ask(options: argparse.Namespace) -> places.Places:
    """The parts that are asked: those of the command line, or the lab's own."""
    path = os.environ.get("PATH", "")
    if options.ollama or options.context:
        url = options.ollama
        return places.Places(
            ollama=url if not url or "://" in url else f"http://{url}",
            model=options.model,
            context=options.context,
            namespace=options.namespace,
            path=places.without_the_labs_tools(path),
            may_change=options.may_change,
        )
    try:
        lab = environment.variables()
    except NotUp:  # the programs that are here can be asked all the same
        lab = {}
    return places.Places(
        ollama=lab.get("OLLAMA_HOST", ""),
        model=options.model,
        namespace=options.namespace,
        kubeconfig=lab.get("KUBECONFIG", os.devnull),
        registry=_registry(lab),
        haproxy_image=_haproxy_image() if lab else "",
        path=os.pathsep.join([lab["PATH"], path]) if lab else path,
        may_change=options.may_change,
    )


def _registry(lab: dict[str, str]) -> str:
    """The model mirror, under the name that the lab's own Ollama has for it."""
    own = f"http://127.0.0.1:{local_ollama.port()}"
    return services.HOST if lab.get("OLLAMA_HOST") == own else ""


def _haproxy_image() -> str:
    """The lab's own HAProxy, where the engine has it."""
    reference = catalog.load().image("haproxy").reference
    with suppress(LabError):  # no engine here, or another user's
        if docker.inspect("image", reference):
            return reference
    return ""


def table(found: list[runner.Row]) -> Table:
    """The rows for people."""
    return Table(
        ["", "FACT", "OF", "ASKED", "SEEN WITH", "RESULT"],
        [
            [
                SIGNS[row.verdict],
                row.fact.id,
                row.fact.of,
                row.version,
                ", ".join(row.fact.seen),
                row.verdict if row.verdict != runner.NOT_ASKED else f"{row.verdict}: {row.saw}",
            ]
            for row in found
        ],
    )


def details(found: list[runner.Row]) -> str:
    """What was seen, of each row that differs."""
    return "".join(
        f"{row.fact.id}: {row.fact.says}\nsaw: {row.saw}\n\n"
        for row in found
        if row.verdict == runner.DIFFERS
    )


def summary(found: list[runner.Row]) -> str:
    """How many of each.

    >>> summary([])
    '0 facts'
    """
    count = Counter(row.verdict for row in found)
    told = [f"{count[verdict]} {verdict}" for verdict in SIGNS if count[verdict]]
    return f"{len(found)} facts{': ' if told else ''}{', '.join(told)}"


def code(found: list[runner.Row]) -> int:
    """The exit code: a clear no, or that nothing could be asked."""
    verdicts = {row.verdict for row in found}
    if runner.DIFFERS in verdicts:
        return NO
    return 0 if runner.AS_EXPECTED in verdicts else UNKNOWN


def _say(fact: entries.Fact | None) -> None:
    text = f"asking {fact.id} …" if fact else ""
    print(f"\r{text[:78]:78}\r", end="", file=sys.stderr, flush=True)


def _quiet(_: entries.Fact) -> None:
    return
