"""`./lab test`: runs the tests tier by tier, and says at its end what became of each.

A tier that fails hides no other: all that can still run, runs. The tiers are in `tiers.py`, what
is said at the end in `tier_report.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from labkit.commands import tiers
from labkit.commands.tier_report import RESULTS, Run, Tier, budget_s, report
from labkit.errors import Unsupported
from labkit.jupyter import junit
from labkit.jupyter.junit import Case
from labkit.setup.host import cpu_share, shell, speed

ROOT = Path(__file__).resolve().parents[2]
TAIL = 10  # lines of a command that writes no JUnit file
SLOWER = 0.75  # of what it was at the tier's begin: what was past its limit is run once more


def main(words: list[str], cpu: str = "1") -> int:
    """Run the named tiers, all of them without a name; 0, 1 (failed) or 2 (could not tell).

    `cpu` is the share of each core that is left to them.
    """
    if not (ROOT / "tests").is_dir():
        raise Unsupported(
            "the tests are not here",
            f"no folder {ROOT / 'tests'}",
            "./lab test in a clone of the repository",
        )
    unknown = sorted(set(words) - {*tiers.WORDS, *tiers.BY_HAND})
    if unknown:
        known = ", ".join((*tiers.WORDS, *tiers.BY_HAND))
        raise Unsupported(f"no tier is called {unknown[0]}", f"tiers: {known}", "./lab test quick")
    share = cpu_share.parsed(cpu)
    with _alone(), cpu_share.left(share):
        ran: list[Tier] = []
        for name in tiers.chosen(words):
            is_up = all(tier.code == 0 for tier in ran if tier.name == "build")
            if name == "quick" or is_up:
                ran.append(_tier(name))
            else:
                ran.append(Tier(name, not_run="the lab did not come up"))
        machine = speed.words() + (f", with {share:g} of each core left" if share < 1 else "")
        _say("\n" + report(ran, machine))
    return junit.worst([tier.code for tier in ran])


@contextmanager
def _alone() -> Iterator[None]:
    """While the block runs no other ./lab test writes into the same artifacts."""
    artifacts().mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(artifacts("lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise Unsupported(
            "another ./lab test is at work in this clone",
            f"it holds {artifacts('lock')}",
            "wait for it, or run this one in a clone of its own",
        ) from None
    try:
        yield
    finally:
        lock.release()


def artifacts(*parts: str) -> Path:
    """Where the files of a run are kept: $LAB_ARTIFACTS, else `artifacts` in the repository."""
    return ROOT.joinpath(os.environ.get("LAB_ARTIFACTS") or "artifacts", *parts)


def _tier(name: str) -> Tier:
    tier = Tier(name)
    _say(f"\n== {name} (budget {budget_s(tier) / 60:.0f} min)")
    begun, present = time.monotonic(), speed.present()
    for number, command in enumerate(tiers.COMMANDS[name], 1):
        if "--cpu" in command and not cpu_share.allowed():
            command = tiers.at_full_speed(command)
            tier.notes.append("on whole cores, for want of the right to real-time priority")
        run = _ran(command, f"{name}-{number}")
        if run.code:
            _repeat(tier, run, command, present)
        if run.code and name != "quick":
            run.log = _ask_the_cluster(f"cluster-{name}-{number}.log")
        tier.runs.append(run)
    tier.seconds = time.monotonic() - begun
    if name == "build":
        # Made before this program could start, and part of what a cold start costs.
        tier.seconds += float(os.environ.get("LAB_VENV_SECONDS", 0))
    return tier


def _ran(command: list[str], name: str) -> Run:
    """Run a command; it passes when its exit code says so and its JUnit files too."""
    path = artifacts("junit", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in junit.files(path):  # what an earlier run left must not pass for this one's
        file.unlink()
    code, tail = _run(command, path)
    run = Run(" ".join(["python", *command[1:]]), code, tail=tail)
    if _writes_junit(command):
        cases = junit.read(path)
        run.cases = cases or []
        if code == 0 and not any(case.outcome != "skipped" for case in run.cases):
            run.code, run.tail = 2, [f"it ended well, and no test that ran is in {path}.xml"]
    if run.failed and run.code == 0:
        run.code = 1
    if run.code and not run.failed and not run.tail:
        run.tail = ["none of its tests failed; its output is above"]
    return run


def _run(command: list[str], path: Path) -> tuple[int, list[str]]:
    """The exit code as 0, 1 or 2, and the last lines of a command that writes no JUnit file.

    pytest's own codes from 2 on mean "no verdict".
    """
    _say("$ " + " ".join(["python", *command[1:]]))
    tail: list[str] = []
    if not _writes_junit(command):
        code, tail = shell.echoed(command, keep=TAIL, cwd=ROOT)
    elif _is_pytest(command):
        code = shell.attached([*command, *junit.options(path)], cwd=ROOT)
    else:
        code = shell.attached(command, cwd=ROOT, env={**os.environ, junit.ENV: str(path)})
    if code not in (0, 1):
        tail = [*tail, f"exit code {code}"]
    return code if code in (0, 1) else 2, tail


def _is_pytest(command: list[str]) -> bool:
    return command[: len(tiers.PYTEST)] == tiers.PYTEST


def _writes_junit(command: list[str]) -> bool:
    return _is_pytest(command) or command[: len(tiers.NOTEBOOKS)] == tiers.NOTEBOOKS


def _repeat(tier: Tier, run: Run, command: list[str], before: float) -> None:
    """Run once more the files that failed by their limits only, on a machine that became slower.

    `before` is what one thread got when the tier began. The limits stay what they were.
    """
    failed: dict[str, list[Case]] = {}
    for case in run.failed:
        failed.setdefault(case.file, []).append(case)
    late = [file for file, cases in failed.items() if all(case.past_limit for case in cases)]
    if not late:
        return
    now = speed.present() / before if before else 1.0
    if now >= SLOWER:
        return
    for number, file in enumerate(late, 1):
        again = _ran(tiers.alone(command, file), f"{tier.name}-{len(tier.runs) + 1}-again-{number}")
        if again.cases:
            run.cases = [case for case in run.cases if case.file != file] + again.cases
        how = f"machine at {now:.1f} of its measure"
        tier.notes.append(f"repeated: {Path(file).name} ({how}): {RESULTS[again.code]}")
        if again.code == 0:
            del failed[file]
    if not failed and run.code == 1:
        run.code = 0


def _ask_the_cluster(name: str) -> Path:
    from labkit.setup.cluster import diagnostics

    file = artifacts(name)
    file.write_text(diagnostics.report() + "\n")
    _say(f"the cluster's state: {file}")
    return file


def _say(text: str) -> None:
    # Flushed, so that it stands before what the commands print.
    print(text, flush=True)
