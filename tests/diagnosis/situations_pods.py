"""Situations of Pods and what makes them: what is there → the names that it should get.

The messages are those of Kubernetes 1.37 (scheduler, kubelet, API server) and of Ollama 0.34.
"""

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
    replica_set,
    running,
    service,
    unplaced,
    waiting,
    workload,
)

NOT_HELPFUL = (
    " no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not"
    " helpful for scheduling."
)
NO_GPU = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu." + NOT_HELPFUL
GPU = container(resources={"limits": {"nvidia.com/gpu": "1"}})
NO_MATCH = (
    "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had"
    " untolerated taint(s)." + NOT_HELPFUL
)
NO_CPU = (
    "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)." + NOT_HELPFUL
)
RUNTIME = 'pods "ollama-7cbf9c48bf-" is forbidden: pod rejected: RuntimeClass "{}" not found'
HOOK = {"postStart": {"exec": {"command": ["sh", "-c", "ollama pull x"]}}}
KILLING = "Container ollama failed liveness probe, will be restarted"
LIVE = {"livenessProbe": {"httpGet": {"path": "/healthz", "port": 11434}}}
LIVE_ROOT = {"livenessProbe": {"httpGet": {"path": "/", "port": 11434}}}
REFUSED = 'Get "http://10.244.1.5:11434/": dial tcp 10.244.1.5:11434: connect: connection refused'
NO_DIR = (
    "Couldn't find '/.ollama/id_ed25519'. Generating new private key.\n"
    "Error: could not create directory mkdir /.ollama: permission denied\n"
)
NO_SERVER = (
    "Error: ollama server not responding - could not connect to ollama server, run 'ollama serve'"
    " to start it\n"
)
PULL_IMAGE = (
    'Failed to pull image "{0}": failed to pull and unpack image "{0}": failed to resolve reference'
    ' "{0}": {1}'
)
PLAIN = (
    'failed to do request: Head "https://reg.corp:5000/v2/ollama/manifests/1": http: server gave'
    " HTTP response to HTTPS client"
)
X509 = (
    'failed to do request: Head "https://reg.corp/v2/ollama/manifests/1": tls: failed to verify'
    " certificate: x509: certificate signed by unknown authority"
)
LOGIN = (
    "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to"
    " https://reg.corp/token: 401 Unauthorized"
)
RATE = (
    'unexpected status code 429 Too Many Requests - Server message: "toomanyrequests: You have'
    ' reached your unauthenticated pull rate limit."'
)
MOUNT = 'MountVolume.SetUp failed for volume "conf" : configmap "ollama-conf" not found'
MULTI = (
    'Multi-Attach error for volume "pvc-7d1" Volume is already used by pod(s) ollama-5d8f9-abcde'
)
QUOTA = 'pods "ollama-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1'
RESTRICTED = (
    'pods "ollama-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
)


def image_fails(said: str, image: str = "reg.corp:5000/ollama:1") -> tuple:
    text = PULL_IMAGE.format(image, said)
    one = container(image=image)
    return (
        pod(one, statuses=[waiting("ImagePullBackOff", f'Back-off pulling image "{image}"')]),
        [
            event("Failed", text),
            event("Failed", "Error: ImagePullBackOff"),
            event("BackOff", f'Back-off pulling image "{image}"', type="Normal"),
        ],
    )


def misspelled(**given) -> dict:
    """A Pod whose image has a misspelled name."""
    back_off = waiting("ImagePullBackOff", "olama: not found")
    return pod(container(image="ollama/olama"), statuses=[back_off], **given)


def image(said: str, **given):
    made, events = image_fails(said, **given)
    return facts(made, events=events)


def killed(said: str, *, kind: str = "Liveness", probe=None, status=None, log: str = "", s=30):
    one = container(**(probe or LIVE_ROOT), **LIMIT)
    killing = KILLING.replace("liveness", kind.lower())
    events = [
        event("Unhealthy", f"{kind} probe failed: {said}", in_container="ollama", s=s),
        event("Killing", killing, in_container="ollama", type="Normal", s=s),
    ]
    return facts(pod(one, statuses=[status or loops(137, lived=20)]), events=events, log=log)


def with_home(log: str, **spec):
    one = container(**spec)
    return facts(pod(one, statuses=[loops()]), log=log)


