"""The load engine next to its peers: eight figures, each a table and the goals it meets or misses.

    python bench/load/run.py                       all of them, about an hour
    python bench/load/run.py accuracy cpu          some of them
    python bench/load/run.py accuracy --streams 64 --client labkit --client hey
    python bench/load/run.py memory --minutes 10   the long run as well
    python bench/load/run.py --quick               does everything run? Its figures mean nothing

The server has one core, the client another: nothing else should run meanwhile.
The Python that runs this runs the engine, too: one that was built without profile-guided
optimization (pyenv's, unless told) needs a tenth to a quarter more CPU.
Peers are installed first (peers.py); what cannot be had is said below the table.
"""

import argparse
import signal
import sys

import accuracy
import cost
import measuring
import memory
import open_loop
import scale
import start
from comparing import Options

from labkit.errors import LabError

FIGURES = {
    "accuracy": accuracy.measure,
    "cpu": cost.paced,
    "throughput": cost.fast,
    "tiny": cost.tiny,
    "memory": memory.measure,
    "start": start.measure,
    "open-loop": open_loop.measure,
    "scale": scale.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("figures", nargs="*", metavar="figure", help=", ".join(FIGURES))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--client", action="append", default=[], metavar="NAME")
    parser.add_argument("--streams", type=int, action="append", default=[])
    parser.add_argument("--minutes", type=float, default=0)
    asked = parser.parse_args()
    unknown = set(asked.figures) - set(FIGURES)
    if unknown:
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    names, streams = tuple(asked.client), tuple(asked.streams)
    options = Options(asked.repetitions, asked.quick, names, streams, asked.minutes)
    missed = 0
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # ends the client too
    try:
        measuring.require_cores()
        print(f"Python {sys.version.split()[0]}, {sys.executable}\n")
        for name in asked.figures or FIGURES:
            figure = FIGURES[name](options)
            print(figure, flush=True)
            missed += sum(goal.met is False for goal in figure.goals)
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{missed} goals missed" if missed else "every goal that was measured is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
