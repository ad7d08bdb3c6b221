"""The classic mistakes: symptom, cause, fix, where to look; `likely` names the one that is made.

The table is also docs/troubleshooting.md (troubleshooting.py writes it). Specific before
general: the first row whose function sees something is the diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from labkit.errors import LabError
from labkit.kube.session import Session
from labkit.lessons import facts as gathered
from labkit.lessons import rules


class Mistake(NamedTuple):
    """One row. `look`: a line to look for oneself; `source`: where labkit looks, and `seen` reads
    it. `saw` is what it saw here and now, "" in the table."""

    id: str
    symptom: str
    cause: str
    fix: str
    look: str
    source: str = ""
    seen: Callable[[gathered.Facts], str] = lambda facts: ""
    saw: str = ""


def likely(session: Session, error: LabError | None = None) -> Mistake | None:
    """The mistake that explains best the state of the cluster now, and `error` if there is one.

    Asks the cluster once, two seconds at most for each thing asked; changes nothing. None: no
    mistake of the table is seen, which does not mean that all is well.
    """
    return diagnosed(gathered.gather(session, error))


def diagnosed(facts: gathered.Facts) -> Mistake | None:
    """The first row of the table that the facts show."""
    for mistake in MISTAKES:
        if saw := mistake.seen(facts):
            return mistake._replace(saw=saw)
    return None


MISTAKES = (
    Mistake(
        "wrong-context",
        "kubectl does not list your objects, or does not connect",
        "kubectl is connected to another cluster: its current context is not the lab's",
        'in a terminal: eval "$(./lab env)"; or: kubectl config use-context NAME',
        "kubectl config get-contexts",
        "kubectl's message in the error; the current context in the lab's kubeconfig",
        rules.wrong_context,
    ),
    Mistake(
        "helm-old-value",
        "helm: can't evaluate field … in type interface {}",
        "the value is in the place that an older chart had for it",
        'the models are a list in ollama.models.pull: --set "ollama.models.pull={NAME}"',
        "helm show values ollama/ollama",
        "helm's message in the error: it changes nothing in the cluster",
        rules.old_value,
    ),
    Mistake(
        "restricted-namespace",
        'violates PodSecurity "restricted"; a Deployment has no Pod',
        "the namespace accepts only Pods without special rights, and the image's own Pod has them",
        "set its securityContext, as k8s/steps/05-sidecar does; or use a baseline namespace",
        "kubectl describe replicasets",
        "condition ReplicaFailure of Deployments; the error",
        rules.restricted,
    ),
    Mistake(
        "quota-exceeded",
        "exceeded quota; a Deployment has fewer Pods than it wants, or none",
        "the namespace has a ResourceQuota, and what is there has used it up",
        "delete what is not needed, ask for less, or have the quota raised",
        "kubectl describe resourcequotas",
        "condition ReplicaFailure of Deployments; the error",
        rules.quota,
    ),
    Mistake(
        "limitrange-too-small",
        "OOMKilled, or Pods that are refused, with a limit that no manifest has",
        "a LimitRange gives a limit to containers that name none, and it is too small",
        "write resources.limits.memory in the container, or have the LimitRange changed",
        "kubectl describe limitranges",
        "annotation kubernetes.io/limit-ranger of Pods that were killed; ReplicaFailure",
        rules.small_default,
    ),
    Mistake(
        "node-down",
        "Pods were ready and are not any more; new ones stay Pending",
        "the machine that they are on does not answer",
        "start it again (./lab up); a Deployment's Pods are replaced on other nodes after 5 min",
        "kubectl get nodes",
        "condition Ready of nodes that have Pods of yours",
        rules.node_down,
    ),
    Mistake(
        "registry-down",
        "ImagePullBackOff: failed to do request, connection refused, no such host",
        "the image registry does not answer; the image's name may be right",
        "./lab up starts the lab's registry again; elsewhere look at network and proxy",
        "kubectl events --types=Warning",
        "the kubelet's message about the image",
        rules.registry_down,
    ),
    Mistake(
        "unknown-tag",
        "ImagePullBackOff: not found, and the image's name is right",
        "the image has no such tag",
        "kubectl set image deployment/ollama ollama=ollama/ollama",
        "kubectl describe pods",
        "the kubelet's message about the image; the names that the lab knows",
        rules.unknown_tag,
    ),
    Mistake(
        "misspelt-image",
        "ImagePullBackOff, InvalidImageName: not found, access denied",
        "there is no image of that name",
        "kubectl set image deployment/ollama ollama=ollama/ollama; a Pod: delete and run it again",
        "kubectl describe pods",
        "the kubelet's message about the image; the names that the lab knows",
        rules.misspelt_image,
    ),
    Mistake(
        "misspelt-command",
        "CrashLoopBackOff, RunContainerError, Error with more and more RESTARTS: it exits at once",
        "the image has no such program, or the program has no such command",
        "correct command or args; without both the image starts its own program",
        "kubectl logs deployment/ollama --previous",
        "how the container ended, its exit code, its log",
        rules.misspelt_command,
    ),
    Mistake(
        "memory-limit",
        "OOMKilled, or HTTP 500: process has terminated: signal: killed (Ollama 0.24 also: model"
        " requires more system memory); an answer that ends with: unexpected EOF",
        "the container may have less memory than the model needs",
        "kubectl set resources deployment/ollama --limits=memory=1Gi; or a smaller model",
        "kubectl describe pods",
        "how the container ended; Ollama's message, in its log or in the error",
        rules.small_memory,
    ),
    Mistake(
        "hook-misspelt-model",
        "FailedPostStartHook, the container is killed and restarts; the server had a request",
        "the hook pulls a model that does not exist, and a hook that fails kills its container",
        "correct the model's name: echo $MODEL has the lab's",
        "kubectl get deployment/ollama --output=jsonpath={..lifecycle}",
        "events; a pull in the server's own log, and the name in the mirror's",
        rules.misspelt_in_hook,
    ),
    Mistake(
        "hook-before-server",
        "FailedPostStartHook, the container is killed and restarts; the server had no request",
        "the hook begins with the server, and does not wait until that answers",
        "let it wait: `until ollama list; do sleep 0.2; done`, with a limit, as k8s/steps/05-hook",
        "kubectl events --types=Warning",
        "events; no pull in the server's own log",
        rules.early_hook,
    ),
    Mistake(
        "no-storage-class",
        "Pending: unbound immediate PersistentVolumeClaims",
        "the claim names a storage class that does not exist, or none and there is no default",
        "delete the claim, and create it again with a class that exists",
        "kubectl get storageclasses,persistentvolumeclaims",
        "events of the claim, and the scheduler's message about the Pod",
        rules.no_storage_class,
    ),
    Mistake(
        "request-fits-no-node",
        "Pending: Insufficient cpu, Insufficient memory",
        "it requests more than any node has left",
        "ask for less: kubectl set resources deployment/ollama --requests=cpu=100m",
        "kubectl describe nodes",
        "the scheduler's message about the Pod",
        rules.no_room,
    ),
    Mistake(
        "ollama-host-loopback",
        "the Pod runs, ollama works inside it, and clients outside the Pod get no answer",
        "OLLAMA_HOST is an address of the Pod's own loopback",
        "kubectl set env deployment/ollama OLLAMA_HOST=0.0.0.0",
        "kubectl logs deployment/ollama",
        "Ollama's log: Listening on 127.0.0.1",
        rules.loopback,
    ),
    Mistake(
        "probe-wrong-port",
        "the Pod runs and is never ready: Readiness probe failed, connection refused",
        "the readiness probe connects to a port on which no process listens",
        "correct readinessProbe's port: Ollama listens on 11434",
        "kubectl events --types=Warning",
        "the probe, and Ollama's log",
        rules.wrong_probe_port,
    ),
    Mistake(
        "misspelt-name",
        "no such host, could not resolve",
        "no Service has the name that the client calls",
        "call SERVICE, or SERVICE.NAMESPACE from another namespace",
        "kubectl get services",
        "logs of the clients (Pods and containers other than Ollama's), and the error",
        rules.misspelt_name,
    ),
    Mistake(
        "misspelt-model",
        "pull model manifest: file does not exist",
        "there is no model of the name that was pulled",
        "correct the name: echo $MODEL has the lab's",
        "kubectl logs --namespace=lab-system deployment/models --container=haproxy --tail=20",
        "what the lab's mirror did not have for the Pod, logs of clients, and the error",
        rules.misspelt_model,
    ),
    Mistake(
        "wrong-namespace",
        "not found, though you have just made it",
        "it was made in another namespace than the one that is looked at",
        "delete it there, and make it with --namespace NAME, or after lab.start()",
        "kubectl get pods --all-namespaces",
        "Ollamas in `default` and `lab` while yours is empty; the error",
        rules.wrong_namespace,
    ),
    Mistake(
        "selector-matches-nothing",
        "the Service has no endpoints, though Pods are ready",
        "no Pod has the labels that the Service selects",
        "kubectl set selector service/ollama app=ollama",
        "kubectl get pods --show-labels; kubectl describe service/ollama",
        "labels of Pods and Deployments, the Service's selector",
        rules.no_match,
    ),
    Mistake(
        "wrong-target-port",
        "connection refused at the Service's right port, though it has endpoints",
        "the Service leads to a port of its Pods on which no process listens",
        "create it again: kubectl create service clusterip ollama --tcp=11434",
        "kubectl describe service/ollama",
        "the Service's ports, and where Ollama listens by its log",
        rules.wrong_target_port,
    ),
    Mistake(
        "wrong-service-port",
        "no answer from the Service, though it has endpoints",
        "the Service has another port than the one that clients call",
        "create it again: kubectl create service clusterip ollama --tcp=11434",
        "kubectl describe service/ollama",
        "the Service's ports, where Ollama listens, what clients asked in their logs or the error",
        rules.wrong_port,
    ),
    Mistake(
        "pods-not-ready",
        "the Service has no ready endpoints, though its selector is right",
        "its Pods run, and their readiness probe fails",
        "look at the probe's request and its result; correct the probe, or what it needs",
        "kubectl describe pods",
        "events Unhealthy of the Pods that a Service selects",
        rules.not_ready,
    ),
    Mistake(
        "model-on-one-replica",
        "some answers are 404, others succeed",
        "a pull reached one Pod, and the others do not have the model",
        "pull in each Pod; better, let each Pod bring it: notebook 05-models-everywhere",
        "kubectl get pods -o name | xargs -I{} kubectl exec {} -- ollama list",
        "/api/tags of each Pod",
        rules.one_replica,
    ),
    Mistake(
        "model-not-pulled",
        "HTTP 404: model not found",
        "the Pod's Ollama answers, and has no such model: a new Pod starts with an empty disk",
        "kubectl exec deployment/ollama -- ollama pull --insecure $MODEL",
        "kubectl exec deployment/ollama -- ollama list",
        "/api/tags of each Pod",
        rules.no_model,
    ),
    Mistake(
        "client-left",
        "prompts get no answer from an Ollama that is ready and lists its models",
        "clients that leave in the middle of an answer (Ctrl-C, a timeout) can block Ollama"
        " permanently (ollama/ollama#17131, seen with 0.24 and 0.34.2); or an answer takes that"
        " long",
        "wait as long as an answer may take, then: kubectl rollout restart deployment/ollama;"
        " a Pod: delete and run it again; the new one may have to pull the model",
        "kubectl logs deployment/ollama",
        "Ollama's log: a prompt whose client gave up waiting, while none was answered",
        rules.no_turn,
    ),
)
