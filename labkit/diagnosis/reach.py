"""Who cannot reach whom: proxies, registries of models, refused origins, load balancers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import ports, rules, symptoms
from labkit.diagnosis.facts import Facts, container_of, containers, env, runs
from labkit.diagnosis.mistake import LOGGED, SHOWN, Mistake
from labkit.diagnosis.symptoms import named
from labkit.kube import host_names, pod_status

_VIA_PROXY = re.compile(
    r"[^\n]*proxyconnect tcp[^\n]*|[^\n]*Unable to connect to proxy[^\n]*"
    r"|[^\n]*Cannot connect to proxy[^\n]*|[^\n]*CONNECT tunnel failed[^\n]*"
    r"|[^\n]*Could not resolve proxy[^\n]*|[^\n]*Tunnel connection failed[^\n]*"
    r"|[^\n]*pull model manifest: (?:40[37]|50[234])\b[^\n]*"
)
# no Service of the cluster: for these no NO_PROXY helps
_OUTSIDE = re.compile(
    r"(?:https?://|host=')(?:[\w-]+\.)*(?:ollama\.(?:ai|com)|hf\.co|huggingface\.co|docker\.io"
    r"|github\.com)\b"
)
_STATUS_ALONE = re.compile(r"pull model manifest: \d{3}\b")
_PLAIN_HTTP = re.compile(r"[^\n]*server gave HTTP response to HTTPS client")
_IMAGE = re.compile(r"pull (?:and unpack )?image|resolve reference|pulling image", re.IGNORECASE)
_HOOK_PULL = re.compile(r"ollama (?:pull|run)\s+(?P<rest>[^;&|\n\\\"']+)")
_WITH_PORT = re.compile(r"^[\w.-]+:\d+/")
_REFUSED = re.compile(
    r"(?:HTTP(?:/\S+)? 403|403 Forbidden|status code:? 403|\(403\))", re.IGNORECASE
)
_AT_OLLAMA = re.compile(r"\b(?:service|pod|deployment|statefulset|daemonset)/\S|:11434|/api/|/v1/")
_IN_FRONT = "the proxy, not Ollama"  # labkit's own words for a page of HTML
_ANOTHERS = re.compile(
    rf"is forbidden|cloud|API server|cannot \w+ resource|{_IN_FRONT}|\b(?:pull|push|fetch)\b"
    r"|manifest|registry|resolve reference|huggingface|hf\.co",
    re.IGNORECASE,
)
_UNAUTHORIZED = re.compile(
    r"(?:HTTP(?:/\S+)? 401|401 Unauthorized|401 Authorization Required|status code:? 401|\(401\))",
    re.IGNORECASE,
)
# what a program told its own clients
_SERVED = re.compile(r'"[A-Z]+ \S+ HTTP/[\d.]+"\s+\d{3}[^\n]*')
_ACCESS = re.compile(r'\[GIN\] [^|]+\|\s*(\d{3}) \|[^|]+\|\s*(\S+) \|\s*\w+\s+"(/\S*)"')
# each Ollama 0.34 without a network asks ollama.com by itself, and serves all the same
_OF_ITS_OWN = re.compile(r"[^\n]*source=model_(?:recommendations|show_cache)\.go[^\n]*")
_CLOUD = re.compile(r"cloud is disabled|ollama cloud|cloud models", re.IGNORECASE)
_API = re.compile(r'"(?:/api/|/v1/)')
_PUBLIC = re.compile(
    r"(?:registry\.ollama\.ai|ollama\.com)\S*[^\n]*(?:no such host|i/o timeout|connection refused"
    r"|network is unreachable|server misbehaving|TLS handshake timeout)"
)
_PENDING_S = 60.0


def _proxies(container: dict) -> tuple[str, str]:
    """Its proxy, and the hosts for which it uses none."""
    given = {name.upper(): value for name, value in env(container).items()}
    proxy = given.get("HTTPS_PROXY") or given.get("HTTP_PROXY") or given.get("ALL_PROXY") or ""
    return proxy, given.get("NO_PROXY", "")


def past_proxy(host: str, no_proxy: str) -> bool:
    """Does NO_PROXY name that host, as it is or by a domain that it ends with?

    >>> past_proxy("models.lab-system", ".svc,.lab-system"), past_proxy("ollama", "localhost")
    (True, False)
    """
    names = [one.strip().lstrip(".").partition(":")[0] for one in no_proxy.split(",")]
    return any(one == "*" or host == one or host.endswith(f".{one}") for one in names if one)


def proxy(facts: Facts) -> str:
    """A container whose requests inside of the cluster go through a proxy."""
    for pod in facts.pods:
        for container in containers(pod):
            through, past = _proxies(container)
            if not through:
                continue
            log = facts.log_of(pod, container["name"])
            said = _proxy_said(log) or (container is container_of(pod) and _proxy_said(facts.error))
            if said and not facts.model and _STATUS_ALONE.search(said):
                continue  # of a model whose registry nobody knows
            hook = str(container.get("lifecycle", ""))
            if not said and pod in symptoms.hooks_failed(facts):
                host = next((name.partition(":")[0] for name, _ in _hook_pulls(hook)), "")
                said = f"its hook pulls from {host}" if host and not past_proxy(host, past) else ""
            if said:
                where = f"{named(pod)}, container {container['name']}"
                none = f"NO_PROXY={past}" if past else "no NO_PROXY"
                return f"{where} has a proxy and {none}: {symptoms.end_of(said)}"
    return ""


def _hook_pulls(hook: str) -> Iterator[tuple[str, list[str]]]:
    """Each model with a registry's host in its name that a hook pulls, and the line's words."""
    for found in _HOOK_PULL.finditer(hook):
        line = found["rest"].split()
        name = next((one for one in line if not one.startswith("-")), "")
        if _WITH_PORT.match(name):
            yield name, line


def _proxy_said(text: str) -> str:
    found = [one for one in _VIA_PROXY.finditer(text) if not _OUTSIDE.search(one[0])]
    if found and not _PULLED_WELL.search(text[found[-1].end() :]):
        return found[-1][0].strip()
    return ""


_PULLED_WELL = re.compile(r"success\b|\| 200 \|[^\n]*\"/api/(?:generate|chat)\"")


def plain_http(facts: Facts) -> str:
    """A pull of a model from a registry that speaks plain HTTP, without --insecure."""
    for said, _ in [*symptoms.clients(facts), *_ollama_words(facts), *_hook_words(facts)]:
        for found in _PLAIN_HTTP.finditer(said):
            if not _IMAGE.search(found[0]):
                return f"a pull was told: {symptoms.end_of(found[0])}"
    for pod in symptoms.hooks_failed(facts):
        hook = str((container_of(pod) or {}).get("lifecycle", ""))
        for name, line in _hook_pulls(hook):
            if "--insecure" not in line and symptoms.PULL_REQUEST.search(facts.log(pod)):
                return f"{named(pod)}: its hook pulls {name} without --insecure"
    return ""


def _ollama_words(facts: Facts) -> Iterator[tuple[str, str]]:
    for pod in facts.pods:
        yield facts.log_of(pod, (container_of(pod) or {}).get("name", "")), ""


def _hook_words(facts: Facts) -> Iterator[tuple[str, str]]:
    for pod in symptoms.hooks_failed(facts):
        yield from ((said, "") for said in facts.said(pod, "FailedPostStartHook"))
        for status in pod_status.statuses(pod, init=False):
            waiting = status.get("state", {}).get("waiting", {})
            yield f"{waiting.get('reason', '')} {waiting.get('message', '')}", ""


def origin(facts: Facts) -> str:
    """Ollama's own 403, which it gives for a Host or an Origin that it does not know."""
    if _REFUSED.search(facts.error) and _is_of_ollama(facts.error):
        return f"a request was told: {_REFUSED.search(facts.error)[0]}"
    for pod in filter(runs, facts.pods):
        log = facts.log_of(pod, (container_of(pod) or {})["name"])
        last = [found for found in _ACCESS.findall(log) if _API.match(f'"{found[2]}')][-1:]
        if last and last[0][0] == "403" and not _CLOUD.search(log):
            return f"{named(pod)} answered {last[0][1]} with 403 for {last[0][2]}"
    return ""


