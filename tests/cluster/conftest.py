"""The running lab, and a shell in it as a learner has one after `eval "$(./lab env)"`."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from labkit.jupyter import namespace
from labkit.kube import session
from labkit.learner import passed
from labkit.setup.cluster import diagnostics, environment, kind, labs
from labkit.setup.host import speed

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    text = (
        "./lab test has brought the lab up: look whether it is so, in place of one `up` a process"
    )
    parser.addoption("--lab-is-up", action="store_true", help=text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:  # all that pytest collects, not this folder's alone
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("cluster")


def run(*words: str, timeout_s: float = 300, **options) -> subprocess.CompletedProcess[str]:
    """`./lab WORDS` from the clone, as a user runs it."""
    return _done([ROOT / "lab", *words], timeout_s, **options)


def _done(command: list, timeout_s: float, *, terminal: bool = False, **options):
    """Runs it; on a real terminal of 80 columns, as `kubectl run -it` wants one, if so told."""
    stdin = subprocess.DEVNULL
    if terminal:
        inside = f"stty columns 80 rows 24; {shlex.join(map(str, command))}"
        command = ["script", "--quiet", "--return", "--command", inside, os.devnull]
        # nobody types, and nobody leaves either: an end of input would end the session
        stdin, typing = os.pipe()
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            stdin=stdin,
            timeout=speed.deadline(timeout_s),
            check=False,
            **options,
        )
    finally:
        if terminal:
            os.close(stdin)
            os.close(typing)


@pytest.fixture(scope="session")
def lab(request) -> Run:
    """Runs `./lab`; the lab is up when the first test begins."""
    if not (request.config.getoption("--lab-is-up") and run("status").returncode == 0):
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
        done = _done(command, timeout_s, terminal=terminal)
        if code is not None:
            assert done.returncode == code, f"{lines}\n{done.stdout}\n{done.stderr}"
        return done

    return in_shell


class Twins(NamedTuple):
    """Two namespaces of the lab: verbs act in the first, the lines they print in the second."""

    ours: str
    theirs: str

    def kubectl(self, namespace: str, *words: str, **options) -> str:
        return labs.Lab().kubectl("--namespace", namespace, *words, **options)

    def environment(self, namespace: str) -> dict[str, str]:
        """What lab.start(namespace) makes of this process's environment, for another one."""
        values = environment.variables()
        path = os.pathsep.join([values["PATH"], os.environ["PATH"]])
        config = labs.Lab().kubeconfig_in(namespace)
        own = {"PATH": path, "KUBECONFIG": str(config), "LAB_NAMESPACE": namespace}
        own["LAB_WORK"] = os.devnull  # a folder that is none: nothing is kept of what a test passes
        return {**os.environ, **values, **own}

    def line(self, printed: str, *, terminal: bool = False, timeout_s: float = 120):
        """Runs the lines after `$` of what a verb printed, in the second namespace."""
        found = re.findall(r"^\$ ((?:.*\\\n)*.*)$", printed, re.MULTILINE)
        assert found, printed
        command = ["bash", "-e", "-c", "\n".join(found)]
        return _done(command, timeout_s, terminal=terminal, env=self.environment(self.theirs))


@pytest.fixture(scope="module")
def twins(lab: Run, request) -> Iterator[Twins]:
    names = [namespace.make(Path(f"{request.path.stem}-{word}")) for word in ("a", "b")]
    try:
        with pytest.MonkeyPatch.context() as patch:
            made = Twins(*names)
            values = made.environment(names[0])
            config = Path(values["KUBECONFIG"])
            patch.setattr(session, "_current", session.Session(names[0], "", config))
            patch.setenv("OLLAMA_HOST", values["OLLAMA_HOST"])
            # what a test passes is not the learner's
            patch.setattr(passed, "keep", lambda *step: True)
            yield made
    finally:
        namespace.remove(*names)


class Seat:
    """A namespace, and a learner's terminal in it."""

    def __init__(self, twins):
        self.name, self.env = twins.ours, twins.environment(twins.ours)

    def run(self, lines: str, *, code: int | None = 0, timeout_s: float = 90) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", lines],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=speed.deadline(timeout_s),
            check=False,
        )
        assert code is None or done.returncode == code, f"{lines}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def until(self, line: str, text: str, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + speed.deadline(timeout_s)
        while text not in (said := self.run(line, code=None)):
            assert time.monotonic() < deadline, f"{line}: {said}"
            time.sleep(0.2)

    def lab(self, *words: str, terminal: int = subprocess.DEVNULL) -> subprocess.Popen:
        """`./lab WORDS`; where there is a `terminal`, a person sits at it."""
        command = [sys.executable, "-P", "-m", "labkit", *words]
        stdout = subprocess.PIPE if terminal == subprocess.DEVNULL else terminal
        pipes = {"stdout": stdout, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=self.env, stdin=terminal, **pipes)


@pytest.fixture(scope="module")
def seat(twins):
    made = Seat(twins)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.env.items():
            patch.setenv(name, value)
        yield made


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
    if report.failed and report.when == "call" and kind.ours():
        report.sections.append(("the lab", diagnostics.report()))
    return report
