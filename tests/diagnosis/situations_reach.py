"""Situations of who reaches whom, and healthy ones, with the names that each should get."""

from tests.diagnosis.shapes import (
    LABELS,
    MODEL,
    ago,
    container,
    deployment,
    ended,
    event,
    facts,
    loops,
    node,
    pod,
    policy,
    replica_set,
    running,
    service,
    workload,
)

GIN = "[GIN] 2026/11/30 - 11:59:{:02} | {} |  {} |      {} | {}     {}\n"
READY = 'time=x level=INFO source=routes.go:2000 msg="Listening on [::]:11434 (version 0.34.2)"\n'
PROXIED = {"HTTP_PROXY": "http://proxy.corp:3128", "HTTPS_PROXY": "http://proxy.corp:3128"}
NO_PROXY_HOST = (
    'Error: pull model manifest: Get "http://models.lab-system:5001/v2/library/lab-llama/manifests/'
    'latest": proxyconnect tcp: dial tcp: lookup proxy.corp on 10.96.0.10:53: no such host\n'
)
PLAIN = (
    'Error: pull model manifest: Get "https://models.lab-system:5001/v2/library/lab-llama/manifests'
    '/latest": http: server gave HTTP response to HTTPS client'
)
NO_INTERNET = (
    'Error: pull model manifest: Get "https://registry.ollama.ai/v2/library/llama3.2/manifests/'
    'latest": dial tcp: lookup registry.ollama.ai on 10.96.0.10:53: no such host\n'
)
HOOK = {"postStart": {"exec": {"command": ["sh", "-c", f"sleep 3; ollama pull {MODEL}"]}}}
PULLED = GIN.format(8, 200, "5.0s", "127.0.0.1", "POST", '"/api/pull"')
FAILED_HOOK = event("FailedPostStartHook", "PostStartHook failed")
CONFLICT_HELM = (
    "CommandFailed: helm upgrade ollama failed\nsaw: Error: Unable to continue with install:"
    " Service"
    ' "ollama" in namespace "lab" exists and cannot be imported into the current release: invalid'
    ' ownership metadata; label validation error: missing key "app.kubernetes.io/managed-by": must'
    ' be set to "Helm"'
)
WANTS_LOGIN = "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Basic realm=ollama\n"
NO_ANSWER = "curl: (28) Connection timed out after 5002 milliseconds\n"
OLLAMA = "ollama-7cbf9c48bf-8rzzw"


def answered(code: int, *, path: str = "/api/chat", ip: str = "10.244.1.9") -> str:
    return GIN.format(8, code, "53.89µs", ip, "POST", f'"{path}"')


def client(log: str = "", code: int = 1, *, labels: dict | None = None, ip="10.244.1.9", **spec):
    one = container("client", spec.pop("image", "alpine/httpie"), **spec)
    return pod(
        one,
        name="client",
        owner=None,
        labels=labels or {"run": "client"},
        ip=ip,
        statuses=[ended(code, name="client")],
        phase="Succeeded" if code == 0 else "Failed",
    ), {("client", "client"): log}


def asks(log: str, *, code: int = 1, server: dict | None = None, server_log: str = "", **given):
    spec = given.pop("spec", {})
    one, logs = client(log, code, **spec)
    logs[OLLAMA, "ollama"] = READY + server_log
    known = {"services": [service()], "held": {OLLAMA: [MODEL]}}
    return facts(server or pod(), one, logs=logs, **{**known, **given})


def release(status: str, *, version: int = 1, s: float = 3600) -> dict:
    labels = {"name": "ollama", "owner": "helm", "status": status, "version": str(version)}
    name = f"sh.helm.release.v1.ollama.v{version}"
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": ago(s)}}


def behind(image: str, *, ports: list | None = None, **spec) -> dict:
    """An Ollama on its own loopback, with another container before it or beside it."""
    return pod(
        container("proxy", image, **({"ports": ports} if ports else {})),
        container(env={"OLLAMA_HOST": "127.0.0.1:11434"}),
        **spec,
    )