def _is_of_ollama(said: str) -> bool:
    """Did an Ollama answer so: not the API server, a proxy, or a registry of models?"""
    return bool(_AT_OLLAMA.search(said)) and not _ANOTHERS.search(said)


def unauthorized(facts: Facts) -> str:
    """A client that was told 401 by what stands before Ollama."""
    behind = [pod for pod in facts.pods if facts.answers.get(pod["metadata"]["name"]) == 401]
    for said, _ in symptoms.clients(facts):
        found = _UNAUTHORIZED.search(_SERVED.sub("", said))
        is_ours = _AT_OLLAMA.search(said) if said == facts.error else behind or _is_beside(facts)
        if found and is_ours and not _ANOTHERS.search(said.replace(_IN_FRONT, "")):
            where = f"; {named(behind[0])} answers so at port 11434" if behind else ""
            return f"a client was told: {found[0]}{where}"
    return ""


def _is_beside(facts: Facts) -> bool:
    """Is there an Ollama with another container beside it?"""
    return any(runs(pod) and ports.beside(pod) for pod in facts.pods)


def no_internet(facts: Facts) -> str:
    for said, _ in [*symptoms.clients(facts, ill=True), *_ollama_words(facts)]:
        said = _OF_ITS_OWN.sub("", said)
        found = list(_PUBLIC.finditer(said))[-1:]
        if found and not _PULLED_WELL.search(said[found[0].end() :]):
            return f"a pull was told: {symptoms.end_of(found[0][0])}"
    return ""


