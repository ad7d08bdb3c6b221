"""The steps of notebook 08b-problems."""

from labkit.lessons import metric_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

_EVERY_POD = ("deployment/ollama",)
_PROXY = ("05-model", "08-proxy", "03-service")

STEPS = (
    Step(
        "08b-problems/ready",
        "Two Pods that count",
        metric_probes.both_scraped,
        State(_PROXY, 2, brings=True),
        holds=False,
        ladder=Ladder(
            "How many Pods has the Deployment, and does Prometheus read both?",
            "Two Pods, each with two ports for Prometheus; up is 1 where it could read them.",
            "kubectl get pods -l app=ollama; kubectl logs deployment/ollama --container haproxy",
            'lab.apply("k8s/steps/08-proxy"); lab.scale("deployment/ollama", replicas=2)',
        ),
        mistake="kubectl scale deployment ollama --replicas 1",
    ),
    Step(
        "08b-problems/first",
        "First problem: half of it",
        metric_probes.both_serve,
        State(_PROXY, 2, brings=True, asked=12),
        holds=False,
        ladder=Ladder(
            "There are two Pods. Which of them answers?",
            (
                "On the dashboard: sum by (pod) of the answers, and "
                "haproxy_backend_active_servers of each proxy."
            ),
            "kubectl get pods -l app=ollama",
            'lab.pull(at="pod/…") into the one whose proxy finds no model, then ask again',
        ),
        mistake=(
            "kubectl exec $(kubectl get pods -l app=ollama -o name | head -1) -c ollama -- "
            "ollama rm $MODEL"
        ),
    ),
    Step(
        "08b-problems/second",
        "Second problem: in bursts",
        metric_probes.unthrottled,
        State(_PROXY, brings=True, asked=8),
        holds=False,
        ladder=Ladder(
            "Nothing fails, and all is slow. What is used up: places, memory, processor?",
            "container_cpu_cfs_throttled_periods_total, beside container_cpu_cfs_periods_total.",
            "kubectl top pods --containers; kubectl describe deployment/ollama",
            (
                "kubectl rollout undo deployment/ollama, then ask again: "
                'lab.load_test("service/ollama")'
            ),
        ),
        mistake="kubectl set resources deployment ollama -c ollama --limits cpu=100m",
    ),
    Step(
        "08b-problems/third",
        "Third problem: again and again",
        metric_probes.both_models_stay,
        State(_PROXY, pulled=_EVERY_POD, slow=True, asked=8),
        ladder=Ladder(
            "Two models are asked in turn. How many are in memory at a time?",
            (
                "ollama_loaded_models, and how often ollama_load_duration_seconds was more than "
                "0.16 s."
            ),
            "kubectl exec deployment/ollama -- ollama ps; kubectl set env deployment/ollama --list",
            (
                "kubectl set env deployment/ollama OLLAMA_MAX_LOADED_MODELS-, then "
                'lab.rollout("deployment/ollama"); lab.pull(slow, at="deployment/ollama"), '
                "and ask both"
            ),
        ),
        mistake="kubectl exec deployment/ollama -c ollama -- ollama stop $MODEL",
    ),
)
