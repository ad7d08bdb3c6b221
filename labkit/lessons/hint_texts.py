"""The hints of each step, from little to all: a question, where to look, the command."""

from __future__ import annotations

from typing import NamedTuple


class Ladder(NamedTuple):
    """A question, where its answer stands and the line that shows it, and the command."""

    question: str
    pointer: str
    look: str
    command: str


_PODS = "kubectl get pods"
_PULL = 'lab.pull(at="pod/ollama")'
_WIDE = "kubectl get pods -l app=ollama"

LADDERS = {
    "00-start/run": Ladder(
        "What has to exist before an Ollama can answer, and is it ready?",
        "STATUS and READY of the Pod `ollama` show how far it is.",
        _PODS,
        'lab.run("ollama", image="ollama/ollama"); lab.wait("pod/ollama")',
    ),
    "00-start/pull": Ladder(
        "The server runs. What does it need to answer?",
        "Its list of models is empty until a model is pulled into this Pod.",
        "kubectl exec ollama -- ollama list",
        _PULL,
    ),
    "00-start/your-turn": Ladder(
        "You made `ollama` answer in three steps. Which of them has `mine` not had?",
        "Is there a Pod `mine`, is it ready, and which models does it have?",
        "kubectl get pod mine; kubectl exec mine -- ollama list",
        'lab.run("mine", image="ollama/ollama"); lab.wait("pod/mine"); lab.pull(at="pod/mine")',
    ),
    "01-ollama/run": Ladder(
        "Which models does the Ollama on your own machine have?",
        "`ollama run` pulls what is missing; only the lab's mirror is sure to have it.",
        "ollama list",
        'ollama run --insecure --nowordwrap $MODEL "What is Ollama?"',
    ),
    "01-ollama/unload": Ladder(
        "How long does a model stay in memory without requests?",
        "The last column shows when it is unloaded.",
        "ollama ps",
        "lab.stop()",
    ),
    "01-ollama/your-turn": Ladder(
        "Which word of a question says how long its model stays?",
        "The section on unloading used it, for ten seconds.",
        "ollama ps",
        'lab.generate("What is a cold start?", keep_alive="1h")',
    ),
    "02-pod/run": Ladder(
        "What does Kubernetes still do between `created` and `ready`?",
        "STATUS of the Pod, and the events that tell how it came there.",
        "kubectl events --for pod/ollama",
        "kubectl run ollama --image ollama/ollama",
    ),
    "02-pod/answer": Ladder(
        "Where does `ollama run` look for its model when it runs inside of the Pod?",
        "The Pod has a list of models of its own.",
        "kubectl exec ollama -- ollama list",
        'kubectl exec ollama -- ollama run --insecure --nowordwrap $MODEL "What is a Pod?"',
    ),
    "02-pod/again": Ladder(
        "Where was the model, and what became of that place?",
        "The age of the Pod shows whether it is the old one or a new one.",
        "kubectl get pod ollama; kubectl exec ollama -- ollama list",
        'lab.delete("pod/ollama"); lab.run("ollama", image="ollama/ollama")',
    ),
    "02-pod/your-turn": Ladder(
        "Letter by letter: which image was asked for?",
        "The events say what could not be pulled, and from where.",
        "kubectl events --for pod/typo",
        'lab.delete("pod/typo"); lab.run("typo", image="ollama/ollama")',
    ),
    "03-service/deployment": Ladder(
        "Who makes the Pods now, and how many of them should there be?",
        "READY has two numbers; when they differ, the Pods say why.",
        f"kubectl get deployment ollama; {_WIDE}",
        "kubectl create deployment ollama --image ollama/ollama",
    ),
    "03-service/endpoints": Ladder(
        "How does a Service know which Pods are its own?",
        "Its endpoints are the addresses of ready Pods with the labels that it selects.",
        "kubectl get endpointslices; kubectl get pods --show-labels",
        "kubectl create service clusterip ollama --tcp 11343",
    ),
    "03-service/right-port": Ladder(
        "A Pod is behind the Service. On which port does it listen?",
        "Compare the port of the Service with the one in Ollama's log, digit by digit.",
        "kubectl get service ollama; kubectl logs deployment/ollama | grep Listening",
        'lab.delete("service/ollama"); lab.create_service("ollama", tcp=11434)',
    ),
    "03-service/pulled": Ladder(
        "An Ollama answers. Which models does it have?",
        "A Deployment's new Pod begins without any.",
        "kubectl exec deployment/ollama -- ollama list",
        'lab.pull(at="deployment/ollama")',
    ),
    "03-service/answers": Ladder(
        "Has a client sent a prompt yet, and what was the status?",
        "Ollama's log has a line for each request, with its status.",
        "kubectl logs deployment/ollama | grep /api/generate",
        'lab.generate("Write a limerick about YAML", at="service/ollama")',
    ),
    "04-scale/one": Ladder(
        "What are the four things between a name and an answer?",
        "A Pod that is ready, a Service with its address, and a model in the Pod.",
        "kubectl get deployments,services,endpointslices",
        'lab.pull(at="service/ollama"), after the Deployment and the Service of notebook 03',
    ),
    "04-scale/three": Ladder(
        "How many Pods does the Deployment want, and how many are ready?",
        "READY has both numbers.",
        "kubectl get deployment ollama",
        "kubectl scale deployment ollama --replicas 3",
    ),
    "04-scale/houston": Ladder(
        "Has every Pod been asked something?",
        "Each Pod's own log has every request and its status.",
        "kubectl logs -l app=ollama --prefix --tail=-1 | grep /api/generate",
        'lab.hey("http://ollama:11434/api/generate", n=30, c=1, body=question, keepalive=False)',
    ),
    "04-scale/your-turn": Ladder(
        "A pull through the Service reaches one Pod. Which ones are left?",
        "Ask each Pod by its own name for its models.",
        f"{_WIDE} -o name",
        'for pod in lab.get("pods", selector="app=ollama").column("NAME"): '
        'lab.pull(at=f"pod/{pod}")',
    ),
    "04-scale/again": Ladder(
        "Who gave the other three their model, and who was there when the fourth came?",
        "There should be four Pods; the newest has no model.",
        "kubectl get pods -l app=ollama --sort-by=.metadata.creationTimestamp",
        'lab.scale("deployment/ollama", replicas=4); lab.rollout("deployment/ollama")',
    ),
    "05-models-everywhere/model": Ladder(
        "From where do all Pods of this notebook read which model they have?",
        "A ConfigMap `model` with one line, MODEL.",
        "kubectl get configmap model -o yaml",
        "kubectl create configmap model --from-literal MODEL=$MODEL",
    ),
    "05-models-everywhere/baked": Ladder(
        "When does a model come into a Pod whose image already has it?",
        "The image is lab/ollama-baked; the events say whether a node could fetch it.",
        f"{_WIDE}; kubectl events",
        'lab.bake(); lab.apply("k8s/steps/05-baked")',
    ),
    "05-models-everywhere/by-hand": Ladder(
        "What is in a bare Ollama before you do anything?",
        "The Deployment of notebook 03 knows nothing of models: each Pod wants its own pull.",
        "kubectl exec deployment/ollama -- ollama list",
        'lab.create_deployment("ollama", image="ollama/ollama"), then lab.pull(at="pod/…") of each',
    ),
    "05-models-everywhere/hook-race": Ladder(
        "A hook and the server start at the same time. Who is first?",
        "An event tells of each hook that failed.",
        "kubectl events --types Warning",
        'lab.apply("k8s/steps/05-hook-naive")',
    ),
    "05-models-everywhere/hook": Ladder(
        "What must a hook know before it pulls?",
        "lifecycle.postStart of the container; when it fails, an event says so.",
        "kubectl get deployment ollama -o yaml; kubectl events --types Warning",
        'lab.apply("k8s/steps/05-hook")',
    ),
    "05-models-everywhere/init": Ladder(
        "What in a Pod runs to its end before the server starts?",
        "An init container `pull`; its log shows what it did.",
        "kubectl logs deployment/ollama --container pull",
        'lab.apply("k8s/steps/05-init")',
    ),
    "05-models-everywhere/sidecar": Ladder(
        "Which init container does not end, and which line makes it one?",
        "restartPolicy of the init container; its log shows the progress of the pull.",
        "kubectl logs deployment/ollama --container pull",
        'lab.apply("k8s/steps/05-sidecar")',
    ),
    "05-models-everywhere/store": Ladder(
        "Who fills the store, and how many may read it?",
        "The Job has to be complete and the claim bound; then three Pods read it.",
        "kubectl get jobs,pvc,pods",
        'lab.apply("k8s/steps/05-store"); lab.wait("job/fill-models"); '
        'lab.scale("deployment/ollama", replicas=3)',
    ),
    "05-models-everywhere/your-turn": Ladder(
        "Which of the ways would you want at three in the morning, twice?",
        "Any of them but the one store will do; there should be two Pods, each ready only with its "
        "model.",
        f"{_WIDE}",
        'lab.apply("k8s/steps/05-sidecar"); lab.scale("deployment/ollama", replicas=2)',
    ),
    "06-helm/installed": Ladder(
        "Which release is there, and with which values?",
        "The release's state, and the values that it was installed with.",
        "helm history ollama; helm get values ollama",
        "helm install ollama ollama/ollama --set ollama.insecure=true "
        '--set "ollama.models.pull={$MODEL}"',
    ),
    "06-helm/changed": Ladder(
        "Which revision is deployed, and where did it come from?",
        "A rollback is a new revision, and its description says of which one.",
        "helm history ollama",
        "helm rollback ollama 1 --wait",
    ),
    "06-helm/your-turn": Ladder(
        "Which value of the chart says how many, and which ones must stay as they are?",
        "What you do not name falls back to the chart's own: no model.",
        "helm get values ollama; helm show values ollama/ollama",
        'lab.helm_upgrade("ollama", "ollama", repo=os.environ["CHARTS"], '
        'values={"ollama.insecure": True, "ollama.models.pull": [lab.model], "replicaCount": 3})',
    ),
    "07-load/ready": Ladder(
        "Does the Ollama under load have the models that it is asked for?",
        "There should be two: the lab's, and its slow one.",
        "kubectl exec deployment/ollama -- ollama list",
        'lab.pull(at="deployment/ollama"); lab.pull(slow, at="deployment/ollama")',
    ),
    "07-load/your-turn": Ladder(
        "What says to Ollama how many prompts it may answer at a time, and what is lost with it?",
        "Its log names OLLAMA_NUM_PARALLEL at its start; a changed Deployment has a new Pod.",
        "kubectl set env deployment/ollama --list; kubectl exec deployment/ollama -- ollama list",
        "kubectl set env deployment/ollama OLLAMA_NUM_PARALLEL=4, then both pulls again",
    ),
    "07-load/under-200": Ladder(
        "When does a server write the status of its answer: before its work, or after it?",
        "A pull's first line comes before Ollama has asked for the model. Its last line reports "
        "how it ended: read the answer itself, not only its status.",
        "kubectl logs deployment/ollama --tail=5",
        'lab.hey("http://ollama:11434/api/pull", n=4, c=2, body=wrong)',
    ),
    "08-metrics/proxy": Ladder(
        "Who counts the questions and the answers, and who reads those figures?",
        "Each Pod has two ports for Prometheus; up says whether it could read them.",
        "kubectl get pods -l app=ollama; kubectl logs deployment/ollama --container haproxy",
        'lab.apply("k8s/steps/08-proxy"); lab.rollout("deployment/ollama")',
    ),
    "08-metrics/front": Ladder(
        "How does one proxy learn the addresses of all Pods, and which of them may it ask?",
        "A headless Service has them; the front proxy queries /ready of each.",
        "kubectl get endpointslices; kubectl logs deployment/front",
        'lab.scale("deployment/ollama", replicas=2); lab.apply("k8s/steps/08-front")',
    ),
    "08b-problems/ready": Ladder(
        "How many Pods has the Deployment, and does Prometheus read both?",
        "Two Pods, each with two ports for Prometheus; up is 1 where it could read them.",
        "kubectl get pods -l app=ollama; kubectl logs deployment/ollama --container haproxy",
        'lab.apply("k8s/steps/08-proxy"); lab.scale("deployment/ollama", replicas=2)',
    ),
    "08b-problems/first": Ladder(
        "There are two Pods. Which of them answers?",
        "On the dashboard: sum by (pod) of the answers, and haproxy_backend_active_servers of "
        "each proxy.",
        "kubectl get pods -l app=ollama",
        'lab.pull(at="pod/…") into the one whose proxy finds no model, then ask again',
    ),
    "08b-problems/second": Ladder(
        "Nothing fails, and all is slow. What is used up: places, memory, processor?",
        "container_cpu_cfs_throttled_periods_total, beside container_cpu_cfs_periods_total.",
        "kubectl top pods --containers; kubectl describe deployment/ollama",
        'kubectl rollout undo deployment/ollama, then ask again: lab.load_test("service/ollama")',
    ),
    "08b-problems/third": Ladder(
        "Two models are asked in turn. How many are in memory at a time?",
        "ollama_loaded_models, and how often ollama_load_duration_seconds was more than 0.16 s.",
        "kubectl exec deployment/ollama -- ollama ps; kubectl set env deployment/ollama --list",
        "kubectl set env deployment/ollama OLLAMA_MAX_LOADED_MODELS-, then "
        'lab.rollout("deployment/ollama"); lab.pull(slow, at="deployment/ollama"), and ask both',
    ),
    "10-troubleshoot/hunt": Ladder(
        "How far does a question come: to the Service, to a Pod, to a server, to a model?",
        "Begin outside: does the Service have an address behind it? If not, what do its Pods lack?",
        "kubectl describe service/ollama; kubectl get pods; kubectl events --types=Warning",
        'lab.delete("deployment/ollama"); lab.delete("service/ollama"); '
        'lab.apply("k8s/steps/05-hook"); lab.apply("k8s/steps/03-service")',
    ),
}
