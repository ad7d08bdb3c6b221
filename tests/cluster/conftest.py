"""The running lab, and a shell in it as a learner has one after `eval "$(./lab env)"`."""

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.bringup import cluster, diagnose

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:  # all that pytest collects, not this folder's alone
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("cluster")


def run(*words: str, timeout_s: float = 300, **options) -> subprocess.CompletedProcess[str]:
    """`./lab WORDS` from the clone, as a user runs it."""
    return _done([ROOT / "lab", *words], timeout_s, **options)


def _done(command: list, timeout_s: float, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout_s,
        check=False,
        **options,
    )


@pytest.fixture(scope="session")
def lab() -> Run:
    """Runs `./lab`; the lab is up when the first test begins."""
    done = run("up", "--yes", timeout_s=5400)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


@pytest.fixture(scope="session")
def shell(lab: Run) -> Run:
    """Runs lines in bash with the lab's exports, on a terminal where `terminal` says so."""

    def in_shell(
        lines: str, *, code: int | None = 0, timeout_s: float = 120, terminal: bool = False
    ):
        # in two steps: without exports kubectl would act on the user's own cluster
        script = f'exports=$({ROOT}/lab env)\neval "$exports"\n{lines}'
        command = ["bash", "-e", "-o", "pipefail", "-c", script]
        if terminal:  # a real one of 80 columns, as `kubectl run -it` wants
            inside = f"stty columns 80 rows 24; {shlex.join(command)}"
            command = ["script", "--quiet", "--return", "--command", inside, os.devnull]
        done = _done(command, timeout_s)
        if code is not None:
            assert done.returncode == code, f"{lines}\n{done.stdout}\n{done.stderr}"
        return done

    return in_shell


@pytest.fixture
def empty(shell: Run) -> Iterator[None]:
    """The learner's namespace without Pods, Deployments and Services, before and after."""
    clean = "kubectl delete deployment,service,pod,pvc --all --now >/dev/null"
    shell(clean)
    yield
    shell(clean)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """On failure the report shows events, Pods and logs as they are at that moment."""
    report = yield
    if report.failed and report.when == "call" and cluster.ours():
        report.sections.append(("the lab", diagnose.report()))
    return report
