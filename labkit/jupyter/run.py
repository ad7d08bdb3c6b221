"""Runs notebooks in the lab: `python -m labkit.jupyter.run notebooks/*.ipynb`.

Two at a time, each whole in one process (`--dist loadfile`), because its cells need each
other; those whose first cell is tagged `alone` afterwards, with nothing beside them. Not
with pytest's -x: a failing cell ends its own notebook, and one run tells of all of them.

`--cpu 0.4` before the notebooks leaves that share of each core to them and to the lab: they
have to pass on a slower machine too.
"""

from __future__ import annotations

import itertools
import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat

from labkit.errors import LabError, ToolMissing
from labkit.jupyter import executed, junit, namespace
from labkit.jupyter.limits import tags
from labkit.setup.host import cpu_share, shell

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2  # a notebook mostly waits for the cluster; more would measure each other
_PYTEST = [sys.executable, "-P", "-m", "pytest", "-p", "labkit.jupyter.plugin", "--nbval-lax"]
_PYTEST += ["--nbval-current-env", "--quiet", "--durations=3", "--strict-markers", "-rfE"]

_numbers = itertools.count(1)  # it starts pytest more than once


def main(words: list[str]) -> int:
    """Run the notebooks in these files and folders; 0 passed, 1 one failed, 2 could not tell."""
    share, words = (words[1:2], words[2:]) if words[:1] == ["--cpu"] else (["1"], words)
    with cpu_share.left(cpu_share.parsed(*share or [""])):
        return proved(found(words))


def proved(files: list[Path]) -> int:
    """The same for these files, on the machine as it is."""
    _check_tools()
    alone = [file for file in files if is_alone(file)]
    together = [file for file in files if file not in alone]
    for file in files:  # what an earlier run left must not pass for this one's
        (executed.folder() / file.name).unlink(missing_ok=True)
    codes = []
    if together:
        spread = ["-n", str(min(WORKERS, len(together))), "--dist", "loadfile"]
        codes.append(_run([*(spread if len(together) > 1 else []), *map(str, together)]))
    for file in alone:
        try:
            namespace.wait_until_gone()  # Pods that still end are not nothing
        except LabError as error:
            print(error, file=sys.stderr)
            continue  # it did not run
        codes.append(_run([str(file)]))
    codes += [2 for file in files if not (executed.folder() / file.name).exists()]
    print(table(files), flush=True)
    return junit.worst(codes)


def found(words: list[str]) -> list[Path]:
    """The notebooks that these files and folders hold, in order; ends the program on none."""
    files = []
    for word in words:
        path = Path(word)
        files += sorted(path.glob("*.ipynb")) if path.is_dir() else [path]
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        what = f"no file {missing[0]}" if missing else f"no notebooks in {' '.join(words) or '…'}"
        print(f"{what}; give notebooks, or folders of them", file=sys.stderr)
        raise SystemExit(2)
    return files


def _check_tools() -> None:
    missing = [name for name in ("nbval", "pytest", "xdist") if not find_spec(name)]
    if not missing:
        return
    install = [sys.executable, "-m", "pip", "install", "ollama-labkit[test]"]
    locked = ROOT / "requirements-test.txt"
    if locked.exists():  # in a clone; `./lab test` installs the same
        install[-1:] = ["--no-deps", "--require-hashes", "--requirement", str(locked)]
    raise ToolMissing(
        "notebooks are run by nbval, which learners do not need",
        f"{sys.executable} has no module {' '.join(missing)}",
        shlex.join(install),
    )


def is_alone(file: Path) -> bool:
    """Does its first cell have the tag `alone`?"""
    cells = nbformat.read(file, as_version=4).cells
    return bool(cells) and "alone" in tags(cells[0])


def table(files: list[Path]) -> str:
    """Seconds and outcome of each, from the executed copies."""
    lines = [f"executed notebooks are in {executed.folder()}/"]
    for file in files:
        copy = executed.folder() / file.name
        if not copy.exists():
            lines.append(f"  {'':>7}  {file.name}: did not run")
            continue
        facts = nbformat.read(copy, as_version=4).metadata["labkit"]
        outcome = f"failed in {facts['failed']}" if facts["failed"] else "passed"
        lines.append(f"  {facts['seconds']:>5.1f} s  {file.name}: {outcome}")
    return "\n".join(lines)


def _run(words: list[str]) -> int:
    print("$ pytest " + " ".join(words), flush=True)
    env = {**os.environ, "LAB_PROVING_PID": str(os.getpid())}  # whose run the namespaces are of
    wanted = env.pop(junit.ENV, "")
    options = junit.options(f"{wanted}-{next(_numbers)}") if wanted else []
    return shell.attached([*_PYTEST, *options, *words], env=env)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        print(error, file=sys.stderr)
        sys.exit(2)  # no verdict: 1 would say that a notebook failed
    except KeyboardInterrupt:
        sys.exit(130)
