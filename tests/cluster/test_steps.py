"""Each step's declared state: brought about in an empty namespace, its check passes."""

import pytest

from labkit import checks, making, manifests, ollama, steps, targets, verbs, waiting, workloads
from labkit import session as sessions
from labkit.bringup import paths

FOLDERS = sorted(folder.name for folder in paths.k8s("steps").iterdir())
BARE = {"00-mine", "00-pod", "02-typo", "03-deployment", "07-parallel"}  # as the lesson types them

# steps that leave the same state, together: it is brought about once
STATES: dict[tuple, list[steps.Step]] = {}
for step in steps.STEPS:
    if step.state:
        STATES.setdefault((step.state, step.replicas, step.pulled), []).append(step)


@pytest.fixture
def empty(twins):
    """The first namespace without anything, before and after."""
    words = ["delete", "deployment,pod,service,job,pvc,configmap", "--all", "--now"]
    twins.kubectl(twins.ours, *words)
    yield
    twins.kubectl(twins.ours, *words)


def bring_about(step: steps.Step) -> None:
    here = sessions.current()
    if "05-baked" in step.state:
        making.bake()
    for folder in step.state:
        manifests.apply(f"k8s/steps/{folder}")
    if step.replicas > 1:
        workloads.scale("deployment/ollama", replicas=step.replicas)
    if "05-hook-naive" not in step.state:  # which is not to become ready
        for target in ("deployments", "pods"):
            for name in verbs.get(target).column("NAME") if len(verbs.get(target)) else []:
                whole = f"{target.removesuffix('s')}/{name}"
                if target == "deployments":
                    waiting.rollout(whole)
                elif "-" not in name:  # a bare one: a Deployment's were waited for
                    waiting.wait(whole)
    for target in step.pulled:
        for pod in targets.pods_of(here, targets.parsed(here, target)):
            ollama.pull(at=f"pod/{pod['metadata']['name']}")


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("same", STATES.values(), ids=lambda same: same[0].id)
def test_the_state_that_a_step_declares_is_one_in_which_its_check_passes(same):
    bring_about(same[0])
    for step in same:
        assert checks.check(step.id, timeout_s=60).step == step.id


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_but_the_bare_ones_is_fit_for_a_restricted_namespace(twins, folder):
    file = paths.k8s("steps", folder)
    done = twins.line(f"$ kubectl apply --dry-run=server --filename {file}\n")
    assert done.returncode == 0, done.stderr
    assert ("would violate PodSecurity" in done.stderr) == (folder in BARE)


def test_every_folder_is_in_the_state_of_a_step():
    assert {folder for step in steps.STEPS for folder in step.state} == set(FOLDERS)
