"""What does labkit's notebook runner cost, next to stock nbval?

Runs the same two notebooks, of one cell and of many, with and without the plugin, in turn.
Needs the running lab: a namespace for each notebook is part of the cost.

    python bench/harness.py         seconds per notebook, milliseconds per cell
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

MANY = 200
STOCK = [sys.executable, "-P", "-m", "pytest", "--quiet", "--nbval-lax", "--nbval-current-env"]
WAYS = {"stock nbval": STOCK, "labkit": [*STOCK, "-p", "labkit.jupyter.plugin"]}


def timed(way: str, folder: str, name: str) -> float:
    env = {k: v for k, v in os.environ.items() if k != "LAB_PROVING_PID"}
    words = [*WAYS[way], "-p", "no:cacheprovider", f"{name}.ipynb"]
    begun = time.perf_counter()
    subprocess.run(words, cwd=folder, env=env, check=True, capture_output=True, timeout=300)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    took: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, count in (("one", 1), ("many", MANY)):
            cells = [new_code_cell(f"{number} + 1") for number in range(count)]
            nbformat.write(new_notebook(cells=cells), Path(folder) / f"{name}.ipynb")
        for _ in range(repeat):
            for name in ("one", "many"):
                for way in WAYS:
                    took.setdefault((way, name), []).append(timed(way, folder, name))
    best = {key: statistics.median(found) for key, found in took.items()}
    print(f"median of {repeat}    one cell   per cell of {MANY}")
    cost = {}
    for way in WAYS:
        one, each = best[way, "one"], (best[way, "many"] - best[way, "one"]) / (MANY - 1)
        cost[way] = one, each
        print(f"{way:14} {one:8.2f} s {each * 1000:10.2f} ms")
    (stock, stock_each), (ours, ours_each) = cost.values()
    print(f"{'added':14} {ours - stock:8.2f} s {(ours_each - stock_each) * 1000:10.2f} ms")
    print(f"{'ratio':14} {ours / stock:8.2f}   {ours_each / stock_each:10.2f}")


if __name__ == "__main__":
    main()
