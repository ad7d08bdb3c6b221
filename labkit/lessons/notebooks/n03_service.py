"""The steps of notebook 03-service."""

from labkit.lessons import deployment_probes, service_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

_SERVICE = ("03-deployment", "03-service")
_EVERY_POD = ("deployment/ollama",)

STEPS = (
    Step(
        "03-service/deployment",
        "A Deployment",
        deployment_probes.deployment_serves,
        State(("03-deployment",)),
        ladder=Ladder(
            "Who makes the Pods now, and how many of them should there be?",
            "READY has two numbers. When they differ, the Pods show why.",
            "kubectl get deployment ollama; kubectl get pods -l app=ollama",
            "kubectl create deployment ollama --image ollama/ollama",
        ),
        mistake="kubectl set image deployment/ollama ollama=ollama/olama",
    ),
    Step(
        "03-service/endpoints",
        "A Service",
        service_probes.service_has_an_endpoint,
        State(("03-deployment", "03-service-wrong")),
        ladder=Ladder(
            "How does a Service know which Pods are its own?",
            "Its endpoints are the addresses of ready Pods with the labels that it selects.",
            "kubectl get endpointslices; kubectl get pods --show-labels",
            "kubectl create service clusterip ollama --tcp 11343",
        ),
        mistake="kubectl set selector service ollama app=olama",
    ),
    Step(
        "03-service/right-port",
        "Your turn: no answer",
        service_probes.service_reaches_ollama,
        State(_SERVICE),
        ladder=Ladder(
            "A Pod is behind the Service. On which port does it listen?",
            "Compare the port of the Service with the one in Ollama's log, digit by digit.",
            "kubectl get service ollama; kubectl logs deployment/ollama | grep Listening",
            'lab.delete("service/ollama"); lab.create_service("ollama", tcp=11434)',
        ),
        mistake="""kubectl patch service ollama \
        -p '{"spec": {"ports": [{"port": 11434, "targetPort": 11343}]}}'""",
    ),
    Step(
        "03-service/pulled",
        "Pull, from inside",
        deployment_probes.some_pod_has_model,
        State(_SERVICE, pulled=_EVERY_POD),
        ladder=Ladder(
            "An Ollama answers. Which models does it have?",
            "A Deployment's new Pod begins without any.",
            "kubectl exec deployment/ollama -- ollama list",
            'lab.pull(at="deployment/ollama")',
        ),
        mistake="kubectl exec deployment/ollama -- ollama rm $MODEL",
    ),
    Step(
        "03-service/answers",
        "Ask",
        service_probes.service_has_answered,
        State(_SERVICE, pulled=_EVERY_POD, asked=1),
        ladder=Ladder(
            "Has a client sent a prompt yet, and what was the status?",
            "Ollama's log has a line for each request, with its status.",
            "kubectl logs deployment/ollama | grep /api/generate",
            'lab.generate("Write a limerick about YAML", at="service/ollama")',
        ),
        mistake="kubectl set selector service ollama app=olama",
    ),
)
