"""The steps of notebook 00-start."""

from labkit.lessons import pod_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

_POD = ("00-pod",)

STEPS = (
    Step(
        "00-start/run",
        "Run Ollama",
        pod_probes.pod_serves("ollama"),
        State(_POD),
        ladder=Ladder(
            "What has to exist before an Ollama can answer, and is it ready?",
            "STATUS and READY of the Pod `ollama` show how far it is.",
            "kubectl get pods",
            'lab.run("ollama", image="ollama/ollama"); lab.wait("pod/ollama")',
        ),
        mistake="kubectl delete pod ollama --now",
    ),
    Step(
        "00-start/pull",
        "Pull a model",
        pod_probes.pod_answers("ollama"),
        State(_POD, pulled=("pod/ollama",)),
        ladder=Ladder(
            "The server runs. What does it need to answer?",
            "Its list of models is empty until a model is pulled into this Pod.",
            "kubectl exec ollama -- ollama list",
            'lab.pull(at="pod/ollama")',
        ),
        mistake="kubectl exec ollama -- ollama rm $MODEL",
    ),
    Step(
        "00-start/your-turn",
        "Your turn: a Pod `mine` that answers",
        pod_probes.pod_answers("mine"),
        State((*_POD, "00-mine"), pulled=("pod/ollama", "pod/mine")),
        ladder=Ladder(
            "You made `ollama` answer in three steps. Which of them is missing for `mine`?",
            "Is there a Pod `mine`, is it ready, and which models does it have?",
            "kubectl get pod mine; kubectl exec mine -- ollama list",
            'lab.run("mine", image="ollama/ollama"); lab.wait("pod/mine"); lab.pull(at="pod/mine")',
        ),
        mistake="kubectl exec mine -- ollama rm $MODEL",
    ),
)
