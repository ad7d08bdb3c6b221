"""Situations near to others that have another cause, and healthy ones that look like a trouble."""

from tests.diagnosis.shapes import (
    LABELS,
    LIMIT,
    ago,
    container,
    deployment,
    ended,
    event,
    evicted,
    facts,
    failed_create,
    loops,
    node,
    pod,
    policy,
    replica_set,
    running,
    service,
    unplaced,
    waiting,
    workload,
)
from tests.diagnosis.situations_pods import (
    GPU,
    NOT_HELPFUL,
    PULL_IMAGE,
    RATE,
    REFUSED,
    failed_set,
    image,
    init,
    killed,
    misspelled,
    with_home,
)
from tests.diagnosis.situations_reach import (
    NO_INTERNET,
    PROXIED,
    READY,
    STORE,
    answered,
    asks,
    behind,
    client,
)


def nodes_say(*reasons: str) -> str:
    total = sum(int(one.partition(" ")[0]) for one in reasons)
    return f"0/{total} nodes are available: {', '.join(reasons)}." + NOT_HELPFUL


def offers(name: str, resource: str, *taints: str, **labels) -> dict:
    one = node(name, **labels)
    one["status"]["allocatable"] = {"cpu": "8", resource: "1"}
    one["spec"] = {"taints": [{"key": key, "effect": "NoSchedule"} for key in taints]}
    return one


def tainted(name: str, *keys: str, ready: str = "True", **labels) -> dict:
    one = node(name, ready, **labels)
    one["spec"] = {"taints": [{"key": key, "effect": "NoSchedule"} for key in keys]}
    return one


CONTROL = tainted("lab-control-plane", "node-role.kubernetes.io/control-plane")
AWAY = "node.kubernetes.io/unreachable"
MANY = [node(f"n{number}") for number in range(99)]


def probe(said: str, kind: str = "Liveness", **spec):
    """A container that is killed for its probe, which says so."""
    return killed(said, kind=kind, probe=spec or None)


def two_images(first: str, second: str):
    """Two containers of a Pod whose images fail for different reasons."""
    names = {"ollama": "ollama/ollama:0.34.2", "web": "reg.corp/web:1"}
    made = pod(
        *(container(name, image) for name, image in names.items()),
        statuses=[waiting("ImagePullBackOff", "Back-off", name=name) for name in names],
    )
    said = zip(names.values(), (first, second), strict=True)
    return facts(made, events=[event("Failed", PULL_IMAGE.format(*one)) for one in said])


def bare_claim(message: str, *, of: str, phase: str) -> dict:
    """What a claim's event says, and a Pod that waits; the claim that is there now is `now`."""
    told = event("ProvisioningFailed", message, of=of, kind="PersistentVolumeClaim")
    told["involvedObject"]["name"] = "models"
    claim = {"metadata": {"name": "models", "uid": "now"}, "status": {"phase": phase}}
    return {"events": [told], "claims": [{**claim, "spec": {}}]}


UNBOUND = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
NO_CLASS = 'storageclass.storage.k8s.io "fast" not found'
SETS = {"deprecated.daemonset.template.generation": "2"}
DAEMON = {
    **workload("ds", status={"desiredNumberScheduled": 1, "currentNumberScheduled": 1}),
    "metadata": {"name": "ollama", "uid": "ds", "generation": 2, "annotations": SETS},
}
DAEMON["status"]["observedGeneration"] = 2


def cron_job(name: str, *, s: float, **status) -> dict:
    made = workload(name, status=status)
    owner = {"kind": "CronJob", "name": "nightly", "uid": "cron"}
    made["metadata"] |= {"creationTimestamp": ago(s), "ownerReferences": [owner]}
    return made


def pulls(name: str, job: str, code: int, *, s: float, phase: str = "") -> dict:
    return pod(
        container("pull", "curlimages/curl"),
        name=name,
        owner=("Job", job),
        statuses=[ended(code, name="pull") if phase != "Running" else running("pull")],
        phase=phase or ("Failed" if code else "Succeeded"),
        s=s,
    )


def old_policy(**more) -> dict:
    made = policy()
    made["metadata"] |= {"creationTimestamp": ago(3600), **more}
    return made