def foreign_name(facts: Facts) -> str:
    """A name of another namespace, or outside of the cluster, that could not be resolved."""
    for said, line in symptoms.clients(facts, ill=True):
        host = host_names.unresolved(said, line)
        rest = host.partition(".")[2]
        public = _PUBLIC.search(said)
        if rest and not public and not rules.is_of_namespace(rest, facts.namespace):
            return f"a client called {host}, and no such name is known"
    return ""


def load_balancer(facts: Facts) -> str:
    for service, told in _pending(facts):
        # a cloud is at it, which takes minutes; or says why it is not
        if not told:
            return f"service/{service['metadata']['name']}: its EXTERNAL-IP is pending"
    return ""


def refused_balancer(facts: Facts) -> str:
    for service, told in _pending(facts):
        said = [one["message"] for one in told if one.get("type") == "Warning"]
        if said:
            return f"service/{service['metadata']['name']}: {symptoms.end_of(said[-1])}"
    return ""


def _pending(facts: Facts) -> Iterator[tuple[dict, list[dict]]]:
    """Services that wait for an address, each with the events of those who give one."""
    for service in facts.services:
        spec, meta = service["spec"], service["metadata"]
        ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress")
        if spec.get("type") != "LoadBalancer" or ingress:
            continue
        born = meta.get("creationTimestamp")
        if born and symptoms.seconds_since(facts, born) >= _PENDING_S:
            told = [one for one in facts.told(service) if one.get("message")]
            yield service, [one for one in told if "Endpoint" not in one.get("reason", "")]


