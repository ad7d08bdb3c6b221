"""diagnosis/mistakes.py and what it asks: each mistake as a cluster of Kubernetes 1.34 told it."""

import datetime
import re

import pytest

from labkit.diagnosis import hooks, mistakes, ranking
from labkit.diagnosis import rules as diagnosis
from labkit.diagnosis.facts import Facts
from labkit.lessons import fault

MODEL = "models.lab-system:5001/library/lab-llama"
NOW = datetime.datetime.now(datetime.UTC)
LABELS = {"app": "ollama"}


def ago(seconds: float) -> str:
    return (NOW - datetime.timedelta(seconds=seconds)).isoformat()


def running(seconds: float = 60) -> dict:
    return {"state": {"running": {"startedAt": ago(seconds)}}}


def waiting(reason: str, message: str = "", /, **last) -> dict:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"state": state, "lastState": {"terminated": last} if last else {}, "restartCount": 2}


def pod(
    status: dict | None = None,
    *,
    name: str = "ollama-1",
    ready: bool = False,
    labels: dict | None = None,
    annotations: dict | None = None,
    node: str = "lab-worker",
    conditions: tuple[dict, ...] = (),
    **container,
) -> dict:
    main = {"name": "ollama", "image": "ollama/ollama", **container}
    state = {"type": "Ready", "status": str(ready)}
    meta = {"name": name, "uid": name, "labels": labels or LABELS, "annotations": annotations or {}}
    return {
        "metadata": meta,
        "spec": {"containers": [main], "nodeName": node, "terminationGracePeriodSeconds": 5},
        "status": {
            "phase": "Running",
            "conditions": [state, *conditions],
            "containerStatuses": [
                {"name": "ollama", "ready": ready, **(running() if status is None else status)}
            ],
        },
    }


def client(*args: str) -> dict:
    return pod({"state": {"terminated": {"exitCode": 1}}}, name="client", image="a/b", args=args)


def service(port: int = 11434, target: int | str = 11434, selector: dict | None = None) -> dict:
    ports = [{"port": port, "targetPort": target}]
    spec = {"ports": ports, "selector": selector or LABELS}
    return {"metadata": {"name": "ollama", "uid": "s"}, "spec": spec}


def deployment(message: str = "") -> dict:
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    return {
        "metadata": {"name": "ollama", "uid": "d"},
        "spec": {"template": {"metadata": {"labels": LABELS}}},
        "status": {"conditions": [{**failed, "message": message}] if message else []},
    }


def event(reason: str, message: str, *, of: str = "ollama-1", kind: str = "Pod") -> dict:
    there = {"uid": of, "name": of, "kind": kind}
    return {"reason": reason, "message": message, "involvedObject": there}


def node(ready: str) -> dict:
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": "lab-worker"}, "status": {"conditions": conditions}}


def unplaced(message: str) -> dict:
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return pod({"state": {}}, conditions=({**told, "message": message},))


def facts(*pods: dict, log: str = "", **given) -> Facts:
    held = {one["metadata"]["name"]: [f"{MODEL}:latest"] for one in pods if one["spec"]}
    logs = {("ollama-1", "ollama"): log, **given.pop("logs", {})}
    known = {"images": ("ollama/ollama", "alpine/httpie"), "model": MODEL, "context": "kind-lab"}
    return Facts(**{**known, "pods": list(pods), "held": held, "logs": logs, **given})


