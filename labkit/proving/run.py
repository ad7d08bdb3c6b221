"""Runs notebooks in the lab: `python -m labkit.proving.run notebooks/*.ipynb`.

Two at a time, each whole in one process (`--dist loadfile`), because its cells need each
other; those whose first cell is tagged `alone` afterwards, with nothing beside them. Not
with pytest's -x: a failing cell ends its own notebook, and one run tells of all of them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat

from labkit.bringup import shell
from labkit.proving import executed, namespace
from labkit.proving.plugin import tags

WORKERS = 2  # a notebook mostly waits for the cluster; more would measure each other
_PYTEST = [sys.executable, "-P", "-m", "pytest", "-p", "labkit.proving.plugin", "--nbval-lax"]
_PYTEST += ["--nbval-current-env", "--quiet", "--durations=3", "--strict-markers", "-rfE"]


def main(words: list[str]) -> int:
    """Run the notebooks in these files and folders; pytest's worst exit code, 0 for all well."""
    files = found(words)
    alone = [file for file in files if is_alone(file)]
    together = [file for file in files if file not in alone]
    for file in files:  # what an earlier run left must not pass for this one's
        (executed.folder() / file.name).unlink(missing_ok=True)
    codes = []
    if together:
        spread = ["-n", str(min(WORKERS, len(together))), "--dist", "loadfile"]
        codes.append(_run([*(spread if len(together) > 1 else []), *map(str, together)]))
    for file in alone:
        namespace.wait_until_gone()  # Pods that still end are not nothing
        codes.append(_run([str(file)]))
    print(table(files), flush=True)
    return max(codes)


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
    return shell.attached([*_PYTEST, *words], env=env)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
