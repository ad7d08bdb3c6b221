"""The deck's commands in the running lab, as they stand on its slides.

Only `$MODEL`, `--insecure` / `insecure:=true` and the port (the slide has 11343) differ.
"""

import json
import re
import shutil
import socket
import urllib.parse

import pytest

from labkit.setup.build import route
from labkit.setup.cluster.model import plain
from labkit.setup.host import speed
from labkit.setup.host.shell import output

SYSTEM = ("kube-system", "lab-system", "local-path-storage")
# A learner types slower than Kubernetes removes the Pod of the line before.
READY = f"--timeout={speed.deadline(90):g}s"
GONE = f"kubectl wait pod --for=delete --selector run=httpclient {READY}"
HTTPCLIENT = "kubectl run httpclient --rm -it --image alpine/httpie -- --ignore-stdin"


def test_system_pods_are_ready_and_nothing_is_in_the_default_namespace(shell):
    pods = json.loads(shell("kubectl get pods --all-namespaces -o json").stdout)["items"]
    # other tests have Pods of their own meanwhile
    pods = [pod for pod in pods if pod["metadata"]["namespace"] in SYSTEM]
    assert len(pods) >= 10
    for pod in pods:
        conditions = {c["type"]: c["status"] for c in pod["status"]["conditions"]}
        assert conditions["Ready"] == "True", pod["metadata"]["name"]
    assert shell("kubectl get pods,deployments -n default -o name").stdout == ""


@pytest.mark.usefixtures("empty")
def test_a_pod_made_by_kubectl_run_answers_a_prompt_and_is_deleted(shell):
    shell("kubectl run ollama --image ollama/ollama")
    shell(f"kubectl wait pod ollama --for=condition=Ready {READY}")
    done = shell('kubectl exec ollama -- ollama run --insecure $MODEL "What\'s Bach best piece?"')
    assert len(done.stdout.split()) > 5
    shell("kubectl delete pod ollama")
    assert shell("kubectl get pods -o name").stdout == ""


@pytest.mark.usefixtures("empty")
def test_the_slides_from_deployment_to_load_work_word_for_word(shell):
    shell("kubectl create deployment ollama --image ollama/ollama")
    shell("kubectl create service clusterip ollama --tcp 11434")
    shell(f"kubectl wait endpoints ollama --for=jsonpath={{..ip}} {READY}")

    generate = f"{HTTPCLIENT} http://ollama:11434/api/generate model=$MODEL"
    answer = shell(f'{generate} prompt="Write a limerick about Kubernetes"', terminal=True)
    assert "not found" in answer.stdout, "the model must be missing until somebody pulls it"

    shell(GONE)

    shell("kubectl exec deployment/ollama -- ollama pull --insecure $MODEL")
    assert "lab-llama" in shell("kubectl exec deployment/ollama -- ollama list").stdout

    pull = f"{HTTPCLIENT} http://ollama:11434/api/pull name=$MODEL insecure:=true"
    assert '"status":"success"' in plain(shell(pull, terminal=True).stdout).replace(" ", "")
    shell(GONE)

    answer = shell(f'{generate} prompt="Write a limerick about YAML" stream:=false', terminal=True)
    body = json.loads(re.search(r"\{.*\}", plain(answer.stdout), re.DOTALL)[0])
    assert body["done"] is True
    assert body["eval_count"] > 5

    load = shell(
        "kubectl run hey --rm -it --image nixery.dev/hey -- hey -c 10 -n 10 -t 60 -m POST "
        '-d \'{"model": "\'$MODEL\'", "prompt": "vi or emacs?"}\' '
        "http://ollama:11434/api/generate",
        terminal=True,
    )
    assert re.search(r"\[200\]\s+10 responses", load.stdout), load.stdout


@pytest.mark.usefixtures("empty")
def test_a_pod_on_each_node_pulls_the_model_and_resolves_names(shell):
    nodes = shell("kubectl get nodes -o name").stdout.split()
    assert len(nodes) >= 2
    for number, node in enumerate(nodes):
        spec = {
            "nodeName": node.removeprefix("node/"),
            # the control plane's taint keeps other Pods away
            "tolerations": [{"operator": "Exists"}],
        }
        shell(
            f"kubectl run ollama-{number} --image ollama/ollama "
            f"--overrides='{json.dumps({'spec': spec})}'"
        )
        shell(f"kubectl wait pod ollama-{number} --for=condition=Ready {READY}")
        shell(f"kubectl exec ollama-{number} -- ollama pull --insecure $MODEL")
        shell(f"kubectl exec ollama-{number} -- getent hosts kubernetes.default")
        for name in filter(host_resolves, outside_names()):
            shell(f"kubectl exec ollama-{number} -- getent hosts {name}")


@pytest.mark.usefixtures("empty")
def test_a_volume_is_provisioned_for_a_claim_without_a_storage_class(shell):
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "models"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    volume = {"name": "models", "persistentVolumeClaim": {"claimName": "models"}}
    container = {
        "name": "ollama",
        "image": "ollama/ollama",
        "volumeMounts": [{"name": "models", "mountPath": "/root/.ollama"}],
    }
    spec = json.dumps({"spec": {"volumes": [volume], "containers": [container]}})
    shell(f"kubectl apply -f - <<< '{json.dumps(claim)}'")
    shell(f"kubectl run ollama --image ollama/ollama --overrides='{spec}'")
    shell(f"kubectl wait pod ollama --for=condition=Ready {READY}")
    assert shell("kubectl get pvc models -o jsonpath={.status.phase}").stdout == "Bound"


@pytest.mark.usefixtures("empty")
def test_what_restricted_would_reject_is_told_when_asked_and_the_labs_own_enforces_it(shell):
    dry = "kubectl run bare --image ollama/ollama --dry-run=server"
    assert "Warning" not in shell(dry).stderr
    shell("kubectl run ollama --image ollama/ollama")
    level = "pod-security.kubernetes.io/enforce=restricted"
    asked = f"kubectl label namespace lab {level} --overwrite --dry-run=server"
    assert "ollama: allowPrivilegeEscalation != false" in shell(asked).stderr
    refused = shell(f"{dry} --namespace lab-system", code=1)
    assert "violates PodSecurity" in refused.stderr
    privileged = """--overrides='{"spec": {"hostNetwork": true}}'"""
    assert "violates PodSecurity" in shell(f"{dry} {privileged}", code=1).stderr


def test_helm_kind_and_hey_of_the_lab_are_on_path(shell):
    assert "lab" in shell("kind get clusters").stdout.split()
    assert shell("helm list").stdout.startswith("NAME")
    assert "-c  Number of workers" in shell("hey", code=None).stderr


def outside_names() -> list[str]:
    """Hosts that one of the routes downloads from, as this machine is set up."""
    urls = list(route.PROBES.values())
    if shutil.which("go"):
        urls += re.split("[,|]", output("go", "env", "GOPROXY"))
    return [host for url in urls if (host := urllib.parse.urlsplit(url).hostname)]


def host_resolves(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, 80))
    except OSError:
        return False
