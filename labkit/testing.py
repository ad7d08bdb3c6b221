"""`./lab test`: runs the tests tier by tier and compares each tier's time with its budget.

| tier | budget | what |
|---|---|---|
| `quick` | 4 min | lint, unit tests, documents, the wheel; needs no cluster |
| `build` | 42 min | `./lab up`, from empty caches; before the first tier that needs the lab |
| `cluster` | 8 min | the deck's commands, and labkit's verbs, on the running lab |
| `metrics` | 5 min | load from Pods, Prometheus and its alerts, the proxy before Ollama |
| `notebooks` | 20 min | every notebook in a namespace of its own, by nbval |
| `steps` | 8 min | a tour through all steps; goto and reset from anything; the classic mistakes |
| `browser` | 3 min | JupyterLab in a real browser |

`long` is run by hand and is no part of all tiers: two labs reset at once, goto from any step to any
other, and random walks with faults between (`python tests/long.py --help`).

The budgets of all tiers fit into CI's 90 minutes. A tier over its budget is warned of and never
fails for it: machines are noisy.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from labkit.bringup import shell
from labkit.errors import Unsupported

ROOT = Path(__file__).resolve().parents[1]

WORDS = ("quick", "cluster", "metrics", "notebooks", "steps", "browser")
BY_HAND = ("long",)
BUDGETS_S = {
    "quick": 4 * 60,
    "build": 42 * 60,
    "cluster": 8 * 60,
    "metrics": 5 * 60,
    "notebooks": 20 * 60,
    "steps": 8 * 60,
    "browser": 3 * 60,
    "long": 120 * 60,
}

_PYTHON = [sys.executable, "-P", "-m"]
_QUICK = (
    [*_PYTHON, "ruff", "check"],
    [*_PYTHON, "ruff", "format", "--check"],
    [*_PYTHON, "labkit.proving.lint", "notebooks"],
    # tests/ for the tests, labkit/ for the examples in its docstrings
    [
        *[*_PYTHON, "pytest", "--doctest-modules"],
        *["--ignore=tests/cluster", "--ignore=tests/browser", "tests", "labkit"],
    ],
)
_UP = [*_PYTHON, "labkit", "up", "--yes"]
# those that stop, kill and replace the lab: with nothing beside them
_LIFE = [f"tests/cluster/test_{name}.py" for name in ("faults", "life")]
_STEPS = [f"tests/cluster/test_{name}.py" for name in ("steps", "states")]
# each with nothing beside it: six mistakes at a time, and those that stop a part of the lab
_MISTAKES = [f"tests/cluster/test_{name}.py" for name in ("mistakes", "outages", "restart")]
# they count what one server was asked, and measure: each with nothing beside it
_METRICS = [
    f"tests/cluster/test_{name}.py" for name in ("alerts", "load", "passing", "prometheus", "proxy")
]
_TWO_LABS = ["tests/cluster/test_two_labs.py"]
_SLOWEST = "--durations=8"
_ON_LAB = {
    "cluster": [
        # two files at a time: most of a test is waiting for the cluster
        [
            *[*_PYTHON, "pytest", _SLOWEST, "--numprocesses=2", "--dist=loadfile"],
            *[f"--ignore={file}" for file in (*_LIFE, *_METRICS, *_STEPS, *_MISTAKES, *_TWO_LABS)],
            "tests/cluster",
        ],
        [*_PYTHON, "pytest", _SLOWEST, *_LIFE],
    ],
    "metrics": [[*_PYTHON, "pytest", _SLOWEST, *_METRICS]],
    "notebooks": [[*_PYTHON, "labkit.proving.run", "notebooks"]],
    # their tests do not need each other, and each worker has a namespace of its own
    "steps": [
        [
            *[*_PYTHON, "pytest", _SLOWEST, "--numprocesses=3"],
            *["--dist=load", "--maxschedchunk=1", *_STEPS],
        ],
        [*_PYTHON, "pytest", _SLOWEST, *_MISTAKES],
    ],
    "browser": [[*_PYTHON, "pytest", "tests/browser"]],
    "long": [[*_PYTHON, "pytest", "-s", *_TWO_LABS], [sys.executable, "-u", "-P", "tests/long.py"]],
}


class Tier(NamedTuple):
    """One tier that ran: its name, exit code 0 / 1 no / 2 could not tell, and seconds."""

    name: str
    code: int
    seconds: float


def main(words: list[str]) -> int:
    """Run the named tiers, all of them without a name; 0, 1 (failed) or 2 (could not tell)."""
    if not (ROOT / "tests").is_dir():
        raise Unsupported(
            "the tests are not here",
            f"no folder {ROOT / 'tests'}",
            "./lab test in a clone of the repository",
        )
    unknown = sorted(set(words) - {*WORDS, *BY_HAND})
    if unknown:
        known = ", ".join((*WORDS, *BY_HAND))
        raise Unsupported(f"no tier is called {unknown[0]}", f"tiers: {known}", "./lab test quick")
    chosen = [word for word in (*WORDS, *BY_HAND) if word in words] if words else list(WORDS)
    first = next((word for word in chosen if word in _ON_LAB), None)
    tiers: list[Tier] = []
    for word in chosen:
        for name in ("build", word) if word == first else (word,):
            if worst(tiers):
                _say(f"not run: {name}, because a tier before it failed")
                continue
            tiers.append(_timed(name, _body(name)))
    _say(table(tiers))
    return worst(tiers)


def _timed(name: str, body: Callable[[], int]) -> Tier:
    _say(f"\n== {name} (budget {BUDGETS_S[name] // 60} min)")
    begun = time.monotonic()
    code = body()
    seconds = time.monotonic() - begun
    if name == "build":
        # Made before this program could start, and part of what a cold start costs.
        seconds += float(os.environ.get("LAB_VENV_SECONDS", 0))
    return Tier(name, code, seconds)


def _quick() -> int:
    return max([_run(command) for command in _QUICK], key=_badness)


def _build() -> int:
    return _run_on_lab([_UP])


def _body(name: str) -> Callable[[], int]:
    if name in _ON_LAB:
        return lambda: _run_on_lab(_ON_LAB[name])
    return {"quick": _quick, "build": _build}[name]


def _run_on_lab(commands: list[list[str]]) -> int:
    """Runs them until one fails, which then says what the cluster says."""
    for command in commands:
        code = _run(command)
        if code:
            from labkit.bringup import diagnose

            _say(diagnose.report())
            return code
    return 0


def _run(command: list[str]) -> int:
    """The command's exit code as 0, 1 or 2; pytest's own codes from 2 on mean "no verdict"."""
    _say("$ " + " ".join(["python", *command[1:]]))
    code = shell.attached(command, cwd=ROOT)
    return code if code in (0, 1) else 2


def _badness(code: int) -> int:
    # A clear no outweighs "could not tell".
    return (0, 2, 1)[code]


def worst(tiers: list[Tier]) -> int:
    """The exit code of all tiers together.

    >>> worst([Tier("quick", 0, 40.0), Tier("build", 2, 3.0)])
    2
    """
    return max([tier.code for tier in tiers], key=_badness, default=0)


def table(tiers: list[Tier]) -> str:
    """Seconds and budget of each tier, and a warning for each one that is over.

    >>> print(table([Tier("quick", 0, 41.2), Tier("build", 1, 2600.0)]))
    tier       seconds   budget  result
    quick           41      240  passed
    build         2600     2520  failed
    total         2641     2760
    warning: build took 2600 s, its budget is 2520 s
    """
    results = ("passed", "failed", "could not tell")
    lines = ["tier       seconds   budget  result"]
    for name, code, seconds in tiers:
        lines.append(f"{name:<9}{seconds:9.0f}{BUDGETS_S[name]:9.0f}  {results[code]}")
    seconds = sum(tier.seconds for tier in tiers)
    lines.append(f"{'total':<9}{seconds:9.0f}{sum(BUDGETS_S[tier.name] for tier in tiers):9.0f}")
    for name, _, seconds in tiers:
        if seconds > BUDGETS_S[name]:
            lines.append(f"warning: {name} took {seconds:.0f} s, its budget is {BUDGETS_S[name]} s")
    return "\n".join(lines)


def _say(text: str) -> None:
    # Flushed, so that it stands before what the commands print.
    print(text, flush=True)
