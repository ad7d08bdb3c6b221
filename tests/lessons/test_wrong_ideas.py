"""The checks of steps: for each a wrong idea that must not pass, and the right one, which does.

A wrong idea is what a learner may do, or leave from an earlier section, without having done what
the section teaches.
"""

import datetime

import pytest

import labkit
from labkit.kube import session
from labkit.lessons import steps
from labkit.lessons.desired_state import ROLLED_BACK
from tests.lessons.fake_lab import SLOW, Lab, Pod, access

MODEL = "models.lab-system:5001/library/lab-llama"
PORTS = [(11434, 11434)]
BOTH = (MODEL, SLOW)
INIT = {"initContainers": [{"name": "pull"}]}
STORE = {"volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}]}
BROUGHT = {"had_s": 1, "ready_s": 3, "spec": INIT}
PARALLEL = 'env="map[OLLAMA_NUM_PARALLEL:4 OLLAMA_HOST:]"\n'
ANSWERED, REJECTED = (access(status, "/api/generate") for status in (200, 404))
INSIDE = access(200, "/api/generate", "127.0.0.1")
WRONG_PULLS = access(200, "/api/pull") * 4
VALUES = {"ollama": {"models": {"pull": [MODEL]}}}
INSTALLED = ("Install complete", VALUES)


def three(*models: tuple[str, ...], **more) -> list[Pod]:
    """Pods a, b, … with these models, each made a second after the one before."""
    return [Pod("abcd"[n], held, made_s=n, **more) for n, held in enumerate(models)]


def in_minutes(count: float) -> str:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=count)
    return at.isoformat()


def mine(**more) -> list[Pod]:
    return [Pod("ollama", app="", **more)]