def failed_set(kind: str, message: str, **status):
    uid = "w"
    item = workload(uid, status=status, replicas=1)
    told = [
        event(
            "FailedCreate",
            f"create Pod ollama-0 in {kind} ollama failed error: {message}",
            of=uid,
            kind=kind,
        )
    ]
    return facts(events=told, **{f"{kind.lower()}s": [item]})


def init(command: list[str], log: str, status: dict | None = None, **spec):
    first = container("pull", command=command, **spec)
    made = pod(
        statuses=[waiting("PodInitializing")],
        inits=[first],
        init_statuses=[status or loops(name="pull")],
        phase="Pending",
    )
    return facts(made, logs={(made["metadata"]["name"], "pull"): log})


SERVE_AND_SLEEP = ["sh", "-c", "ollama serve & sleep 5; ollama pull lab-llama"]
SITUATIONS = {
    # GPUs
    "a GPU is requested": ("gpu-on-no-node", facts(unplaced(NO_GPU, GPU))),
    "a GPU of AMD": (
        "gpu-on-no-node",
        facts(unplaced(NO_GPU.replace("nvidia.com", "amd.com"), GPU)),
    ),
    "a node with a GPU by label": (
        "gpu-on-no-node",
        facts(unplaced(NO_MATCH, nodeSelector={"nvidia.com/gpu.present": "true"})),
    ),
    "the runtime class of a GPU": (
        "gpu-on-no-node",
        facts(deployments=[failed_create(RUNTIME.format("nvidia"))]),
    ),
    "a GPU, of a StatefulSet": (
        "gpu-on-no-node",
        facts(
            unplaced(NO_GPU, GPU, owner=("StatefulSet", "w"), name="ollama-0"),
            statefulsets=[workload("w", replicas=1)],
        ),
    ),
    "a GPU's runtime that the node lacks": (
        "gpu-on-no-node",
        facts(
            pod(statuses=[waiting("ContainerCreating")]),
            events=[
                event(
                    "FailedCreatePodSandBox",
                    "Failed to create pod sandbox: rpc error: code ="
                    ' Unknown desc = failed to get sandbox runtime: no runtime for "nvidia" is'
                    " configured",
                )
            ],
        ),
    ),
    "another runtime class": (
        "runtime-class",
        facts(deployments=[failed_create(RUNTIME.format("gvisor"))]),
    ),
    # the scheduler
    "too much CPU": ("request-fits-no-node", facts(unplaced(NO_CPU))),
    "too much CPU, a Job": (
        "request-fits-no-node",
        facts(unplaced(NO_CPU, owner=("Job", "j")), jobs=[workload("j")]),
    ),
    "too many Pods": (
        "request-fits-no-node",
        facts(unplaced("0/1 nodes are available: 1 Too many pods." + NOT_HELPFUL)),
    ),
    "a label that no node has": (
        "node-selector",
        facts(unplaced(NO_MATCH, nodeSelector={"disk": "ssd"})),
    ),
    "a label, of a DaemonSet": (
        "node-selector",
        facts(
            unplaced(NO_MATCH, owner=("DaemonSet", "ds"), nodeSelector={"disk": "ssd"}),
            daemonsets=[workload("ds", status={"desiredNumberScheduled": 1})],
        ),
    ),
    "a taint": (
        "taint-not-tolerated",
        facts(
            unplaced("0/2 nodes are available: 2 node(s) had untolerated taint(s)." + NOT_HELPFUL),
            nodes=[node(), node("b")],
        ),
    ),
    "a taint in the words of 1.34": (
        "taint-not-tolerated",
        facts(
            unplaced(
                "0/1 nodes are available: 1 node(s) had untolerated taint {team: a}."
                " preemption: 0/1 nodes"
                " are available: 1 Preemption is not helpful for scheduling."
            ),
            nodes=[node()],
        ),
    ),
    "nodes that are cordoned": (
        "node-cordoned",
        facts(
            unplaced(
                "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were"
                " unschedulable." + NOT_HELPFUL
            )
        ),
    ),
    "a node that is down": (
        "node-down",
        facts(
            unplaced("0/2 nodes are available: 2 node(s) had untolerated taint(s)." + NOT_HELPFUL),
            nodes=[node(ready="Unknown"), node("b")],
        ),
    ),
    "a host port twice": (
        "host-port-taken",
        facts(
            unplaced(
                "0/1 nodes are available: 1 node(s) didn't have free ports for the requested"
                " pod ports." + NOT_HELPFUL
            )
        ),
    ),
    "replicas that must be apart": (
        "spread-over-too-few-nodes",
        facts(
            unplaced(
                "0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1"
                " node(s) had"
                " untolerated taint(s)." + NOT_HELPFUL
            )
        ),
    ),
    "a claim that is not there": (
        "claim-missing",
        facts(
            unplaced('0/2 nodes are available: persistentvolumeclaim "models" not found. not found')
        ),
    ),
    # volumes
    "a volume on another node, by its affinity": (
        "volume-on-another-node",
        facts(
            unplaced(
                "0/2 nodes are available: 1 node(s) didn't match PersistentVolume's node"
                " affinity, 1"
                " node(s) had untolerated taint(s)." + NOT_HELPFUL
            )
        ),
    ),
    "a volume that another Pod holds": (
        "volume-on-another-node",
        facts(
            pod(statuses=[waiting("ContainerCreating")]),
            events=[event("FailedAttachVolume", MULTI)],
        ),
    ),
    "a volume of one Pod at a time": (
        "volume-on-another-node",
        facts(
            unplaced(
                "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with"
                " ReadWriteOncePod access mode already in-use by another pod." + NOT_HELPFUL
            )
        ),
    ),
    "a volume that was attached since": (
        (),
        facts(
            pod(statuses=[waiting("ContainerCreating")]),
            events=[
                event("FailedAttachVolume", MULTI, s=60),
                event("SuccessfulAttachVolume", "AttachVolume.Attach succeeded", s=20),
            ],
        ),
    ),
    "a ConfigMap of a volume": (
        "config-missing",
        facts(pod(statuses=[waiting("ContainerCreating")]), events=[event("FailedMount", MOUNT)]),
    ),
    "a ConfigMap that came since": (
        (),
        facts(pod(), events=[event("FailedMount", MOUNT, s=90), event("Pulled", "there", s=60)]),
    ),
    # admission
    "a quota, of a StatefulSet": ("quota-exceeded", failed_set("StatefulSet", QUOTA)),
    "a quota, of a DaemonSet": (
        "quota-exceeded",
        failed_set("DaemonSet", QUOTA, desiredNumberScheduled=1),
    ),
    "a quota, of a Job": ("quota-exceeded", failed_set("Job", QUOTA)),
    "a quota, of a bare ReplicaSet": (
        "quota-exceeded",
        facts(
            replicasets=[replica_set("alone", owned=False, replicas=0)],
            events=[
                event("FailedCreate", f"Error creating: {QUOTA}", of="alone", kind="ReplicaSet")
            ],
        ),
    ),
    "a restricted namespace, a StatefulSet": (
        "restricted-namespace",
        failed_set("StatefulSet", RESTRICTED),
    ),
    "a quota that was raised since": (
        (),
        facts(
            pod(owner=("StatefulSet", "w")),
            statefulsets=[workload("w", replicas=2)],
            events=[
                event("FailedCreate", QUOTA, of="w", kind="StatefulSet", s=90),
                event("SuccessfulCreate", "create Pod ollama-0", of="w", s=60),
            ],
        ),
    ),
    "a quota of a spec that was changed a moment ago": (
        (),
        facts(
            deployments=[
                {
                    **failed_create(QUOTA),
                    "metadata": {"name": "ollama", "uid": "d", "generation": 2},
                    "status": {**failed_create(QUOTA)["status"], "observedGeneration": 1},
                }
            ]
        ),
    ),
    "a webhook that says no": (
        "policy-denied",
        facts(
            deployments=[
                failed_create(
                    'admission webhook "validate.kyverno.svc-fail" denied the request: resource'
                    " Pod/lab/ollama was blocked"
                )
            ]
        ),
    ),
    "a policy that says no": (
        "policy-denied",
        facts(
            error=(
                "Refused: the API server rejected the request (Invalid)\nsaw:"
                ' deployments.apps "ollama" is'
                " forbidden: ValidatingAdmissionPolicy 'no-latest' with binding 'all' denied"
                " request: no"
                " tag"
            )
        ),
    ),
    "a webhook that is silent": (
        "webhook-silent",
        facts(
            deployments=[
                failed_create(
                    'Internal error occurred: failed calling webhook "v.example.com": failed'
                    " to call webhook:"
                    ' Post "https://v.x.svc:443/?timeout=10s": no endpoints available for'
                    ' service "v"'
                )
            ]
        ),
    ),
    "a ServiceAccount that is not there": (
        "service-account-missing",
        facts(
            deployments=[
                failed_create(
                    'pods "ollama-1" is forbidden: error looking up service account lab/olama:'
                    ' serviceaccount "olama" not found'
                )
            ]
        ),
    ),
    "a right that is lacking": (
        "not-permitted",
        facts(
            error=(
                'saw: pods is forbidden: User "system:serviceaccount:lab:x" cannot create'
                ' resource "pods" in'
                ' API group "" in the namespace "lab"'
            )
        ),
    ),
    "a priority class": (
        "priority-class-missing",
        facts(
            deployments=[
                failed_create(
                    'pods "ollama-1" is forbidden: no PriorityClass with name high was found'
                )
            ]
        ),
    ),
    "a field that is misspelt": (
        "unknown-field",
        facts(error=('saw: strict decoding error: unknown field "spec.template.spec.container"')),
    ),
    "a field of another manager": (
        "field-conflict",
        facts(
            error=(
                "Conflict: the API server rejected the request (Conflict)\nsaw: Apply failed with 1"
                ' conflict: conflict with "python-urllib3" with subresource "scale" using apps/v1:'
                " .spec.replicas\ntry: look"
            )
        ),
    ),
    "two fields of other managers": (
        "field-conflict",
        facts(
            error=(
                "saw: Apply failed with 2 conflicts: conflicts with"
                ' "kubectl-client-side-apply" using'
                ' apps/v1:\n- .spec.replicas\n- .spec.template.spec.containers[name="ollama"].image'
            )
        ),
    ),
    # images
    "a registry of plain HTTP": ("image-registry-tls", image(PLAIN)),
    "a certificate of one's own": ("image-registry-tls", image(X509, image="reg.corp/ollama:1")),
    "an image that wants a login": ("image-needs-login", image(LOGIN, image="reg.corp/ollama:1")),
    "too many pulls": ("image-rate-limit", image(RATE, image="ollama/ollama:latest")),
    "a node without room for the image": (
        "image-disk-full",
        image("write /var/lib/containerd/x: no space left on device", image="ollama/ollama:latest"),
    ),
    "an image that is never pulled": (
        "image-never-pulled",
        facts(
            pod(
                statuses=[
                    waiting(
                        "ErrImageNeverPull",
                        'Container image "ollama/ollama" is not present with pull policy of Never',
                    )
                ]
            )
        ),
    ),
    "an image for another processor": (
        "wrong-architecture",
        image("no match for platform in manifest: not found", image="ollama/ollama:latest"),
    ),
    "a program for another processor": (
        "wrong-architecture",
        facts(pod(statuses=[loops(255)]), log="exec /bin/ollama: exec format error\n"),
    ),
    "a tag that is not there, of a StatefulSet": (
        "unknown-tag",
        facts(
            pod(
                container(image="ollama/ollama:9"),
                owner=("StatefulSet", "w"),
                name="ollama-0",
                statuses=[waiting("ImagePullBackOff", "x: not found")],
            ),
            statefulsets=[workload("w", replicas=1)],
        ),
    ),
    # programs
    "another user": ("home-not-writable", with_home(NO_DIR, securityContext={"runAsUser": 1000})),
    "no HOME": ("home-not-writable", with_home("Error: $HOME is not defined\n")),
    "a root that is read-only": (
        "home-not-writable",
        with_home(
            "Error: could not create directory mkdir /root/.ollama: read-only file system\n",
            securityContext={"readOnlyRootFilesystem": True},
        ),
    ),
    "another user, a hook too": (
        "home-not-writable",
        facts(
            pod(container(lifecycle=HOOK), statuses=[loops()]),
            log=NO_DIR,
            events=[event("FailedPostStartHook", "PostStartHook failed")],
        ),
    ),
    "an init container that pulls": (
        "init-without-server",
        init(["ollama", "pull", "lab-llama"], NO_SERVER),
    ),
    "an init container that waits": (
        "init-without-server",
        init(
            ["sh", "-c", "until ollama list; do sleep 1; done; ollama pull x"],
            NO_SERVER,
            running("pull", ready=False, s=90),
        ),
    ),
    "an init container that pulls from a server elsewhere": (
        (),
        init(
            ["ollama", "pull", "lab-llama"],
            "pulling manifest",
            running("pull", ready=False, s=90),
            env={"OLLAMA_HOST": "http://store:11434"},
        ),
    ),
    "a server in the background": (
        "background-server",
        facts(pod(container(command=SERVE_AND_SLEEP), statuses=[loops(0, "Completed")])),
    ),
    "a server in the background, not there yet": (
        "background-server",
        facts(
            pod(
                container(command=["sh", "-c", "ollama serve & ollama pull x"]), statuses=[loops(1)]
            ),
            log=NO_SERVER,
        ),
    ),
    "a server in the background that is waited for": (
        (),
        facts(pod(container(command=["sh", "-c", "ollama serve & sleep 5; ollama pull x; wait"]))),
    ),
    "a Secret that is not there": (
        "config-missing",
        facts(
            pod(statuses=[waiting("CreateContainerConfigError", 'secret "ollama-key" not found')])
        ),
    ),
    "a key that is not in a ConfigMap": (
        "config-missing",
        facts(
            pod(
                statuses=[
                    waiting(
                        "CreateContainerConfigError",
                        "couldn't find key host in ConfigMap lab/ollama-conf",
                    )
                ]
            )
        ),
    ),
    "an image of root where none may be": (
        "image-runs-as-root",
        facts(
            pod(
                statuses=[
                    waiting(
                        "CreateContainerConfigError",
                        "container has runAsNonRoot and image will run as root (pod:"
                        ' "ollama_lab(1)", container: ollama)',
                    )
                ]
            )
        ),
    ),
    "the host's inotify limit": (
        "inotify-limit",
        facts(
            pod(statuses=[loops(1)]), log="failed to create fsnotify watcher: too many open files\n"
        ),
    ),
    "a misspelt command, of a bare Pod": (
        "misspelt-command",
        facts(
            pod(container(command=["ollama", "srve"]), owner=None, statuses=[loops(1)]),
            log='Error: unknown command "srve" for "ollama"\n',
        ),
    ),
    "a misspelt command, of a Job": (
        "misspelt-command",
        facts(
            pod(
                container(command=["sh", "-c", "olama serve"]),
                owner=("Job", "j"),
                statuses=[ended(127, restarts=0)],
                phase="Failed",
            ),
            jobs=[workload("j")],
        ),
    ),
    # probes
    "a liveness probe of a path that is not there": (
        "liveness-probe-wrong",
        killed("HTTP probe failed with statuscode: 404", probe=LIVE),
    ),
    "the same, and it runs again": (
        "liveness-probe-wrong",
        killed(
            "HTTP probe failed with statuscode: 404",
            probe=LIVE,
            status=running(
                restarts=3,
                s=15,
                exitCode=0,
                reason="Completed",
                startedAt=ago(80),
                finishedAt=ago(16),
            ),
        ),
    ),
    "a liveness probe of another port": (
        "liveness-probe-wrong",
        killed(
            REFUSED.replace("11434", "11343"),
            probe={"livenessProbe": {"httpGet": {"path": "/", "port": 11343}}},
        ),
    ),
    "a liveness probe that is too early": ("liveness-probe-too-early", killed(REFUSED)),
    "a liveness probe that is too late": (
        "liveness-probe-too-early",
        killed(
            'Get "http://10.244.1.5:11434/": context deadline exceeded (Client.Timeout'
            " exceeded while"
            " awaiting headers)"
        ),
    ),
    "a startup probe that is too early": (
        "liveness-probe-too-early",
        killed(REFUSED, kind="Startup", probe={"startupProbe": {"tcpSocket": {"port": 11434}}}),
    ),
    "a liveness probe of the past": (
        (),
        killed(
            "HTTP probe failed with statuscode: 404",
            probe=LIVE,
            s=3000,
            status=running(
                restarts=1, s=2900, exitCode=137, startedAt=ago(3100), finishedAt=ago(3000)
            ),
        ),
    ),
    "no memory, and a liveness probe": (
        "memory-limit",
        killed(REFUSED, status=loops(137, "OOMKilled")),
    ),
    "no memory, of a StatefulSet": (
        "memory-limit",
        facts(
            pod(container(**LIMIT), owner=("StatefulSet", "w"), statuses=[loops(137, "OOMKilled")]),
            statefulsets=[workload("w", replicas=1)],
        ),
    ),
    "no memory for the sidecar": (
        "memory-limit",
        facts(
            pod(
                container(),
                container("exporter", "x/ollama-exporter", **LIMIT),
                statuses=[running(), loops(137, "OOMKilled", name="exporter")],
            )
        ),
    ),
    "a probe that a proxy refuses": (
        "probe-unauthorized",
        facts(
            pod(statuses=[running(ready=False)]),
            services=[service()],
            held={},
            answers={"ollama-7cbf9c48bf-8rzzw": 401},
            events=[
                event(
                    "Unhealthy",
                    "Readiness probe failed: HTTP probe failed with statuscode: 401",
                    in_container="ollama",
                )
            ],
        ),
    ),
    "a readiness probe that fails": (
        "pods-not-ready",
        facts(
            pod(statuses=[running(ready=False)]),
            services=[service()],
            events=[
                event(
                    "Unhealthy",
                    "Readiness probe failed: HTTP probe failed with statuscode: 404",
                    in_container="ollama",
                )
            ],
        ),
    ),
    # disks
    "an emptyDir that is full": (
        "volume-over-its-limit",
        facts(evicted('Usage of EmptyDir volume "models" exceeds the limit "100Mi". ')),
    ),
    "a container that wrote too much": (
        "ephemeral-storage-used-up",
        facts(evicted('Container ollama exceeded its local ephemeral storage limit "1Gi". ')),
    ),
    "a Pod that wrote too much": (
        "ephemeral-storage-used-up",
        facts(
            evicted("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ")
        ),
    ),
    "a node without disk": (
        "ephemeral-storage-used-up",
        facts(
            evicted(
                "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi,"
                " available: 5Mi."
                " Container ollama was using 5Gi, request is 0, has larger consumption of"
                " ephemeral-storage. "
            )
        ),
    ),
    "a node without memory": (
        "node-low-on-memory",
        facts(
            evicted(
                "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
            )
        ),
    ),
    "a full disk, and another Pod since": (
        (),
        facts(
            evicted('Usage of EmptyDir volume "models" exceeds the limit "100Mi". ', name="old"),
            pod(),
            deployments=[deployment()],
            replicasets=[replica_set()],
        ),
    ),
    "a pull onto a disk that is full": (
        "no-space-left",
        facts(
            pod(),
            error="saw: Error: write /root/.ollama/models/blobs/sha256-1-partial: no space left on"
            " device",
        ),
    ),
    "a pull onto a disk that is full, in the log": (
        "no-space-left",
        facts(
            pod(),
            log='level=ERROR msg="pull" error="write /root/.ollama/models/blobs/sha256-1-partial:'
            ' no space left on device"\n',
        ),
    ),
    "a disk that was full": (
        (),
        facts(
            pod(),
            log="write /root/.ollama/x: no space left on device\n"
            '[GIN] 2026/11/30 - 11:59:08 | 200 |  5.0s |  127.0.0.1 | POST     "/api/pull"\n',
        ),
    ),
    # workloads
    "a rollout that is paused": (
        "rollout-paused",
        facts(
            pod(),
            deployments=[
                deployment(paused=True)
                | {"status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 0}}
            ],
        ),
    ),
    "a StatefulSet that waits for its broken Pod": (
        "statefulset-waits-for-broken-pod",
        facts(
            misspelled(
                owner=("StatefulSet", "w"),
                name="ollama-0",
                labels={**LABELS, "controller-revision-hash": "ollama-1"},
            ),
            statefulsets=[workload("w", replicas=1, status={"updateRevision": "ollama-2"})],
        ),
    ),
    # what has been corrected
    "a broken file, and the right one after it": (
        (),
        facts(
            misspelled(owner=("ReplicaSet", "old"), name="old"),
            pod(owner=("ReplicaSet", "new"), name="new"),
            deployments=[deployment(generation=2, revision="2")],
            replicasets=[replica_set("old"), replica_set("new", revision="2")],
        ),
    ),
    "the right one a moment ago": (
        (),
        facts(
            misspelled(owner=("ReplicaSet", "old"), name="old"),
            deployments=[deployment(generation=2, observed=1)],
            replicasets=[replica_set("old")],
        ),
    ),
    "the right one a moment ago, of a StatefulSet": (
        (),
        facts(
            pod(statuses=[loops(137, "OOMKilled")], owner=("StatefulSet", "w")),
            statefulsets=[
                workload("w", generation=3, status={"observedGeneration": 2}, replicas=1)
            ],
        ),
    ),
}
