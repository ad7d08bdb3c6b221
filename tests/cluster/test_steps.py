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

_FORGET = "kubectl exec {} -- ollama rm $MODEL"
_IMAGE = "kubectl set image deployment/ollama ollama=ollama/olama"
_SELECTOR = "kubectl set selector service ollama app=olama"
_POD = "$(kubectl get pods -l app=ollama -o name | head -1)"
MISTAKES = {
    "00-start/run": "kubectl delete pod ollama --now",
    "00-start/pull": _FORGET.format("ollama"),
    "00-start/your-turn": _FORGET.format("mine"),
    "01-ollama/run": "ollama rm $MODEL",
    "01-ollama/unload": "ollama run $MODEL hello",
    "01-ollama/your-turn": "ollama stop $MODEL",
    "02-pod/run": "kubectl set image pod/ollama ollama=ollama/olama",
    "02-pod/answer": _FORGET.format("ollama"),
    "02-pod/again": "kubectl exec ollama -- ollama pull --insecure $MODEL",
    "02-pod/your-turn": "kubectl set image pod/typo typo=ollama/olama",
    "03-service/deployment": _IMAGE,
    "03-service/endpoints": _SELECTOR,
    "03-service/right-port": """kubectl patch service ollama \
        -p '{"spec": {"ports": [{"port": 11434, "targetPort": 11343}]}}'""",
    "03-service/pulled": _FORGET.format("deployment/ollama"),
    "03-service/answers": _SELECTOR,
    "04-scale/one": _FORGET.format("deployment/ollama"),
    "04-scale/three": "kubectl scale deployment ollama --replicas 2",
    "04-scale/houston": "kubectl delete pods -l app=ollama --now",
    "04-scale/your-turn": _FORGET.format(_POD),
    "04-scale/again": "kubectl scale deployment ollama --replicas 3",
    "05-models-everywhere/model": """kubectl patch configmap model -p '{"data": {"MODEL": "x"}}'""",
    "05-models-everywhere/baked": "kubectl set image deployment/ollama ollama=lab/ollama-backed",
    "05-models-everywhere/by-hand": _FORGET.format("deployment/ollama"),
    "05-models-everywhere/hook-race": "kubectl delete deployment ollama --cascade=foreground",
    "05-models-everywhere/hook": _FORGET.format("deployment/ollama"),
    "05-models-everywhere/init": _IMAGE,
    "05-models-everywhere/sidecar": "kubectl scale deployment ollama --replicas 2",
    "05-models-everywhere/store": "kubectl scale deployment ollama --replicas 2",
    "05-models-everywhere/your-turn": _FORGET.format("deployment/ollama"),
    "06-helm/installed": "kubectl set selector service ollama app=olama",
    "06-helm/changed": "helm upgrade ollama ollama --repo $CHARTS --reuse-values",
    "06-helm/your-turn": "kubectl scale deployment ollama --replicas 1",
    "07-load/ready": _FORGET.format("deployment/ollama"),
    "07-load/your-turn": "kubectl set env deployment/ollama OLLAMA_NUM_PARALLEL=1",
    "07-load/under-200": "kubectl delete pods -l app=ollama --now",
    "08-metrics/proxy": _SELECTOR,
    "08-metrics/front": "kubectl scale deployment front --replicas 0",
    "08b-problems/ready": "kubectl scale deployment ollama --replicas 1",
    "08b-problems/first": f"kubectl exec {_POD} -c ollama -- ollama rm $MODEL",
    "08b-problems/second": "kubectl set resources deployment ollama -c ollama --limits cpu=100m",
    "08b-problems/third": "kubectl exec deployment/ollama -c ollama -- ollama stop $MODEL",
    "10-troubleshoot/hunt": _SELECTOR,
}


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
        seat.run(MISTAKES[step.id])
        fails(step.id, timeout_s=speed.deadline(30))


def test_every_step_has_a_mistake_and_there_are_enough_of_both_steps_and_starts():
    assert list(MISTAKES) == [step.id for step in steps.STEPS]
    assert len(steps.STEPS) >= 20
    assert len({str(steps.before(step)) for step in steps.STEPS}) >= 12


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


@pytest.fixture
def warned(twins):
    """The namespace of printed lines warns of what `restricted` would reject."""
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


def test_every_folder_is_in_the_state_of_a_step():
    assert {folder for step in steps.STEPS for folder in step.state.folders} == set(FOLDERS)
