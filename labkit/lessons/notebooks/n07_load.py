"""The steps of notebook 07-load."""

from labkit.lessons import deployment_probes, service_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

_SERVICE = ("03-deployment", "03-service")
_EVERY_POD = ("deployment/ollama",)
_PARALLEL = State(("07-parallel", "03-service"), pulled=_EVERY_POD, slow=True)

STEPS = (
    Step(
        "07-load/ready",
        "An Ollama that costs something",
        service_probes.reached(deployment_probes.every_pod_has_both),
        State(_SERVICE, pulled=_EVERY_POD, slow=True),
        ladder=Ladder(
            "Does the Ollama under load have the models that it is asked for?",
            "There should be two: the lab's, and its slow one.",
            "kubectl exec deployment/ollama -- ollama list",
            'lab.pull(at="deployment/ollama"); lab.pull(slow, at="deployment/ollama")',
        ),
        mistake="kubectl exec deployment/ollama -- ollama rm $MODEL",
    ),
    Step(
        "07-load/your-turn",
        "Your turn: four at a time",
        deployment_probes.parallel(4),
        _PARALLEL,
        ladder=Ladder(
            (
                "Which variable sets how many prompts Ollama answers at a time? What does a new "
                "Pod lack?"
            ),
            "Its log names OLLAMA_NUM_PARALLEL at its start; a changed Deployment has a new Pod.",
            (
                "kubectl set env deployment/ollama --list; kubectl exec deployment/ollama -- "
                "ollama list"
            ),
            "kubectl set env deployment/ollama OLLAMA_NUM_PARALLEL=4, then both pulls again",
        ),
        mistake="kubectl set env deployment/ollama OLLAMA_NUM_PARALLEL=1",
    ),
    Step(
        "07-load/under-200",
        "Your turn: 200, and no answer",
        deployment_probes.pulls_failed_under_200,
        _PARALLEL._replace(refused=4),
        ladder=Ladder(
            "When does a server write the status of its answer: before its work, or after it?",
            (
                "A pull's first line comes before Ollama has asked for the model. Its last "
                "line reports how it ended: read the answer itself, not only its status."
            ),
            "kubectl logs deployment/ollama --tail=5",
            'lab.hey("http://ollama:11434/api/pull", n=4, c=2, body=wrong)',
        ),
        mistake="kubectl delete pods -l app=ollama --now",
    ),
)
