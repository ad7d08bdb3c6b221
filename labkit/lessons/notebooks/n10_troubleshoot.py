"""The steps of notebook 10-troubleshoot."""

from labkit.lessons import deployment_probes, service_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

STEPS = (
    Step(
        "10-troubleshoot/hunt",
        "Your turn: fix it",
        deployment_probes.all_ready(service_probes.service_answers),
        State(("05-model", "05-hook", "03-service"), brings=True),
        ladder=Ladder(
            "How far does a question come: to the Service, to a Pod, to a server, to a model?",
            (
                "Begin outside: does the Service have an address behind it? If not, what do its "
                "Pods lack?"
            ),
            "kubectl describe service/ollama; kubectl get pods; kubectl events --types=Warning",
            (
                'lab.delete("deployment/ollama"); lab.delete("service/ollama"); '
                'lab.apply("k8s/steps/05-hook"); lab.apply("k8s/steps/03-service")'
            ),
        ),
        mistake="kubectl set selector service ollama app=olama",
    ),
)
