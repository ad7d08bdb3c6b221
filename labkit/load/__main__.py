"""`python -m labkit.load`: runs what the options say and prints the result."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

from labkit.load import descriptors, engine
from labkit.load.connection import Connection
from labkit.load.errors import LoadError
from labkit.load.options import USAGE, Options, parse
from labkit.load.plan import Plan
from labkit.load.progress import Progress
from labkit.load.result import Result
from labkit.load.targets import Targets

FAILED, INTERRUPTED, NOBODY_READS = 1, 130, 141
PROGRESS_S = 0.5
LOOK_S = 0.02


def main(words: list[str]) -> int:
    """Run the command line; its exit code."""
    try:
        options = parse(words)
        if options.help:
            print(USAGE, end="")
            return 0
        code = _run(options)
        sys.stdout.flush()
        return code
    except LoadError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read has gone; nothing is left to say, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS


def _run(options: Options) -> int:
    if options.output == "csv" and (options.processes > 1 or options.sweep):
        saw = "--sweep" if options.sweep else f"--processes {options.processes}"
        raise LoadError("rows of several runs cannot be told apart", f"-o csv {saw}", "-o json")
    if options.output == "html":
        raise LoadError(
            "the engine alone draws no page", "-o html", "./lab load -o html, or -o json"
        )
    targets = Targets(options.plan)
    targets.guard(options.owned)
    if options.realtime:
        descriptors.run_first()
    # how a Pod is told to end
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    start_at = options.start_at
    if isinstance(start_at, str):
        print('{"ready": true}', flush=True)
        start_at = _written(start_at)
    levels = options.sweep or [options.plan.clients]
    results = []
    for clients in levels:
        result = _level(options, options.plan.replace(clients=clients), start_at)
        results.append(result)
        if result.interrupted:
            break
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would lose the result
    _print(options, results)
    if any(result.interrupted for result in results):
        return INTERRUPTED
    return FAILED if any(result.failed for result in results) else 0


def _written(name: str) -> float:
    """The moment in a file that will be written; no limit: the parent process ends it."""
    try:
        while True:
            with suppress(FileNotFoundError), open(name, encoding="ascii") as file:  # noqa: PTH123
                text = file.read()
                if text.endswith("\n"):
                    return float(text)
            time.sleep(LOOK_S)
    except (OSError, ValueError) as error:
        raise LoadError("--start-at cannot take this file", f"{name}: {error}", "-h") from None


def _level(options: Options, plan: Plan, start_at: float | None) -> Result:
    told = _tell if options.progress else None
    if options.processes > 1:
        from labkit.load import workers

        return workers.run(plan, options.processes, told, start_at=start_at)
    row = None
    if options.output == "csv":
        from labkit.load.report import CSV_HEAD, csv_row

        print(CSV_HEAD)
        origin = time.monotonic_ns()

        def row(connection: Connection, end: int, kind: str) -> None:
            print(csv_row(connection, end, kind, origin))

    return engine.run(plan, told, PROGRESS_S, on_end=row, start_at=start_at)


def _tell(progress: Progress) -> None:
    import json

    print(json.dumps({"progress": progress._asdict()}), flush=True)


def _print(options: Options, results: list[Result]) -> None:
    if options.output == "json":
        if options.sweep:
            import json

            levels = [result.plain() for result in results]
            print(json.dumps({"schema": "labkit.load-sweep/1", "levels": levels}), flush=True)
        else:
            print(results[0].to_json(), flush=True)
    elif options.output == "text":
        from labkit.load import report

        print("\n\n".join(report.text(result) for result in results))
        if options.sweep:
            print("\n" + report.sweep(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