DENY_OUT = {
    "metadata": {"name": "deny-out", "uid": "out", "creationTimestamp": ago(3600)},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
}
APP = container(
    "app",
    "corp/langchain-ollama-app:2",
    env={"OLLAMA_HOST": "http://ollama"},
    readinessProbe={"httpGet": {"path": "/", "port": 8000}},
)
WEB = pod(
    container("web", "ghcr.io/open-webui/open-webui:v1"),
    name="web",
    labels={"app": "web"},
    owner=("StatefulSet", "web"),
)
ROLES = {"app": "pg", "role": "replica"}
HOOK_127 = (
    "PostStartHookError",
    'Exec lifecycle hook ([sh -c curl http://localhost:11434/api/pull]) for Container "ollama" in'
    " Pod failed - error: command 'sh -c curl' exited with 127: sh: 1: curl: not found",
)
CURLS = {"postStart": {"exec": {"command": ["sh", "-c", "curl localhost:11434/api/pull # ollama"]}}}
BASELINE = (
    'pods "ollama-1" is forbidden: violates PodSecurity "baseline:latest": host namespaces'
    " (hostNetwork=true)"
)
SITUATIONS = {
    # GPUs: none offers one, or all are taken, or a taint guards them
    "a slice of a GPU": (
        "gpu-on-no-node",
        facts(unplaced(nodes_say("2 Insufficient nvidia.com/mig-1g.5gb"))),
    ),
    "a GPU's node without a processor left": (
        "request-fits-no-node",
        facts(unplaced(nodes_say("1 Insufficient cpu", "3 Insufficient nvidia.com/gpu"), GPU)),
    ),
    "all GPUs are taken": (
        "request-fits-no-node",
        facts(
            unplaced(nodes_say("2 Insufficient nvidia.com/gpu"), GPU),
            nodes=[node("a"), offers("b", "nvidia.com/gpu")],
        ),
    ),
    "a GPU's node has a taint, in the words of 1.34": (
        "taint-not-tolerated",
        facts(
            unplaced(
                nodes_say(
                    "1 node(s) had untolerated taint {nvidia.com/gpu: present}",
                    "2 Insufficient nvidia.com/gpu",
                ),
                GPU,
            ),
            nodes=[node("a"), node("c"), node("b")],
        ),
    ),
    "a GPU's node has a taint, by what it offers": (
        "taint-not-tolerated",
        facts(
            unplaced(
                nodes_say("1 node(s) had untolerated taint(s)", "1 Insufficient nvidia.com/gpu"),
                GPU,
            ),
            nodes=[node("a"), offers("b", "nvidia.com/gpu", "nvidia.com/gpu")],
        ),
    ),
    # nodes
    "one of a hundred nodes is down, the others are full": (
        "request-fits-no-node",
        facts(
            unplaced(nodes_say("99 Insufficient memory", "1 node(s) had untolerated taint(s)")),
            nodes=[*MANY, tainted("down", AWAY, ready="Unknown")],
        ),
    ),
    "one of a hundred nodes is down, the others have a taint": (
        "taint-not-tolerated",
        facts(
            unplaced(nodes_say("100 node(s) had untolerated taint(s)")),
            nodes=[
                *(tainted(f"n{number}", "team") for number in range(99)),
                tainted("down", AWAY, "team", ready="Unknown"),
            ],
        ),
    ),
    "the only node with that label is down": (
        "node-down",
        facts(
            unplaced(
                nodes_say(
                    "99 node(s) didn't match Pod's node affinity/selector",
                    "1 node(s) had untolerated taint(s)",
                ),
                nodeSelector={"disk": "ssd"},
            ),
            nodes=[*MANY, tainted("down", AWAY, ready="Unknown", disk="ssd")],
        ),
    ),
    "the only node with that label is cordoned": (
        "node-cordoned",
        facts(
            unplaced(
                nodes_say(
                    "1 node(s) were unschedulable",
                    "2 node(s) didn't match Pod's node affinity/selector",
                ),
                nodeSelector={"disk": "ssd"},
            ),
            nodes=[node("a"), CONTROL, node("b", disk="ssd")],
        ),
    ),
    "a Pod on a node that is down, and another one's image elsewhere": (
        ("node-down", "misspelt-image"),
        facts(
            pod(),
            misspelled(name="other", nodeName="b"),
            nodes=[node(ready="Unknown"), node("b")],
        ),
    ),
    # probes whose answer is no matter of time
    "a liveness probe by a program that the image lacks": (
        "liveness-probe-wrong",
        probe("sh: 1: curl: not found"),
    ),
    "a liveness probe by HTTPS": (
        "liveness-probe-wrong",
        probe('Get "https://10.244.1.5:11434/": http: server gave HTTP response to HTTPS client'),
    ),
    "a liveness probe by gRPC": (
        "liveness-probe-wrong",
        probe(
            "error: this server does not implement the grpc health protocol"
            " (grpc.health.v1.Health): unexpected HTTP status code received from server: 404"
        ),
    ),
    "a liveness probe of a host that is not there": (
        "liveness-probe-wrong",
        probe('Get "http://olama:11434/": dial tcp: lookup olama on 10.96.0.10:53: no such host'),
    ),
    "a proxy that waits for its Ollama": (
        "liveness-probe-too-early",
        probe("HTTP probe failed with statuscode: 502"),
    ),
    "a readiness probe by a program that the image lacks": (
        "pods-not-ready",
        facts(
            pod(statuses=[running(ready=False)]),
            services=[service()],
            events=[
                event(
                    "Unhealthy",
                    "Readiness probe errored and resulted in unknown state: rpc error: code ="
                    ' Unknown desc = failed to exec in container: exec: "curl": executable file not'
                    " found in $PATH",
                )
            ],
        ),
    ),
    # admission
    "a quota that wants limits": (
        "quota-wants-limits",
        facts(
            deployments=[
                failed_create(
                    'pods "ollama-1" is forbidden: failed quota: q: must specify limits.memory for:'
                    " ollama"
                )
            ]
        ),
    ),
    "a limit above the namespace's largest": (
        "outside-limit-range",
        facts(
            deployments=[
                failed_create(
                    'pods "ollama-1" is forbidden: maximum memory usage per Container is 512Mi, but'
                    " limit is 2Gi"
                )
            ]
        ),
    ),
    "a request below the namespace's smallest": (
        "outside-limit-range",
        facts(
            error='saw: pods "x" is forbidden: minimum cpu usage per Pod is 100m, but request is 1m'
        ),
    ),
    "a baseline namespace": (
        "baseline-namespace",
        facts(deployments=[failed_create(BASELINE)]),
    ),
    "a baseline namespace, a StatefulSet": (
        "baseline-namespace",
        failed_set("StatefulSet", BASELINE),
    ),
    # images
    "two images, each with its own reason": (
        ("image-rate-limit",),
        two_images(RATE, "reg.corp/web:1: not found"),
    ),
    "a Pod's image was corrected, and is refused": (
        "image-needs-login",
        facts(
            pod(
                container(image="reg.corp/ollama:2"),
                owner=None,
                statuses=[waiting("ImagePullBackOff", "Back-off")],
            ),
            events=[
                event("Failed", PULL_IMAGE.format("reg.corp/olama:1", "not found"), s=300),
                event("Failed", PULL_IMAGE.format("reg.corp/ollama:2", "401 Unauthorized"), s=10),
            ],
        ),
    ),
    "a registry that answers 503": (
        "registry-down",
        image("unexpected status from HEAD request to https://reg.corp: 503 Service Unavailable"),
    ),
    "an image of an init container that is never pulled": (
        "image-never-pulled",
        facts(
            pod(
                inits=[container("pull")],
                init_statuses=[waiting("ErrImageNeverPull", "not present", name="pull")],
                statuses=[waiting("PodInitializing")],
                phase="Pending",
            )
        ),
    ),
    "a user of the image that is a name": (
        "image-runs-as-root",
        facts(
            pod(
                statuses=[
                    waiting(
                        "CreateContainerConfigError",
                        "container has runAsNonRoot and image has non-numeric user (ollama), cannot"
                        " verify user is non-root",
                    )
                ]
            )
        ),
    ),
    "runAsUser 0 where none may be root": (
        "image-runs-as-root",
        facts(
            pod(
                statuses=[
                    waiting(
                        "CreateContainerConfigError",
                        'container\'s runAsUser breaks non-root policy (pod: "x", container: y)',
                    )
                ]
            )
        ),
    ),
    # programs
    "models in a folder of root's": (
        "home-not-writable",
        with_home("Error: mkdir /models/blobs: permission denied\n", env={"OLLAMA_MODELS": "/m"}),
    ),
    "an init container that pulls by curl": (
        "init-without-server",
        init(
            ["sh", "-c", "curl -d '{}' http://localhost:11434/api/pull"],
            "curl: (7) Failed to connect to localhost port 11434 after 0 ms: Couldn't connect\n",
            image="curlimages/curl",
        ),
    ),
    "a hook by a program that the image lacks": (
        "misspelt-command",
        facts(
            pod(container(lifecycle=CURLS), statuses=[waiting(*HOOK_127)]),
            events=[event("FailedPostStartHook", "PostStartHook failed")],
            log=READY,
        ),
    ),
    # volumes
    "a disk of a cloud that another machine has": (
        "volume-on-another-node",
        facts(
            pod(statuses=[waiting("ContainerCreating")]),
            events=[
                event(
                    "FailedAttachVolume",
                    'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal'
                    " desc = RESOURCE_IN_USE_BY_ANOTHER_RESOURCE - The disk resource is already"
                    " being used by 'instances/b'",
                )
            ],
        ),
    ),
    "a class that is not there": (
        "no-storage-class",
        facts(unplaced(UNBOUND), **bare_claim(NO_CLASS, of="now", phase="Pending")),
    ),
    # who reaches whom
    "a policy that lets no client out": (
        "network-policy-blocks",
        asks("curl: (28) Connection timed out after 5002 milliseconds\n", policies=[DENY_OUT]),
    ),
    "a load balancer whose addresses are used up": (
        "load-balancer-refused",
        facts(
            pod(),
            services=[service(type="LoadBalancer")],
            events=[
                event(
                    "AllocationFailed",
                    'Failed to allocate IP for "lab/ollama": no available IPs',
                    of="s-ollama",
                    kind="Service",
                )
            ],
        ),
    ),
    "a proxy that is not there itself": (
        "no-way-to-ollama-com",
        facts(
            pod(container(env=PROXIED)),
            error='saw: Error: pull model manifest: Get "https://registry.ollama.ai/v2/library/x'
            '/manifests/latest": proxyconnect tcp: dial tcp: lookup proxy.corp: no such host',
        ),
    ),
}
HEALTHY = {
    # past: objects, templates and events that another one has taken the place of
    "a class that was not there for an earlier claim": facts(
        unplaced(UNBOUND), **bare_claim(NO_CLASS, of="earlier", phase="Pending")
    ),
    "a class that came since": facts(
        unplaced(UNBOUND), **bare_claim(NO_CLASS, of="now", phase="Bound")
    ),
    "a DaemonSet's Pod of an earlier template": facts(
        misspelled(owner=("DaemonSet", "ds"), labels={**LABELS, "pod-template-generation": "1"}),
        daemonsets=[DAEMON],
    ),
    "a Job's first try, while the second runs": facts(
        pulls("first", "j", 1, s=90),
        pulls("second", "j", 0, s=10, phase="Running"),
        logs={("first", "pull"): NO_INTERNET},
        jobs=[workload("j", status={"active": 1})],
    ),
    "a CronJob that failed yesterday": facts(
        pulls("yesterday", "a", 1, s=90000),
        pulls("today", "b", 0, s=600),
        logs={("yesterday", "pull"): NO_INTERNET},
        jobs=[
            cron_job("a", s=90000, conditions=[{"type": "Failed", "status": "True"}]),
            cron_job("b", s=600, conditions=[{"type": "Complete", "status": "True"}]),
        ],
    ),
    "an answer before the policy was changed": asks(
        "ok", code=0, server_log=answered(200), policies=[old_policy(generation=2)]
    ),
    "an answer to another Pod of that address": asks(
        "ok",
        code=0,
        server_log=answered(200).replace("11:59:08", "11:20:08"),
        policies=[old_policy()],
    ),
    "a Pod that has waited for a node for a second": facts(
        unplaced(nodes_say("2 Insufficient cpu"), s=1)
    ),
    "killed for its probe once, and ended by itself since": facts(
        pod(container(**LIMIT), statuses=[loops(3)]),
        events=[
            event("Unhealthy", f"Liveness probe failed: {REFUSED}", s=3000),
            event("Killing", "Container ollama failed liveness probe, will be restarted", s=3000),
        ],
    ),
    # unknown: nothing says why
    "an image that is backed off, without a reason": facts(
        pod(statuses=[waiting("ImagePullBackOff", 'Back-off pulling image "ollama/ollama"')])
    ),
    "a kubelet that pulls no more for a moment": image(
        "pull QPS exceeded", image="ollama/ollama:1"
    ),
    "a script that is not executable": facts(
        pod(
            statuses=[
                waiting("RunContainerError", 'exec: "/scripts/run.sh": permission denied: unknown')
            ]
        )
    ),
    "a proxy's own 403": facts(
        pod(),
        error="ProxySaid: the proxy, not Ollama, answered for service/ollama (HTTP 403)"
        "\nsaw: 403 Forbidden",
    ),
    "a push without a key": facts(
        pod(), error="CommandFailed: ollama push\nsaw: Error: unexpected status code 401"
    ),
    "a chart's repository that wants a user": facts(
        error="saw: Error: failed to fetch https://charts.corp/index.yaml : 401 Unauthorized"
    ),
    "a gated model": facts(
        pod(),
        error="saw: Error: pull model manifest: 403 Forbidden: access to model x is restricted",
    ),
    "a foreground server with a redirection": facts(
        pod(
            container(command=["sh", "-c", "ollama serve 2>&1 | tee /log"]),
            statuses=[loops(0, "Completed")],
        )
    ),
    # unusual and well
    "a headless Service with a port that nobody uses": facts(
        STORE,
        services=[service(80, 80, name="ollama-headless", clusterIP="None"), service()],
        statefulsets=[workload("w", replicas=1, status={"updateRevision": "ollama-1"})],
    ),
    "a database whose replica's Service has no Pod": facts(
        pod(container("pg", "postgres"), name="pg-0", labels={"app": "pg", "role": "primary"}),
        services=[service(5432, 5432, name="pg-ro", selector=ROLES)],
        statefulsets=[
            {
                **workload("w", replicas=1),
                "spec": {"template": {"metadata": {"labels": {"app": "pg"}}}},
            }
        ],
        model="",
    ),
    "a name, where one may not list Services": asks(
        "curl: (6) Could not resolve host: olama\n", services=[], unread=["services: forbidden"]
    ),
    "a web page without a way out": facts(
        pod(),
        WEB,
        services=[service()],
        logs={("web", "web"): "Failed to resolve 'huggingface.co': Name or service not known\n"},
    ),
    "an app whose image is called so, not ready yet": facts(
        pod(APP, name="app", labels={"app": "app"}, statuses=[running("app", ready=False, s=20)]),
        pod(),
        services=[service(80, 11434)],
    ),
    "a Pod is elsewhere than the node that is down": facts(
        pod(nodeName="b"), nodes=[node(ready="Unknown"), node("b")]
    ),
    "an Ollama behind a tunnel, without a Service": facts(
        behind("cloudflare/cloudflared:1"), held={}, log=READY.replace("[::]", "127.0.0.1")
    ),
    "scaled to nothing": facts(
        deployments=[deployment(replicas=0)],
        replicasets=[{**replica_set(), "spec": {"replicas": 0, "template": {"metadata": {}}}}],
        services=[service()],
    ),
    "a load balancer that nobody has to reach yet": facts(
        pod(), services=[service(type="LoadBalancer", s=20)]
    ),
    "evicted once, of three": facts(
        evicted("The node was low on resource: memory. ", name="gone"),
        pod(name="a"),
        pod(name="b"),
        replicasets=[replica_set(replicas=3)],
        deployments=[deployment(replicas=3)],
    ),
    "a client that an address of its own refuses": facts(
        pod(), client("HTTP/1.1 200 OK\n", code=0)[0], services=[service()]
    ),
}