HOOKED = event("FailedPostStartHook", "PostStartHook failed")
HOOK = {"lifecycle": {"postStart": {"exec": {"command": ["ollama", "pull", "x"]}}}}
LOOPS = waiting("CrashLoopBackOff", "back-off", exitCode=0)
ABSENT = "failed to resolve reference: docker.io/ollama/olama:latest: not found"
LAST_HOST = (
    'Head "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such'
)
PULLED = '[GIN] 2026/11/24 - 11:26:08 | 200 |  5.0s |       127.0.0.1 | POST     "/api/pull"'
LOOPBACK = 'msg="Listening on 127.0.0.1:11434 (version 0.24.0)"'
KILLED = {"exitCode": 137, "startedAt": ago(9), "finishedAt": ago(8)}
LIMIT = {"resources": {"limits": {"memory": "6Mi"}}}
PROBE = {"httpGet": {"path": "/", "port": 11343}}
CLAIM = {"of": "models", "kind": "PersistentVolumeClaim"}
PSA = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
QUOTA = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0'
# Ollama 0.24.0, asked for more than this machine has; on cgroup v2 it counts its own limit
TOO_BIG = "model requires more system memory (1464.8 GiB) than is available (22.1 GiB)"
TOO_BIG_LOG = """\
level=WARN source=server.go:1079 msg="model request too large for system" requested="1464.8 GiB"
level=INFO source=sched.go:511 msg="Load failed" error="model requires more system memory (1464.8"
[GIN] 2026/11/24 - 12:15:41 | 500 |    9.585385ms |    10.244.1.110 | POST     "/api/generate"
[GIN] 2026/11/24 - 12:15:42 | 200 |       53.89µs |      10.244.1.1 | GET      "/"
"""
# what is left of a model's process that the kernel ended: at its load, in the middle of an answer
KILLED_AT_LOAD = {
    "0.24.0": "llama runner process has terminated: signal: killed",
    "0.34.2": "llama-server process has terminated: signal: killed",
}
CUT_OFF = "an error was encountered while running the model: unexpected EOF"  # both
# kubectl 1.37.2, of `exec … -- ollama run` in a container with a memory limit of 24 MiB
EXEC_KILLED = "CommandFailed: kubectl exec\nsaw: command terminated with exit code 137"
# Ollama 0.34.2, whose limit of 150 MiB is too small for a model of 394 MiB
KILLED_LOG = """\
level=INFO source=sched.go:646 msg="Load failed" model=/ollama/.ollama/models/blobs/sha256-0\
 error="llama-server process has terminated: signal: killed"
[GIN] 2026/11/29 - 12:15:41 | 500 |  2.712385312s |    10.244.1.110 | POST     "/api/generate"
[GIN] 2026/11/29 - 12:15:42 | 200 |       53.89µs |      10.244.1.1 | GET      "/"
"""
# Ollama 0.24.0, of whose two clients the first left in the middle of its answer
LEFT_LOG = """\
[GIN] 2026/11/28 - 20:39:00 | 200 |   26.105448ms |      172.17.0.1 | POST     "/api/generate"
level=INFO msg="aborting completion request due to client closing the connection"
[GIN] 2026/11/28 - 20:39:12 | 500 | 12.012367853s |      172.17.0.1 | POST     "/api/generate"
[GIN] 2026/11/28 - 20:39:13 | 404 |   26.105448ms |      172.17.0.1 | POST     "/api/generate"
[GIN] 2026/11/28 - 20:39:14 | 200 |    2.594127ms |       127.0.0.1 | POST     "/api/show"
[GIN] 2026/11/28 - 20:39:14 | 200 |       53.89µs |      10.244.1.1 | GET      "/"
"""
# What Ollama 0.34.2 wrote when it was blocked (its goroutine waits in `chan send`, routes.go:742).
LEFT_LOG_0_34 = """\
[GIN] 2026/11/30 - 05:55:01 | 200 |   18.390122ms |       127.0.0.1 | POST     "/api/generate"
slot      release: id  0 | task 4891 | stop processing: n_tokens = 10, truncated = 0
srv  update_slots: all slots are idle
[GIN] 2026/11/30 - 05:55:02 | 200 |      28.282µs |       127.0.0.1 | HEAD     "/"
[GIN] 2026/11/30 - 05:55:02 | 200 |     425.224µs |       127.0.0.1 | POST     "/api/show"
time=2026-11-30T05:55:12.676Z level=INFO source=llama_server.go:1552 msg="aborting \
completion request due to client closing the connection"
[GIN] 2026/11/30 - 05:55:12 | 500 |  9.990976628s |       127.0.0.1 | POST     "/api/generate"
"""