# step → (the wrong idea, what it leaves, a part of what the check says), and what is right
CASES = {
    "01-ollama/unload": (
        [
            ("the model was removed", Lab(local=()), "does not have"),
            ("it is loaded yet", Lab(local=(MODEL,), loaded=in_minutes(4)), "is loaded"),
        ],
        Lab(local=(MODEL,)),
    ),
    "01-ollama/your-turn": (
        [
            ("for ever", Lab(local=(MODEL,), loaded=in_minutes(1e8)), "longer than an hour"),
            ("for a day", Lab(local=(MODEL,), loaded=in_minutes(1440)), "longer than an hour"),
            ("as it is by default", Lab(local=(MODEL,), loaded=in_minutes(5)), "is loaded"),
        ],
        Lab(local=(MODEL,), loaded=in_minutes(60)),
    ),
    "02-pod/answer": (
        [
            (
                "a pull, and a prompt from outside",
                Lab(mine(models=(MODEL,), log=ANSWERED)),
                "no command inside of it has asked it",
            ),
            (
                "a command inside, before the model was there",
                Lab(mine(models=(MODEL,), log=access(404, "/api/generate", "127.0.0.1"))),
                "no command inside of it has asked it",
            ),
        ],
        Lab(mine(models=(MODEL,), log=INSIDE)),
    ),
    "02-pod/again": (
        [
            ("it restarted, and is the same Pod", Lab(mine(restarts=1)), "not a new Pod"),
            (
                "the model was removed",
                Lab(mine(log=access(200, "/api/pull"))),
                "not a new Pod",
            ),
        ],
        Lab(mine()),
    ),
    "03-service/deployment": (
        [
            (
                "a Pod of one's own with the label, and a Deployment of none",
                Lab([Pod("mine", owned=False)], replicas=0),
                "the Deployment has not made it",
            ),
            (
                "a Deployment of another image",
                Lab([Pod("a", serves=False)]),
                "no Ollama answers in it",
            ),
            ("two Pods", Lab(three((), ())), "wanted 1"),
        ],
        Lab(three(())),
    ),
    "03-service/answers": (
        [
            (
                "a prompt inside of the Pod, as in notebook 02",
                Lab(three((MODEL,), log=INSIDE), ports=PORTS),
                "0 prompts sent from outside of the Pod",
            ),
            (
                "a prompt before the model was there",
                Lab(three((MODEL,), log=REJECTED), ports=PORTS),
                "1 prompt sent from outside of the Pod, and none answered",
            ),
        ],
        Lab(three((MODEL,), log=REJECTED + access(200, "/api/chat")), ports=PORTS),
    ),
    "03-service/right-port": (
        [
            ("another port that leads to Ollama", Lab(three(()), ports=[(80, 11434)]), "port 80"),
            ("a wrong target", Lab(three(()), ports=[(11434, 11343)]), "does not answer"),
            ("the port it had", Lab(three(()), ports=[(11343, 11343)]), "port 11343"),
        ],
        Lab(three(()), ports=[(80, 11434), (11434, 11434)]),
    ),
    "04-scale/one": (
        [("another port", Lab(three((MODEL,)), ports=[(80, 11434)]), "port 80")],
        Lab(three((MODEL,)), ports=PORTS),
    ),
    "04-scale/houston": (
        [
            (
                "one Pod was asked, and it answered",
                Lab([Pod("a", (MODEL,), log=ANSWERED), Pod("b")]),
                "1 Pod answered, 0 Pods rejected every prompt",
            ),
            (
                "every Pod has the model",
                Lab([Pod(name, (MODEL,), log=ANSWERED) for name in "abc"]),
                "3 Pods answered, 0 Pods rejected every prompt",
            ),
            (
                "none has it",
                Lab([Pod(name, log=REJECTED) for name in "ab"]),
                "0 Pods answered, 2 Pods rejected every prompt",
            ),
        ],
        # the good Pod was asked once before it had the model
        Lab([Pod("a", (MODEL,), log=REJECTED + ANSWERED), *[Pod(n, log=REJECTED) for n in "bc"]]),
    ),
    "04-scale/your-turn": (
        [
            ("one Pod, which has it", Lab(three((MODEL,))), "wanted 3"),
            ("one pull reaches one Pod", Lab(three((MODEL,), (), ())), "2 of 3 Pods"),
            ("a second one reaches another", Lab(three((MODEL,), (MODEL,), ())), "1 of 3"),
        ],
        Lab(three((MODEL,), (MODEL,), (MODEL,))),
    ),
    "04-scale/again": (
        [
            ("the loop was left out", Lab(three((MODEL,), (), (), ())), "1 of 4 Pods"),
            (
                "an old Pod lost it, and the new one has it",
                Lab(three((MODEL,), (), (MODEL,), (MODEL,))),
                "is not the newest",
            ),
        ],
        Lab(three((MODEL,), (MODEL,), (MODEL,), ())),
    ),
    "05-models-everywhere/your-turn": (
        [
            (
                "the store of the section before, scaled",
                Lab(three((MODEL,), (MODEL,), **BROUGHT | {"spec": STORE})),
                "on one node",
            ),
            ("pulls by hand", Lab(three((MODEL,), (MODEL,))), "had been Ready"),
            (
                "a pull by hand within a second",
                Lab(three((MODEL,), (MODEL,), had_s=1.4)),
                "had been Ready for 0.4 s",
            ),
        ],
        # Kubernetes writes whole seconds: it was Ready from 1 to 2 s
        Lab(three((MODEL,), (MODEL,), had_s=1.4, spec=INIT)),
    ),
    "06-helm/installed": (
        [
            (
                "a release without a model, and a pull by hand",
                Lab(three((MODEL,)), ports=PORTS, release=[INSTALLED]),
                "had been Ready",
            ),
        ],
        Lab(three((MODEL,), **BROUGHT), ports=PORTS, release=[INSTALLED]),
    ),
    "06-helm/changed": (
        [
            (
                "a rollback of nothing",
                Lab(three((MODEL,)), release=[INSTALLED, (ROLLED_BACK, VALUES)]),
                "without a change",
            ),
            (
                "an upgrade that changes nothing, and a rollback",
                Lab(
                    three((MODEL,)),
                    release=[INSTALLED, ("Upgrade complete", VALUES), (ROLLED_BACK, VALUES)],
                ),
                "without a change",
            ),
        ],
        Lab(
            three((MODEL,)),
            release=[
                INSTALLED,
                ("Upgrade complete", VALUES | {"replicaCount": 2}),
                (ROLLED_BACK, VALUES),
            ],
        ),
    ),
    "06-helm/your-turn": (
        [
            (
                "kubectl scale",
                Lab(three(*[(MODEL,)] * 3, **BROUGHT), release=[INSTALLED]),
                "replicaCount is not set",
            ),
        ],
        Lab(
            three(*[(MODEL,)] * 3, **BROUGHT),
            release=[INSTALLED, ("Upgrade complete", VALUES | {"replicaCount": 3})],
        ),
    ),
    "07-load/ready": (
        [
            ("without the slow model", Lab(three((MODEL,)), ports=PORTS), f"lacks {SLOW}"),
            ("without a Service", Lab(three(BOTH)), "there is no service/ollama"),
        ],
        Lab(three(BOTH), ports=PORTS),
    ),
    "07-load/your-turn": (
        [
            (
                "the slow model is not pulled again",
                Lab(three((MODEL,), log=PARALLEL)),
                f"lacks {SLOW}",
            ),
            ("four Pods", Lab(three(*[BOTH] * 4, log=PARALLEL), replicas=4), "wanted 1"),
            ("one at a time", Lab(three(BOTH, log=PARALLEL.replace(":4", ":1"))), ":1"),
        ],
        Lab(three(BOTH, log=PARALLEL)),
    ),
    "07-load/under-200": (
        [
            (
                "pulls that are not streamed, after good ones",
                Lab(
                    three(BOTH, log=WRONG_PULLS + access(500, "/api/pull") * 4),
                    mirror_404s=4,
                ),
                "status 200: 0",
            ),
            ("good pulls alone", Lab(three(BOTH, log=WRONG_PULLS)), "status 200: 0"),
        ],
        Lab(three(BOTH, log=access(400, "/api/pull") * 2 + WRONG_PULLS), mirror_404s=4),
    ),
    "10-troubleshoot/hunt": (
        [
            (
                "a Pod of one's own beside the broken Deployment",
                Lab([Pod("new", (MODEL,)), Pod("broken", ready_s=None)], 1, PORTS),
                "deployment/ollama",
            ),
        ],
        Lab(three((MODEL,)), ports=PORTS),
    ),
}
WRONG = {
    f"{step}: {idea}": (step, lab, said)
    for step, (wrong, _) in CASES.items()
    for idea, lab, said in wrong
}


@pytest.fixture
def seen(connected, answering, monkeypatch):
    """`seen(step, lab)`: what the check of that step sees in that lab."""

    def look(step: str, lab: Lab):
        connected(lab.answer)
        monkeypatch.setenv("OLLAMA_HOST", answering(lab.answer))
        return steps.one(step).check(session.current())

    assert labkit.model == MODEL
    return look


@pytest.mark.parametrize("idea", WRONG)
def test_a_wrong_idea_does_not_pass(seen, idea):
    step, lab, said = WRONG[idea]
    found = seen(step, lab)
    assert not found.passed, found.saw
    assert said in found.saw
    assert found.hint


@pytest.mark.parametrize("step", CASES)
def test_what_is_taught_passes(seen, step):
    _, lab = CASES[step]
    found = seen(step, lab)
    assert found.passed, found


def test_a_service_with_an_endpoint_does_not_claim_an_answer(seen):
    found = seen("03-service/endpoints", Lab(three(()), ports=[(11343, 11343)]))
    assert found.passed
    assert "does not prove an answer" in found.saw
