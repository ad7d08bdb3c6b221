"""The steps of notebook 06-helm."""

from labkit.lessons import deployment_probes, model_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

STEPS = (
    Step(
        "06-helm/installed",
        "Install",
        deployment_probes.of_release(model_probes.brought_and_served),
        State(release={}, brings=True),
        holds=False,
        ladder=Ladder(
            "Which release is there, and with which values?",
            "The release's state, and the values that it was installed with.",
            "helm history ollama; helm get values ollama",
            (
                "helm install ollama ollama/ollama --set ollama.insecure=true "
                '--set "ollama.models.pull={$MODEL}"'
            ),
        ),
        mistake="kubectl set selector service ollama app=olama",
    ),
    Step(
        "06-helm/changed",
        "Change, and go back",
        deployment_probes.of_release(deployment_probes.deployment_ready(1), rolled_back=True),
        State(release={}, rolled_back=True, brings=True),
        holds=False,
        ladder=Ladder(
            "Which revision is deployed, and where did it come from?",
            "A rollback is a new revision, and its description says of which one.",
            "helm history ollama",
            "helm rollback ollama 1 --wait",
        ),
        mistake="helm upgrade ollama ollama --repo $CHARTS --reuse-values",
    ),
    Step(
        "06-helm/your-turn",
        "Your turn: three that know it",
        deployment_probes.of_release(model_probes.pods_bring_model(3), values={"replicaCount": 3}),
        State(release={"replicaCount": 3}, brings=True),
        ladder=Ladder(
            "Which value sets the number of Pods, and which ones must stay as they are?",
            "A value that you do not set gets the chart's default: no model.",
            "helm get values ollama; helm show values ollama/ollama",
            (
                'lab.helm_upgrade("ollama", "ollama", repo=os.environ["CHARTS"], '
                'values={"ollama.insecure": True, "ollama.models.pull": [lab.model], '
                '"replicaCount": 3})'
            ),
        ),
        mistake="kubectl scale deployment ollama --replicas 1",
    ),
)