LOOPBACK = READY.replace("[::]", "127.0.0.1")
EXPORTED = pod(
    container("exporter", "ghcr.io/x/ollama-exporter:2", ports=[{"containerPort": 9090}]),
    container(ports=[{"name": "http", "containerPort": 11434}]),
)
SITUATIONS = {
    # Helm
    "a release that is stuck": (
        "helm-release-pending",
        facts(pod(), releases=[release("deployed"), release("pending-upgrade", version=2)]),
    ),
    "a release that is stuck, told": (
        "helm-release-pending",
        facts(
            error=(
                "saw: Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is"
                " in progress"
            )
        ),
    ),
    "a release that is at work": ((), facts(pod(), releases=[release("pending-install", s=60)])),
    "a release that was stuck": (
        (),
        facts(pod(), releases=[release("pending-install"), release("deployed", version=2)]),
    ),
    "an object that is not Helm's": ("helm-object-not-its-own", facts(error=CONFLICT_HELM)),
    # proxies
    "a proxy that does not know the cluster": (
        "proxy-without-no-proxy",
        facts(
            pod(container(env=PROXIED)), error=f"CommandFailed: ollama pull\nsaw: {NO_PROXY_HOST}"
        ),
    ),
    "the same, of a client": (
        "proxy-without-no-proxy",
        asks(
            "requests.exceptions.ProxyError: HTTPConnectionPool(host='proxy.corp', port=3128): Max"
            " retries exceeded (Caused by ProxyError('Unable to connect to proxy'))\n",
            spec={"env": PROXIED},
        ),
    ),
    "the same, in a hook": (
        "proxy-without-no-proxy",
        facts(
            pod(container(env=PROXIED, lifecycle=HOOK), statuses=[loops(0, "Completed")]),
            events=[FAILED_HOOK],
            log=READY,
        ),
    ),
    "a proxy that is passed by": (
        (),
        facts(pod(container(env={**PROXIED, "NO_PROXY": "localhost,.svc,models.lab-system"}))),
    ),
    # registries of models
    "a registry of plain HTTP": (
        "registry-plain-http",
        facts(pod(), error=f"CommandFailed: ollama pull\nsaw: {PLAIN}"),
    ),
    "a registry of plain HTTP, in a hook": (
        "registry-plain-http",
        facts(
            pod(container(lifecycle=HOOK), statuses=[loops(0, "Completed")]),
            events=[FAILED_HOOK],
            log=READY + PULLED,
        ),
    ),
    "a registry of plain HTTP, told by a hook": (
        "registry-plain-http",
        facts(
            pod(container(lifecycle=HOOK), statuses=[loops(0, "Completed")]),
            log=READY,
            events=[event("FailedPostStartHook", f"Exec lifecycle hook failed - error: {PLAIN}")],
        ),
    ),
    "a registry of plain HTTP, of an init container": (
        "registry-plain-http",
        facts(
            pod(
                inits=[container("pull", command=["sh", "-c", "ollama serve & ollama pull x"])],
                init_statuses=[loops(name="pull")],
                statuses=[],
                phase="Pending",
            ),
            logs={(OLLAMA, "pull"): PLAIN},
        ),
    ),
    "no way to ollama.com": ("no-way-to-ollama-com", facts(error=f"saw: {NO_INTERNET}")),
    "no way to ollama.com, of a Job": (
        "no-way-to-ollama-com",
        facts(
            pod(
                container("pull", "curlimages/curl"),
                owner=("Job", "j"),
                name="fill",
                statuses=[ended(1, name="pull")],
                phase="Failed",
            ),
            logs={("fill", "pull"): NO_INTERNET},
            jobs=[workload("j")],
        ),
    ),
    "a model that is misspelt": (
        "misspelt-model",
        facts(pod(), error="Error: pull model manifest: file does not exist"),
    ),
    # 401, 403
    "an origin that is refused": (
        "host-or-origin-refused",
        facts(pod(), log=READY + answered(200) + answered(403)),
    ),
    "an origin that is refused, told": (
        "host-or-origin-refused",
        facts(
            pod(),
            error=("OllamaSaid: service/ollama returned an error (HTTP 403)\nsaw: an empty answer"),
        ),
    ),
    "a host that is refused behind a proxy": (
        "host-or-origin-refused",
        facts(
            behind("nginx:1"), services=[service(80, 8080)], held={}, log=LOOPBACK + answered(403)
        ),
    ),
    "an origin that was refused before": (
        (),
        facts(pod(), log=READY + answered(403) + answered(200)),
    ),
    "a cloud model where the cloud is off": (
        (),
        facts(pod(), log=(READY + 'level=WARN msg="ollama cloud is disabled"\n' + answered(403))),
    ),
    "a client without a password": (
        "client-unauthorized",
        asks(WANTS_LOGIN, server=behind("nginx:1"), held={}, answers={OLLAMA: 401}),
    ),
    "a client without a password, told": (
        "client-unauthorized",
        facts(
            behind("quay.io/oauth2-proxy/oauth2-proxy:v7"),
            held={},
            answers={OLLAMA: 401},
            error="OllamaSaid: service/ollama returned an error (HTTP 401)\nsaw: Unauthorized",
        ),
    ),
    # names, ports
    "a name that no Service has": (
        "misspelt-name",
        asks(
            "http: error: ConnectionError: HTTPConnectionPool(host='olama', port=80): Max retries"
            " exceeded with url: / (Caused by NameResolutionError: Failed to resolve 'olama')\n"
        ),
    ),
    "a name after others that it found": (
        "misspelt-name",
        asks("GET http://ollama:11434/api/tags 200\ncurl: (6) Could not resolve host: olama\n"),
    ),
    "a name that an init container waited for": (
        (),
        facts(
            pod(inits=[container("wait", "busybox")], init_statuses=[ended(0, name="wait")]),
            services=[service()],
            logs={(OLLAMA, "wait"): "nslookup: bad address 'store'\n"},
        ),
    ),
    "a name that it found later": ((), asks("bad address 'olama'\nretry\nok\n", code=0)),
    "a name of another namespace": (
        "name-not-resolved",
        asks("curl: (6) Could not resolve host: ollama.prod\n"),
    ),
    "a server with a scheme": (
        "ollama-host-port",
        facts(pod(container(env={"OLLAMA_HOST": "http://0.0.0.0"})), services=[service()], held={}),
    ),
    "a server with a scheme, not ready": (
        "ollama-host-port",
        facts(
            pod(
                container(
                    env={"OLLAMA_HOST": "http://0.0.0.0"},
                    readinessProbe={"httpGet": {"path": "/", "port": 11434}},
                ),
                statuses=[running(ready=False)],
            ),
            services=[service()],
            held={},
            log=READY.replace("11434", "80"),
        ),
    ),
    "a client with a scheme": (
        "ollama-host-port",
        asks(
            "Error: could not connect\n",
            spec={
                "image": "ollama/ollama",
                "command": ["ollama", "list"],
                "env": {"OLLAMA_HOST": "http://ollama"},
            },
        ),
    ),
    "a client without a port, of a Service at 80": (
        "ollama-host-port",
        asks(
            "Error: could not connect\n",
            services=[service(80)],
            spec={"image": "ollama/ollama", "args": ["list"], "env": {"OLLAMA_HOST": "ollama"}},
        ),
    ),
    "a server on loopback": (
        "ollama-host-loopback",
        facts(pod(container(env={"OLLAMA_HOST": "127.0.0.1"})), held={}, log=LOOPBACK),
    ),
    "a selector of a StatefulSet's Service": (
        "selector-matches-nothing",
        facts(
            pod(owner=("StatefulSet", "w")),
            services=[service(selector={"app": "olama"})],
            statefulsets=[workload("w", replicas=1)],
        ),
    ),
    "a target port, with an exporter first": (
        "wrong-target-port",
        facts(EXPORTED, services=[service(11434, 11343)]),
    ),
    # policies, load balancers
    "a policy that keeps a client out": (
        "network-policy-blocks",
        asks(
            NO_ANSWER,
            policies=[policy({"from": [{"podSelector": {"matchLabels": {"role": "web"}}}]})],
        ),
    ),
    "a policy of none": ("network-policy-blocks", asks(NO_ANSWER, policies=[policy()])),
    "a policy for another port": (
        "network-policy-blocks",
        asks(NO_ANSWER, policies=[policy({"ports": [{"port": 9090}]})]),
    ),
    "a policy that nobody enforces": (
        "network-policy-ignored",
        asks("ok", code=0, policies=[policy()], server_log=answered(200)),
    ),
    "a policy that lets it in": (
        (),
        asks(
            "ok",
            code=0,
            server_log=answered(200),
            policies=[policy({"from": [{"podSelector": {"matchLabels": {"run": "client"}}}]})],
        ),
    ),
    "a load balancer that nobody gives": (
        "load-balancer-pending",
        facts(pod(), services=[service(type="LoadBalancer")]),
    ),
    "a load balancer a moment ago": (
        (),
        facts(pod(), services=[service(type="LoadBalancer", s=10)]),
    ),
    # two at once
    "a full quota of Pods, and a load balancer": (
        ("load-balancer-pending", "memory-limit"),
        facts(pod(statuses=[loops(137, "OOMKilled")]), services=[service(type="LoadBalancer")]),
    ),
}

