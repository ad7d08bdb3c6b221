"""The steps of notebook 08-metrics."""

from labkit.lessons import metric_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

_EVERY_POD = ("deployment/ollama",)
_PROXY = ("05-model", "08-proxy", "03-service")

STEPS = (
    Step(
        "08-metrics/proxy",
        "A proxy that counts",
        metric_probes.counted,
        State(_PROXY, pulled=_EVERY_POD, slow=True),
        ladder=Ladder(
            "Who counts the questions and the answers, and who reads those figures?",
            "Each Pod has two ports for Prometheus. `up` is 1 where it could read them.",
            "kubectl get pods -l app=ollama; kubectl logs deployment/ollama --container haproxy",
            'lab.apply("k8s/steps/08-proxy"); lab.rollout("deployment/ollama")',
        ),
        mistake="kubectl set selector service ollama app=olama",
    ),
    Step(
        "08-metrics/front",
        "Who gets the next question?",
        metric_probes.front_spreads,
        State((*_PROXY, "08-front"), 2, brings=True),
        holds=False,
        ladder=Ladder(
            "How does one proxy learn the addresses of all Pods, and which of them may it ask?",
            "A headless Service has them; the front proxy queries /ready of each.",
            "kubectl get endpointslices; kubectl logs deployment/front",
            'lab.scale("deployment/ollama", replicas=2); lab.apply("k8s/steps/08-front")',
        ),
        mistake="kubectl scale deployment front --replicas 0",
    ),
)