SEEN = [
    ("wrong-context", facts(error="context was not found for specified context: nosuch")),
    ("wrong-context", facts(error='error: context "nosuch" does not exist')),
    ("wrong-context", facts(pod(ready=True), chosen="other")),
    ("helm-old-value", facts(error="can't evaluate field pull in type interface {}")),
    ("restricted-namespace", facts(deployments=[deployment(PSA)])),
    ("restricted-namespace", facts(error=PSA)),
    ("quota-exceeded", facts(deployments=[deployment(QUOTA)])),
    ("quota-exceeded", facts(error=QUOTA)),
    (
        "limitrange-too-small",
        facts(deployments=[deployment("must be less than or equal to memory limit of 6Mi")]),
    ),
    (
        "limitrange-too-small",
        facts(
            pod(
                waiting("CrashLoopBackOff", "", reason="OOMKilled", **KILLED),
                annotations={
                    "kubernetes.io/limit-ranger": "LimitRanger plugin set:"
                    " memory request for container ollama; memory limit for container ollama"
                },
                **LIMIT,
            )
        ),
    ),
    ("node-down", facts(pod(), nodes=[node("Unknown")])),
    (
        "node-down",
        facts(unplaced("untolerated taint {node.kubernetes.io/unreachable: }"), nodes=[node("")]),
    ),
    (
        "registry-down",
        facts(pod(waiting("ImagePullBackOff", LAST_HOST)), registry={"ollama/ollama": 0}),
    ),
    ("registry-down", facts(pod(waiting("ImagePullBackOff", LAST_HOST)))),
    (
        "unknown-tag",
        facts(
            pod(waiting("ImagePullBackOff", LAST_HOST), image="ollama/ollama:9"),
            registry={"ollama/ollama:9": 404},
        ),
    ),
    (
        "misspelt-image",
        facts(
            pod(waiting("ErrImagePull", LAST_HOST), image="ollama/olama"),
            registry={"ollama/olama": 404},
        ),
    ),
    ("misspelt-image", facts(pod(waiting("ErrImagePull", ABSENT), image="ollama/olama"))),
    ("misspelt-image", facts(pod(waiting("InvalidImageName"), image="Ollama/OLLAMA"))),
    (
        "misspelt-command",
        facts(pod(waiting("RunContainerError", 'exec: "olama": executable file not found'))),
    ),
    ("misspelt-command", facts(pod(waiting("CrashLoopBackOff", "", exitCode=127)))),
    (
        "misspelt-command",
        facts(pod(LOOPS), log='Error: unknown command "srve" for "ollama"'),
    ),
    ("memory-limit", facts(pod(waiting("CrashLoopBackOff", "", reason="OOMKilled", **KILLED)))),
    (
        "memory-limit",  # containerd did not notice, and the hook that needed it failed
        facts(pod(waiting("CrashLoopBackOff", "", **KILLED), **LIMIT), events=[HOOKED]),
    ),
    ("memory-limit", facts(error=f"OllamaSaid: it returned an error (HTTP 500)\nsaw: {TOO_BIG}")),
    ("memory-limit", facts(pod(ready=True), log=TOO_BIG_LOG)),
    *(("memory-limit", facts(error=f"saw: {said}")) for said in KILLED_AT_LOAD.values()),
    ("memory-limit", facts(error=f"OllamaSaid: it returned an error (HTTP 200)\nsaw: {CUT_OFF}")),
    ("memory-limit", facts(pod(ready=True), log=KILLED_LOG)),
    ("memory-limit", facts(pod(ready=True, **LIMIT), error=EXEC_KILLED)),
    ("hook-misspelt-model", facts(pod(LOOPS, **HOOK), events=[HOOKED], log=PULLED)),
    (
        "hook-misspelt-model",
        facts(pod(LOOPS, **HOOK), events=[HOOKED], refused={"ollama-1": ["library/nosuch:latest"]}),
    ),
    ("hook-before-server", facts(pod(LOOPS, **HOOK), events=[HOOKED])),
    (
        "no-storage-class",
        facts(
            unplaced("pod has unbound immediate PersistentVolumeClaims"),
            claims=[{"metadata": {"name": "m", "uid": "models"}, "status": {"phase": "Pending"}}],
            events=[
                event(
                    "ProvisioningFailed",
                    'storageclass.storage.k8s.io "nosuch" not found',
                    **CLAIM,
                )
            ],
        ),
    ),
    ("request-fits-no-node", facts(unplaced("0/2 nodes are available: 2 Insufficient cpu."))),
    ("ollama-host-loopback", facts(pod(ready=True), held={}, log=LOOPBACK)),
    (
        "ollama-host-loopback",
        facts(pod(env=[{"name": "OLLAMA_HOST", "value": "localhost"}]), held={}),
    ),
    ("probe-wrong-port", facts(pod(readinessProbe=PROBE))),
    ("misspelt-name", facts(error="dial tcp: lookup olama on 10.96.0.10:53: no such host")),
    ("misspelt-name", facts(error="curl: (6) Could not resolve host: olama")),
    (
        "misspelt-name",
        facts(
            client("http://olama:11434/"),
            services=[service(selector={"app": "x"})],
            logs={("client", "ollama"): "gaierror: [Errno -2] Name or service not known"},
        ),
    ),
    (
        "misspelt-model",
        facts(pod(ready=True), held={"ollama-1": []}, refused={"ollama-1": ["library/x:latest"]}),
    ),
    ("misspelt-model", facts(error="Error: pull model manifest: file does not exist")),
    ("wrong-namespace", facts(elsewhere=["pod/ollama in namespace default"])),
    ("wrong-namespace", facts(error='namespaces "labb" not found')),
    (
        "selector-matches-nothing",
        facts(pod(ready=True), services=[service(selector={"app": "olama"})]),
    ),
    ("wrong-target-port", facts(pod(ready=True), services=[service(target=11343)])),
    ("wrong-target-port", facts(pod(ready=True), services=[service(target="http")])),
    ("wrong-service-port", facts(pod(ready=True), services=[service(11343, 11343)])),
    (
        "wrong-service-port",
        facts(
            pod(ready=True),
            services=[service(8080)],
            error="Failed to connect to ollama port 11434 after 3 ms: Connection refused",
        ),
    ),
    (
        "pods-not-ready",
        facts(pod(), services=[service()], events=[event("Unhealthy", "statuscode: 404")]),
    ),
    (
        "model-on-one-replica",
        facts(
            pod(ready=True), pod(name="b", ready=True), held={"ollama-1": [MODEL], "b": ["other"]}
        ),
    ),
    ("model-not-pulled", facts(pod(ready=True), held={"ollama-1": []})),
    ("client-left", facts(pod(ready=True), log=LEFT_LOG)),
    ("client-left", facts(pod(ready=True), log=LEFT_LOG.replace("generate", "chat"))),
    (
        "client-left",  # and another one failed at once
        facts(
            pod(ready=True), log=LEFT_LOG.replace("| 404 |   26.105448ms", "| 500 |       53.89µs")
        ),
    ),
    (
        "client-left",
        facts(
            pod(ready=True),
            log=LEFT_LOG.replace("12.012367853s", "1m3s").replace(":39:00", ":38:09"),
        ),
    ),
    ("client-left", facts(pod(ready=True), log=LEFT_LOG.replace("api/generate", "v1/completions"))),
    ("client-left", facts(pod(ready=True), log=LEFT_LOG_0_34)),
    (
        "client-left",  # in Ollama 0.34.2's words for a chat
        facts(pod(ready=True), log=LEFT_LOG_0_34.replace("completion request", "chat request")),
    ),
]


