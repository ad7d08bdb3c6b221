"""The steps of notebook 02-pod."""

from labkit.lessons import pod_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

_POD = ("00-pod",)

STEPS = (
    Step(
        "02-pod/run",
        "Run",
        pod_probes.pod_serves("ollama"),
        State(_POD),
        ladder=Ladder(
            "What does Kubernetes still do between `created` and `ready`?",
            "STATUS of the Pod, and the events that led to it.",
            "kubectl events --for pod/ollama",
            "kubectl run ollama --image ollama/ollama",
        ),
        mistake="kubectl set image pod/ollama ollama=ollama/olama",
    ),
    Step(
        "02-pod/answer",
        "Run a command inside",
        pod_probes.pod_answered_inside("ollama"),
        State(_POD, pulled=("pod/ollama",), inside=True),
        holds=False,
        ladder=Ladder(
            "Where does `ollama run` look for its model when it runs inside of the Pod?",
            "The Pod has a list of models of its own.",
            "kubectl exec ollama -- ollama list",
            'kubectl exec ollama -- ollama run --insecure --nowordwrap $MODEL "What is a Pod?"',
        ),
        mistake="kubectl exec ollama -- ollama rm $MODEL",
    ),
    Step(
        "02-pod/again",
        "Delete, and run again",
        pod_probes.pod_is_new("ollama"),
        State(_POD),
        ladder=Ladder(
            "Where was the model stored, and what happened to that place?",
            "The age of the Pod shows whether it is the old one or a new one.",
            "kubectl get pod ollama; kubectl exec ollama -- ollama list",
            'lab.delete("pod/ollama"); lab.run("ollama", image="ollama/ollama")',
        ),
        mistake="kubectl exec ollama -- ollama pull --insecure $MODEL",
    ),
    Step(
        "02-pod/your-turn",
        "Your turn: a Pod `typo`",
        pod_probes.pod_serves("typo"),
        State((*_POD, "02-typo")),
        ladder=Ladder(
            "Letter by letter: which image was asked for?",
            "The events show what could not be pulled, and from where.",
            "kubectl events --for pod/typo",
            'lab.delete("pod/typo"); lab.run("typo", image="ollama/ollama")',
        ),
        mistake="kubectl set image pod/typo typo=ollama/olama",
    ),
)
