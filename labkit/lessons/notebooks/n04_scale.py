"""The steps of notebook 04-scale."""

from labkit.lessons import deployment_probes, service_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

_SERVICE = ("03-deployment", "03-service")
_EVERY_POD = ("deployment/ollama",)


def _scaled(replicas: int, having: int) -> State:
    return State(_SERVICE, replicas, _EVERY_POD, having)


STEPS = (
    Step(
        "04-scale/one",
        "One Pod that answers",
        service_probes.service_answers,
        State(_SERVICE, pulled=_EVERY_POD),
        holds=False,
        ladder=Ladder(
            "A client calls `ollama`. Which four things must exist before it gets an answer?",
            "A Deployment, a Pod that is ready, a Service with its address, a model in the Pod.",
            "kubectl get deployments,services,endpointslices",
            'lab.pull(at="service/ollama"), after the Deployment and the Service of notebook 03',
        ),
        mistake="kubectl exec deployment/ollama -- ollama rm $MODEL",
    ),
    Step(
        "04-scale/three",
        "Three Pods",
        deployment_probes.deployment_ready(3),
        _scaled(3, 1),
        holds=False,
        ladder=Ladder(
            "How many Pods does the Deployment want, and how many are ready?",
            "READY has both numbers.",
            "kubectl get deployment ollama",
            "kubectl scale deployment ollama --replicas 3",
        ),
        mistake="kubectl scale deployment ollama --replicas 2",
    ),
    Step(
        "04-scale/houston",
        "Houston",
        service_probes.some_answered_some_refused,
        _scaled(3, 1)._replace(asked=30),
        holds=False,
        ladder=Ladder(
            "Has every Pod had a request?",
            "Each Pod's own log has every request and its status.",
            "kubectl logs -l app=ollama --prefix --tail=-1 | grep /api/generate",
            (
                'lab.hey("http://ollama:11434/api/generate", n=30, c=1, body=question, '
                "keepalive=False)"
            ),
        ),
        mistake="kubectl delete pods -l app=ollama --now",
    ),
    Step(
        "04-scale/your-turn",
        "Your turn: every Pod must have it",
        deployment_probes.pods_answer(3),
        _scaled(3, 3),
        holds=False,
        ladder=Ladder(
            "A pull through the Service reaches one Pod. Which ones are left?",
            "Query each Pod by its own name: which models does it have?",
            "kubectl get pods -l app=ollama -o name",
            (
                'for pod in lab.get("pods", selector="app=ollama").column("NAME"): '
                'lab.pull(at=f"pod/{pod}")'
            ),
        ),
        mistake=(
            "kubectl exec $(kubectl get pods -l app=ollama -o name | head -1) -- ollama rm $MODEL"
        ),
    ),
    Step(
        "04-scale/again",
        "A fourth Pod",
        deployment_probes.a_new_pod_lacks_model,
        _scaled(4, 3),
        ladder=Ladder(
            "You pulled the model into three Pods. Who pulled it into the fourth?",
            "There should be four Pods; the newest has no model.",
            "kubectl get pods -l app=ollama --sort-by=.metadata.creationTimestamp",
            'lab.scale("deployment/ollama", replicas=4); lab.rollout("deployment/ollama")',
        ),
        mistake="kubectl scale deployment ollama --replicas 3",
    ),
)