@pytest.mark.parametrize(("wanted", "given"), SEEN, ids=lambda one: one if type(one) is str else "")
def test_each_mistake_is_recognised_by_what_it_leaves(wanted, given):
    found = ranking.diagnosed(given)
    assert (found.id, bool(found.saw)) == (wanted, True), found
    assert "\n" not in found.saw and len(found.saw) < 300


@pytest.mark.parametrize("row", mistakes.MISTAKES, ids=lambda row: row.id)
def test_every_mistake_has_all_its_words_and_a_line_to_look_with(row):
    assert re.fullmatch(r"[a-z][a-z-]+", row.id)
    assert all((row.symptom, row.cause, row.fix, row.source)) and row.saw == ""
    assert row.look.startswith(("kubectl ", "helm "))
    assert row.id in {wanted for wanted, _ in SEEN}
    known = vars(diagnosis) | vars(hooks)
    rules = {name for name, rule in known.items() if rule is row.seen}
    assert len(rules) == 1


def behind_a_proxy() -> dict:
    made = pod(ready=True)
    ports = [{"name": "http", "containerPort": 11434}]
    made["spec"]["initContainers"] = [{"name": "haproxy", "image": "haproxy", "ports": ports}]
    return made


BEGUN = running(-3600)  # however slow this machine is
NAME_UNKNOWN = {("client", "ollama"): "gaierror: [Errno -2] Name or service not known"}
WELL = {
    "nothing": facts(),
    "a command that was killed without a limit": facts(pod(ready=True), error=EXEC_KILLED),
    "a Service": facts(pod(ready=True), services=[service()], deployments=[deployment()]),
    "a port of one's own choice": facts(pod(ready=True), services=[service(80)]),
    "a proxy before it": facts(
        behind_a_proxy(), services=[service()], log=LOOPBACK.replace(":11434", ":11435")
    ),
    "it has just begun": facts(pod(BEGUN), services=[service()], held={}),
    "and may be pulling": facts(pod(BEGUN), held={"ollama-1": []}),
    "not begun": facts(pod(waiting("ContainerCreating")), services=[service()], held={}),
    "a node": facts(pod(ready=True), nodes=[node("True")]),
    "another node is down": facts(pod(ready=True, node="b"), nodes=[node("Unknown")]),
    "a client that failed before the Service was made": facts(
        pod(ready=True), client("http://ollama/"), services=[service()], logs=NAME_UNKNOWN
    ),
    "a container that was lost with its node": facts(
        pod(waiting("CrashLoopBackOff", "", exitCode=137, startedAt=None, finishedAt=None), **LIMIT)
    ),
    "a hook that has nothing to do with it": facts(pod(LOOPS), events=[HOOKED]),
    "a registry that is back": facts(
        pod(waiting("ImagePullBackOff", LAST_HOST)), registry={"ollama/ollama": 200}
    ),
    "a model that was too large, before another was asked": facts(
        pod(ready=True), log="signal: killed\n" + PULLED.replace("pull", "generate")
    ),
    "one that has just left: its line is not written yet": facts(
        pod(ready=True), log=LEFT_LOG.splitlines()[1]
    ),
    "one that left before its first word, and had its turn": facts(
        pod(ready=True), log="\n".join(LEFT_LOG.splitlines()[::2])
    ),
    "the same, long after another had waited in vain": facts(
        pod(ready=True),
        log=LEFT_LOG + "\n".join(LEFT_LOG.replace("20:39", "20:49").splitlines()[::2]),
    ),
    "a client that did not wait long": facts(
        pod(ready=True), log=LEFT_LOG.replace("12.012367853s", "4.9s")
    ),
    "one that left a busy server": facts(
        pod(ready=True), log=LEFT_LOG.replace("20:39:00", "20:39:01")
    ),
    "one that left, before another was answered": facts(
        pod(ready=True), log=LEFT_LOG + LEFT_LOG.splitlines()[0].replace("20:39:00", "20:40:00")
    ),
}


@pytest.mark.parametrize("given", WELL.values(), ids=WELL)
def test_what_works_or_has_just_begun_gets_no_diagnosis(given):
    assert ranking.diagnosed(given) is None


def test_the_hunt_plants_mistakes_of_the_table_only_and_every_seed_gives_one():
    assert set(fault.PLANTS) < {row.id for row in mistakes.MISTAKES}
    chosen = {fault.chosen(seed) for seed in range(len(fault.PLANTS))}
    assert chosen == set(fault.PLANTS)


def test_a_planted_mistake_changes_what_it_names_and_nothing_else():
    container = {"image": "ollama/ollama", "lifecycle": {"postStart": {}}}
    template = {"spec": {"containers": [container]}}
    objects = [
        {"kind": "Deployment", "spec": {"template": template}},
        {"kind": "Service", "spec": {"ports": []}},
    ]
    changed = fault.changed(objects, {"container": {"lifecycle": None, "image": "x"}})
    found = changed[0]["spec"]["template"]["spec"]["containers"][0]
    assert found == {"image": "x"}
    assert changed[1] == objects[1]
    assert container["image"] == "ollama/ollama"
