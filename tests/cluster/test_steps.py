"""A tour through all steps: each one's start fails its check, its end passes, a mistake fails."""

import time
from collections import Counter

import pytest

from labkit.errors import CheckFailed
from labkit.kube import session
from labkit.lessons import checks, steps
from labkit.lessons.reset import goto
from labkit.setup.cluster import labs
from labkit.setup.host import paths, speed

FOLDERS = sorted(folder.name for folder in paths.k8s("steps").iterdir())
BARE = {  # as the lesson types them
    "00-mine",
    "00-pod",
    "02-typo",
    "03-deployment",
    "07-parallel",
}
# those that take longest begin first
NOTEBOOKS = [name for name, _ in Counter(step.notebook for step in steps.STEPS).most_common()]
CHECK_S = 2.0


def fails(step: str, timeout_s: float = 0.0) -> CheckFailed:
    """The check's error; a mistake may take its time to show."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            verdict = checks.check(step, timeout_s=0)
        except CheckFailed as error:
            return error
        assert time.monotonic() < deadline, f"the check passes: {verdict}"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_each_step_fails_at_its_start_passes_when_solved_and_fails_after_a_mistake(notebook, seat):
    for step in steps.STEPS:
        if step.notebook != notebook:
            continue
        goto.goto(step.id)
        error = fails(step.id)
        assert step.ladder.question in error.hint
        assert error.verdict.look
        goto.bring(session.current(), step.state, f"solve {step.id}")
        verdict = checks.check(step.id, timeout_s=speed.deadline(20))
        assert verdict.passed
        again = checks.check(step.id, timeout_s=0)
        assert min(verdict.waited_s, again.waited_s) <= speed.deadline(CHECK_S)
        seat.run(step.mistake)
        fails(step.id, timeout_s=speed.deadline(30))


def test_all_steps_are_asked_once_in_fifteen_seconds(seat):
    goto.goto("04-scale/houston")
    begun = time.monotonic()
    found = checks.ask()
    assert time.monotonic() - begun <= speed.deadline(15)
    assert [verdict.step for verdict in found] == [step.id for step in steps.STEPS]
    assert {verdict.step for verdict in found if verdict.passed} >= {
        "03-service/right-port",
        "04-scale/three",
    }
    assert all(verdict.passed is not None for verdict in found)


@pytest.fixture(scope="module")
def warned(twins):
    """The namespace of printed lines, which no other test asks, warns as for `restricted`."""
    label = "pod-security.kubernetes.io/warn={}"
    words = ("label", "--overwrite", "namespace", twins.theirs)
    labs.Lab().kubectl(*words, label.format("restricted"))
    yield
    labs.Lab().kubectl(*words, label.format("baseline"))


@pytest.mark.usefixtures("warned")
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_but_the_bare_ones_is_fit_for_a_restricted_namespace(twins, folder):
    file = paths.k8s("steps", folder)
    done = twins.line(f"$ kubectl apply --dry-run=server --filename {file}\n")
    assert done.returncode == 0, done.stderr
    assert ("would violate PodSecurity" in done.stderr) == (folder in BARE)