NAMES = {"app.kubernetes.io/name": "ollama", "app.kubernetes.io/instance": "mine"}
CHART = pod(
    container(
        image="ollama/ollama:0.34.2",
        ports=[{"name": "http", "containerPort": 11434}],
        livenessProbe={"httpGet": {"path": "/", "port": "http"}, "initialDelaySeconds": 60},
        readinessProbe={"httpGet": {"path": "/", "port": "http"}, "initialDelaySeconds": 30},
        lifecycle={
            "postStart": {
                "exec": {
                    "command": [
                        "sh",
                        "-c",
                        "while ! /bin/ollama ps; do sleep 5; done\n/bin/ollama pull llama3.2",
                    ]
                }
            }
        },
    ),
    labels=NAMES,
)
STORE = pod(
    owner=("StatefulSet", "w"),
    name="ollama-0",
    labels={**LABELS, "controller-revision-hash": "ollama-1", "apps.kubernetes.io/pod-index": "0"},
)
WEB = pod(
    container(
        "web",
        "ghcr.io/open-webui/open-webui:ollama",
        env={"OLLAMA_BASE_URL": "http://ollama:11434"},
    ),
    name="web",
    labels={"app": "web"},
    owner=("StatefulSet", "web"),
)
# what each Ollama 0.34.2 without a network writes at its start, and serves all the same
OF_ITS_OWN = (
    'time=2026-11-30T16:04:58.808Z level=WARN source=model_recommendations.go:168 msg="model'
    ' recommendations refresh failed" error="Get \\"https://ollama.com/api/experimental/'
    'model-recommendations?ts=1\\": dial tcp: lookup ollama.com on 10.96.0.10:53: no such host"\n'
    'time=2026-11-30T16:04:58.808Z level=WARN source=model_show_cache.go:142 msg="model show cloud'
    ' cache hydration failed" error="Get \\"https://ollama.com:443/api/tags?ts=1\\": dial tcp:'
    ' lookup ollama.com on 10.96.0.10:53: no such host"\n'
)
HEALTHY = {
    "an Ollama whose cloud is out of reach": facts(
        pod(), held={OLLAMA: [MODEL]}, logs={(OLLAMA, "ollama"): OF_ITS_OWN}
    ),
    "the public chart, with another model": facts(
        CHART,
        services=[service(11434, "http", selector=NAMES)],
        held={OLLAMA: ["llama3.2:latest"]},
        releases=[release("deployed")],
        events=[
            event(
                "Unhealthy",
                'Readiness probe failed: Get "http://10.244.1.5:11434/": dial tcp'
                " 10.244.1.5:11434: connect: connection refused",
                s=590,
                in_container="ollama",
            )
        ],
    ),
    "an exporter first in the list": facts(
        EXPORTED, services=[service(), service(9090, 9090, name="metrics")]
    ),
    "an exporter that declares no port": facts(
        pod(container("exporter", "x/ollama-exporter"), container()),
        services=[service(), service(9090, 9090, name="metrics")],
    ),
    "a proxy with a password before it": facts(
        behind("nginx:1", ports=[{"containerPort": 8080}]),
        services=[service(80, 8080)],
        held={},
        log=LOOPBACK,
    ),
    "a proxy with a password at 11434": facts(
        pod(
            container("auth", "caddy:2", ports=[{"containerPort": 11434}]),
            container(env={"OLLAMA_HOST": "127.0.0.1:11435"}),
        ),
        services=[service()],
        held={},
        answers={OLLAMA: 401},
        log=LOOPBACK.replace(":11434", ":11435"),
    ),
    "a port of one's own choice": facts(
        pod(container(env={"OLLAMA_HOST": "0.0.0.0:8080"})),
        services=[service(80, 8080)],
        held={},
        log=READY.replace("11434", "8080"),
    ),
    "port 80, by a scheme, and a Service that leads there": facts(
        pod(container(env={"OLLAMA_HOST": "http://0.0.0.0"})),
        services=[service(80, 80)],
        held={},
        log=READY.replace("11434", "80"),
    ),
    "an init job that serves and pulls": facts(
        pod(),
        pod(
            container(command=["sh", "-c", "ollama serve & sleep 3; ollama pull x"]),
            owner=("Job", "j"),
            name="fill",
            labels={"job": "fill"},
            statuses=[ended(0)],
            phase="Succeeded",
        ),
        jobs=[workload("j", status={"succeeded": 1})],
        services=[service()],
    ),
    "a StatefulSet behind a headless Service": facts(
        STORE,
        services=[service(clusterIP="None"), service(name="front")],
        statefulsets=[workload("w", replicas=1, status={"updateRevision": "ollama-1"})],
    ),
    "a DaemonSet": facts(
        pod(owner=("DaemonSet", "ds")),
        nodes=[node()],
        daemonsets=[
            workload("ds", status={"desiredNumberScheduled": 1, "currentNumberScheduled": 1})
        ],
    ),
    "a web page beside it, whose image has its name in the tag": facts(
        pod(),
        WEB,
        services=[service(), service(8080, 8080, name="web", selector={"app": "web"})],
        held={OLLAMA: [MODEL]},
        logs={("web", "web"): "retrying: Name or service not known\n" + "GET / 200\n" * 20},
    ),
    "requests without limits, and no GPU": facts(
        pod(container(resources={"requests": {"cpu": "2", "memory": "4Gi"}})), services=[service()]
    ),
    "two Ollamas with a model each": facts(
        pod(),
        pod(name="embed", labels={"app": "embed"}, owner=("ReplicaSet", "embed")),
        services=[service()],
        held={OLLAMA: [MODEL], "embed": ["nomic-embed-text:latest"]},
        deployments=[deployment()],
        replicasets=[replica_set()],
    ),
    "a sidecar that keeps models, as an init container": facts(
        pod(
            inits=[
                container(
                    "models",
                    command=["sh", "-c", "while true; do ollama list; sleep 60; done"],
                    restartPolicy="Always",
                )
            ],
            init_statuses=[running("models")],
        ),
        services=[service()],
    ),
    "a Service without a selector, and one of another name": facts(
        pod(), services=[service(), service(name="out", selector={}, type="ExternalName")]
    ),
    "a load balancer with an address": facts(
        pod(), services=[service(80, type="LoadBalancer", ingress=[{"ip": "10.0.0.1"}])]
    ),
    "a policy, and a client that may": facts(
        pod(),
        policies=[policy({"from": [{"namespaceSelector": {}}]})],
        services=[service()],
        log=READY + answered(200),
    ),
    "it was killed once by its probe, an hour ago": facts(
        pod(
            statuses=[
                running(restarts=1, s=3000, exitCode=137, startedAt=ago(3100), finishedAt=ago(3000))
            ]
        ),
        events=[
            event("Killing", "Container ollama failed liveness probe, will be restarted", s=3000)
        ],
    ),
    "a client that failed and one that worked": facts(
        pod(), client(code=0)[0], services=[service()], logs={("client", "client"): "Hello\n"}
    ),
    "nothing": facts(),
}
assert len(HEALTHY) >= 10
