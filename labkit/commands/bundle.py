"""`./lab bundle`: saves the workshop to one file, compares a bundle with its list, prints it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path

from labkit.bundle import check, repair, save, serve, source
from labkit.bundle.layout import Contents
from labkit.commands.exit_codes import NO
from labkit.errors import Unsupported
from labkit.setup.host import lock, progress


def command(options: argparse.Namespace) -> int:
    """Run one of its words; the exit code."""
    words = {"save": _save, "verify": _verify, "list": _list, "serve": _serve}
    return words[options.action](options)


def _save(options: argparse.Namespace) -> int:
    target = Path(options.where).expanduser().absolute()
    pythons = tuple(sorted(set(options.python), key=_number)) or save.PYTHONS
    unknown = sorted(set(pythons) - set(save.PYTHONS))
    if unknown:
        raise Unsupported(
            f"the lab does not run on Python {unknown[0]}",
            f"--python {unknown[0]}",
            f"one of {', '.join(save.PYTHONS)}",
        )
    if target.is_dir() or "://" in options.where:
        raise Unsupported(
            "a bundle is saved to a file", options.where, "./lab bundle save workshop.lab"
        )
    with progress.Reporter() as reporter, lock.held(reporter):
        contents = save.save(target, reporter, pythons)
    size = target.stat().st_size
    if options.output == "json":
        print(json.dumps({"file": str(target), "size": size, "parts": contents.size}, indent=1))
        return 0
    print(f"\n{target}: {size / 1e6:.0f} MB, {len(contents.parts)} parts")
    print(
        f"  {size / contents.size:.3f} × the {contents.size / 1e6:.0f} MB of its parts, each once"
    )
    for line in _summary(contents):
        print(line)
    print(f"\nOn another machine: tar -xOf {target.name} labkit.tar.gz | tar -xz && cd labkit")
    print(f"                    ./lab up --bundle ../{target.name}")
    return 0


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]


def _summary(contents: Contents) -> list[str]:
    """Each kind of part: how many, and how large."""
    parts = sorted(contents.parts, key=lambda part: part.kind)
    rows = [(kind, list(group)) for kind, group in groupby(parts, key=lambda part: part.kind)]
    rows.sort(key=lambda row: -sum(part.size for part in row[1]))
    return [
        f"  {len(group):4} × {kind:9}{sum(part.size for part in group) / 1e6:8.1f} MB"
        for kind, group in rows
    ]


def _verify(options: argparse.Namespace) -> int:
    bundle = source.opened(options.where, options.code)
    found = list(check.every_damage(bundle))
    if found and options.repair:
        repaired = repair.repair(bundle, found, source.opened(options.repair, options.code))
        print(f"repaired: {', '.join(repaired)}", file=sys.stderr)
        found = list(check.every_damage(bundle))
    if options.output == "json":
        told = {"whole": not found, "damaged": [str(one) for one in found], "made": bundle.made}
        print(json.dumps(told, indent=1))
        return NO if found else 0
    if found:
        for one in found:
            print(f"damaged: {one}")
        raise check.damaged(bundle, found)
    count, size = len(bundle.contents.parts), bundle.contents.size / 1e6
    print(f"{bundle.where} is whole: {count} parts, {size:.0f} MB, saved {bundle.made}")
    return 0


def _list(options: argparse.Namespace) -> int:
    bundle = source.opened(options.where, options.code)
    contents = bundle.contents
    if options.output == "json":
        print(json.dumps({"made": bundle.made, **asdict(contents)}, indent=1))
        return 0
    print(f"labkit {contents.labkit} for {contents.target}, saved {bundle.made}")
    print(f"Kubernetes {contents.kubernetes}, Ollama {contents.ollama}")
    print(f"packages for Python {', '.join(contents.pythons)}\n")
    for part in contents.parts:
        size = f"{part.size / 1e6:.1f} MB"
        print(f"{size:>10}  {part.sha256[:12]}  {part.kind:8} {part.name}  [{part.licence}]")
    print()
    for line in _summary(contents):
        print(line)
    return 0


def _serve(options: argparse.Namespace) -> int:
    file = Path(options.where).expanduser().absolute()
    if not options.address:
        raise Unsupported(
            "a bundle is served at an address that you choose",
            "--address is missing",
            f"./lab bundle serve {options.where} --address ADDRESS # hostname -I lists them",
        )
    bundle = source.opened(str(file))  # a folder needs no server of ours
    if not bundle.source.is_file:
        raise Unsupported("serve takes a bundle's file", options.where, "python3 -m http.server")
    server = serve.Server(file, options.address, options.port, at_once=options.at_once)
    print(f"serving {file.name}, saved {bundle.made}, until Ctrl-C. On each laptop:")
    served = replace(bundle, where=server.url, source=source.Web(server.url, server.code))
    print(f"  {source.how_to_unpack(served)} && cd labkit")
    print(f"  ./lab up --bundle {server.url} --code {server.code}", flush=True)
    serve.run(server, lambda line: print(line, flush=True))
    return 0