ROWS = (
    Mistake(
        "proxy-without-no-proxy",
        "proxyconnect tcp, Unable to connect to proxy: a pull from inside of the cluster fails",
        "HTTP_PROXY is set in the Pod, and requests to Services go through that proxy, which does"
        " not know them",
        "set NO_PROXY=localhost,127.0.0.1,.svc,.cluster.local and the registry's name beside it",
        "kubectl get pods --output=yaml",
        "the environment of containers, and their logs",
        proxy,
        sure=SHOWN,
        unless="NO_PROXY covers the host of the failed request",
        rules_out=(
            "misspelt-name",
            "misspelt-model",
            "name-not-resolved",
            "no-way-to-ollama-com",
            "hook-before-server",
            "hook-misspelt-model",
        ),
    ),
    Mistake(
        "registry-plain-http",
        "pull model manifest: http: server gave HTTP response to HTTPS client",
        "the registry of the model speaks plain HTTP, and the pull expects HTTPS; the name may be"
        " right",
        'pull with --insecure: ollama pull --insecure NAME; in the API: "insecure": true',
        "kubectl get deployment/ollama --output=jsonpath={..lifecycle}",
        "Ollama's log, logs of clients, the hook and its message, the error",
        plain_http,
        sure=SHOWN,
        unless="the pull has --insecure already",
        rules_out=("misspelt-model", "hook-misspelt-model", "hook-before-server", "misspelt-name"),
    ),
    Mistake(
        "host-or-origin-refused",
        "HTTP 403 with an empty body, from an Ollama that answers others",
        "Ollama does not know the request's Origin; or it listens on loopback behind a proxy and"
        " does not know its Host",
        "OLLAMA_ORIGINS names the origins (a comma list); a proxy sends Host: localhost:11434, or"
        " OLLAMA_HOST=0.0.0.0",
        "kubectl logs deployment/ollama",
        "the last answer in Ollama's access log, the error",
        origin,
        sure=SHOWN,
        unless="the body of the answer has words: then it is another program's 403",
        rules_out=("ollama-host-loopback",),
    ),
    Mistake(
        "client-unauthorized",
        "HTTP 401 Unauthorized at port 11434",
        "a proxy before Ollama wants a password or a token; Ollama itself asks for none",
        "send what the proxy wants: an Authorization header; inside of the Pod Ollama needs none",
        "kubectl get pods --output=jsonpath={..image}",
        "logs of clients, the error, what port 11434 answers",
        unauthorized,
        sure=SHOWN,
        unless="the answer is of another server than the Pod's",
        rules_out=("ollama-host-loopback",),
    ),
    Mistake(
        "no-way-to-ollama-com",
        "pull model manifest: … registry.ollama.ai: no such host, i/o timeout",
        "the cluster has no way to Ollama's public registry",
        "pull from a registry that the cluster reaches: echo $MODEL has the lab's; or a proxy",
        "kubectl logs deployment/ollama",
        "Ollama's log, logs of clients, the error",
        no_internet,
        sure=LOGGED,
        unless="a pull from ollama.com succeeded since",
        rules_out=("misspelt-name", "misspelt-model", "hook-misspelt-model", "name-not-resolved"),
    ),
    Mistake(
        "name-not-resolved",
        "no such host, for a name outside of this namespace",
        "the cluster's DNS does not know the name that a client called",
        "a Service of another namespace is SERVICE.NAMESPACE; for a public name the cluster needs"
        " a way out",
        "kubectl get services --all-namespaces",
        "logs of clients, and the error",
        foreign_name,
        sure=LOGGED,
        unless="kubectl get services lists it there",
        rules_out=("misspelt-name",),
    ),
    Mistake(
        "load-balancer-pending",
        "EXTERNAL-IP stays pending",
        "nothing in this cluster gives addresses to Services of type LoadBalancer",
        "type ClusterIP, and from outside: kubectl port-forward service/ollama 11434; or install a"
        " load balancer (MetalLB, cloud-provider-kind)",
        "kubectl get services",
        "the type and the status of Services, their events",
        load_balancer,
        unless="its EXTERNAL-IP has an address; inside of the cluster the Service works anyway",
    ),
    Mistake(
        "load-balancer-refused",
        "EXTERNAL-IP stays pending: AllocationFailed, SyncLoadBalancerFailed",
        "what gives addresses to Services is there, and its event has the reason why it gives none",
        "change what the message names: addresses of the pool, a quota, rights, an annotation",
        "kubectl describe services",
        "the type and the status of Services, their events",
        refused_balancer,
        unless="its EXTERNAL-IP has an address",
    ),
)
