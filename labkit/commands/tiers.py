"""The tiers of `./lab test`: their commands, and their budgets on the reference machine.

| tier | budget | what |
|---|---|---|
| `quick` | 4 min | lint, types, unit tests, documents, the wheel; needs no cluster |
| `build` | 42 min | `./lab up`, from empty caches; before the first tier that needs the lab |
| `cluster` | 8 min | the deck's commands, and labkit's verbs, on the running lab |
| `metrics` | 5 min | load from Pods, Prometheus and its alerts, the proxy before Ollama |
| `notebooks` | 20 min | each in a namespace of its own, by nbval; 05 and 07 on 0.4 of each core |
| `steps` | 8 min | a tour through all steps, goto and reset from any state, the classic mistakes |
| `browser` | 3 min | JupyterLab in a real browser |

`long` is run by hand and is not part of all tiers: two labs reset at once, values and manifests by
chance against the real helm and kubectl (`tests/properties.py`), each notebook by Run All in a
browser, a newcomer in 00 to 05, a load test's bounds in 40 runs that are disturbed on purpose, goto
from any step to any other, and random walks with faults between (`python tests/long.py --help`).

The budgets of all tiers fit into CI's 90 minutes. On another machine they follow its measure. A
tier over its budget is warned of and never fails for it: machines are noisy.
"""

from __future__ import annotations

import sys
from pathlib import Path

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

_ROOT = Path(__file__).resolve().parents[2]
_PYTHON = [sys.executable, "-P", "-m"]
_LINT_IMPORTS = str(Path(sys.executable).with_name("lint-imports"))
PYTEST = [*_PYTHON, "pytest"]
NOTEBOOKS = [*_PYTHON, "labkit.jupyter.run"]
# with nothing beside them: those that ask the lab's Ollama all, stop, kill or replace the lab
_LIFE = [f"tests/cluster/test_{name}.py" for name in ("facts", "faults", "life")]
_STEPS = [f"tests/cluster/test_{name}.py" for name in ("steps", "states")]
# each with nothing beside it: several mistakes at a time, and those that stop a part of the lab
_MISTAKES = [
    f"tests/cluster/test_{name}.py" for name in ("mistakes", "situations", "outages", "restart")
]
# they count what one server was asked, and measure: each with nothing beside it
_METRICS = [
    f"tests/cluster/test_{name}.py" for name in ("alerts", "load", "passing", "prometheus", "proxy")
]
# of the load engine's those that run it: they measure, each with nothing beside it. The others
# compute alone, and do so beside all else
_COMPUTE = "fuzz histogram options plan properties report result schedule wire".split()
_LOAD = [
    name
    for name in (f"tests/load/{file.name}" for file in sorted(_ROOT.glob("tests/load/test_*.py")))
    if name not in [f"tests/load/test_{stem}.py" for stem in _COMPUTE]
]
_TWO_LABS = ["tests/cluster/test_two_labs.py"]
# the tier `build` has just run `up`: each process looks whether that is so still
_ON_THE_LAB = [*PYTEST, "--lab-is-up", "--durations=8"]
# those that build, pull and measure most are proved with 0.4 of each core
_ON_A_SLOW_MACHINE = ["notebooks/05-models-everywhere.ipynb", "notebooks/07-load.ipynb"]
_AT_FULL_SPEED = [
    name
    for name in (f"notebooks/{file.name}" for file in sorted(_ROOT.glob("notebooks/*.ipynb")))
    if name not in _ON_A_SLOW_MACHINE
]

COMMANDS = {
    "quick": [
        [*_PYTHON, "ruff", "check"],
        [*_PYTHON, "ruff", "format", "--check"],
        # who may import whom: pyproject.toml has the contracts, ARCHITECTURE.md draws them
        [sys.executable, "-u", "-P", _LINT_IMPORTS, "--no-cache"],
        # strict, over what pyproject.toml lists
        [*_PYTHON, "mypy"],
        [*_PYTHON, "labkit.jupyter.lint", "notebooks"],
        # tests/ for the tests, labkit/ and tools/ for the examples in their docstrings; two files
        # at a time, but for those that measure
        [
            *[*PYTEST, "--numprocesses=2", "--dist=loadfile", "--doctest-modules"],
            *[f"--ignore={name}" for name in ("tests/cluster", "tests/browser", *_LOAD)],
            *["tests", "labkit", "tools"],
        ],
        [*PYTEST, *_LOAD],
    ],
    "build": [[*_PYTHON, "labkit", "up", "--yes"]],
    "cluster": [
        # two files at a time: most of a test is waiting for the cluster
        [
            *[*_ON_THE_LAB, "--numprocesses=2", "--dist=loadfile"],
            *[f"--ignore={file}" for file in (*_LIFE, *_METRICS, *_STEPS, *_MISTAKES, *_TWO_LABS)],
            "tests/cluster",
        ],
        [*_ON_THE_LAB, *_LIFE],
    ],
    "metrics": [[*_ON_THE_LAB, *_METRICS]],
    "notebooks": [
        [*NOTEBOOKS, *_AT_FULL_SPEED],
        [*NOTEBOOKS, "--cpu", "0.4", *_ON_A_SLOW_MACHINE],
    ],
    # their tests do not need each other, and each worker has a namespace of its own
    "steps": [
        [*_ON_THE_LAB, "--numprocesses=3", "--dist=load", "--maxschedchunk=1", *_STEPS],
        [*_ON_THE_LAB, *_MISTAKES],
    ],
    "browser": [[*PYTEST, "tests/browser"]],
    "long": [
        [*NOTEBOOKS, *_ON_A_SLOW_MACHINE],  # at full speed
        [*PYTEST, "-s", *_TWO_LABS],
        [sys.executable, "-u", "-P", "tests/properties.py"],
        [*PYTEST, "tests/browser/every_notebook.py"],
        [*PYTEST, "tests/browser/every_newcomer.py"],
        [*PYTEST, "tests/load/every_bound.py"],
        [sys.executable, "-u", "-P", "tests/long.py"],
    ],
}


def chosen(words: list[str]) -> list[str]:
    """The tiers that run, in order: the named ones, or all; `build` before those on the lab.

    >>> chosen(["steps", "quick"])
    ['quick', 'build', 'steps']
    """
    names = [name for name in (*WORDS, *BY_HAND) if name in words] if words else list(WORDS)
    on_lab = [name for name in names if name != "quick"]
    return [*[name for name in names if name == "quick"], *(["build"] if on_lab else []), *on_lab]


def at_full_speed(command: list[str]) -> list[str]:
    """The same without `--cpu SHARE`."""
    at = command.index("--cpu")
    return command[:at] + command[at + 2 :]


def alone(command: list[str], file: str) -> list[str]:
    """The command that runs this one file of a command's tests or notebooks, once more."""
    if command[: len(NOTEBOOKS)] != NOTEBOOKS:
        return [*PYTEST, file]
    words = command[len(NOTEBOOKS) :]
    return [*NOTEBOOKS, *(words[:2] if words[0] == "--cpu" else []), file]
