"""NetworkPolicies: whom they let in, against who was let in and who was not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import ports, symptoms
from labkit.diagnosis.facts import Facts, container_of, runs
from labkit.diagnosis.mistake import SHOWN, Mistake
from labkit.diagnosis.symptoms import named
from labkit.kube import host_names, refs

_TIMEOUT = re.compile(
    r"[^\n]*(?:timed? ?out|i/o timeout|deadline exceeded|Connection timed out)[^\n]*", re.IGNORECASE
)
_DNS = 53
_ADDRESS = re.compile(r"\w+://|[\w.-]+:\d+\b")
_ANSWERED = re.compile(
    r'\[GIN\] (\S+ - \S+) \|\s*200 \|[^|]+\|\s*([\d.a-f:]+) \|\s*\w+\s+"/(?:api|v1)/'
)


def matches(selector: dict | None, labels: dict[str, str]) -> bool:
    """Does a label selector take these labels? An empty one takes all.

    >>> matches({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}, {"a": "b"})
    True
    """
    if selector is None:
        return False
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for one in selector.get("matchExpressions", []):
        value, values = labels.get(one["key"]), one.get("values", [])
        fits = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not fits[one["operator"]]:
            return False
    return True


def lets_in(facts: Facts, server: dict, client: dict, port: int) -> bool:
    """Do the policies let that Pod of this namespace reach the other one at that port?"""
    rules = _rules(facts, server, "Ingress")
    return rules is None or any(
        _has_one(rule, port, server) and _takes(rule.get("from"), client) for rule in rules
    )


def lets_out(facts: Facts, client: dict, server: dict, port: int) -> bool:
    """Do the policies let that Pod of this namespace ask the other one at that port?"""
    rules = _rules(facts, client, "Egress")
    return rules is None or any(
        _has_one(rule, port, server) and _takes(rule.get("to"), server) for rule in rules
    )


def asks_for_names(facts: Facts, client: dict) -> bool:
    """Do the policies let it ask a DNS server, wherever that is?"""
    rules = _rules(facts, client, "Egress")
    return rules is None or any(_has_one(rule, _DNS, client) for rule in rules)


def _rules(facts: Facts, pod: dict, way: str) -> list[dict] | None:
    """All that is let in or out of a Pod; None where no policy selects it, and all is."""
    labels = pod["metadata"].get("labels", {})
    chosen = [
        one["spec"]
        for one in facts.policies
        if matches(one["spec"].get("podSelector", {}), labels)
        and way in (one["spec"].get("policyTypes") or _usual(one["spec"]))
    ]
    if not chosen:
        return None
    return [rule for spec in chosen for rule in spec.get(way.lower()) or []]


def _usual(spec: dict) -> list[str]:
    return ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _has_one(rule: dict, port: int, server: dict) -> bool:
    ports = rule.get("ports") or []
    return not ports or any(_has_port(one, port, server) for one in ports)


def _takes(peers: list[dict] | None, pod: dict) -> bool:
    if not peers:
        return True
    labels = pod["metadata"].get("labels", {})
    for peer in peers:
        if "ipBlock" in peer:
            return True  # not decided here: it may well fit
        spaces = peer.get("namespaceSelector")
        if spaces is not None and spaces != {}:
            return True  # the labels of the namespace are not among the facts
        if peer.get("podSelector") is None or matches(peer["podSelector"], labels):
            return True
    return False


def _has_port(given: dict, port: int, server: dict) -> bool:
    first = given.get("port")
    if first is None:
        return True
    number = ports.number_of(server, first)
    return number is not None and number <= port <= given.get("endPort", number)


def _servers(facts: Facts) -> Iterator[tuple[dict, int]]:
    for pod in filter(runs, facts.pods):
        yield pod, ports.listens(facts, pod)[1]


def _clients(facts: Facts) -> Iterator[dict]:
    for pod in facts.pods:
        if not container_of(pod) and not pod["spec"].get("hostNetwork"):
            yield pod


def blocked(facts: Facts) -> str:
    """A client whose request timed out, and that no policy lets in, or out."""
    for client in _clients(facts):
        lines = list(_TIMEOUT.finditer(facts.log(client)))
        for server, port in _servers(facts) if lines else []:
            found = [
                one
                for one in lines
                if _is_to(facts, server, port, one[0])
                or not (refs.ready(client) or _ADDRESS.search(one[0]))
            ][-1:]
            is_let = lets_in(facts, server, client, port) and lets_out(facts, client, server, port)
            if found and not is_let:
                said = symptoms.end_of(found[0][0])
                return f"no policy lets {named(client)} reach {named(server)}; its log: {said}"
        said = host_names.unresolved(facts.log(client), "")
        known = {service["metadata"]["name"] for service in facts.services}
        if said.partition(".")[0] in known and not asks_for_names(facts, client):
            return f"no policy lets {named(client)} ask for names (port {_DNS}); it called {said}"
    return ""


def _is_to(facts: Facts, server: dict, port: int, line: str) -> bool:
    """Does that line name the server: by a Service's name or address, by its own, by its port?"""
    names = {server.get("status", {}).get("podIP", ""), f":{port}", f"port={port}"}
    for service in facts.services:
        if server in ports.selected(facts, service):
            names |= {service["metadata"]["name"], service["spec"].get("clusterIP", "")}
    return any(name in line for name in names - {"", "None"})


def ignored(facts: Facts) -> str:
    """A client that was answered, though no policy lets it in."""
    if any(_changed(one) is None for one in facts.policies):
        return ""  # one was changed, and nobody knows when
    since = max(filter(None, map(_changed, facts.policies)), default="")
    for server, port in _servers(facts):
        name = (container_of(server) or {})["name"]
        log = facts.log_of(server, name)
        for client in _clients(facts):
            status = client.get("status", {})
            begun = max(since, status.get("startTime", ""))  # another Pod may have had its address
            is_answered = any(
                address == status.get("podIP") and when > _as_logged(begun)
                for when, address in _ANSWERED.findall(log)
            )
            if is_answered and not lets_in(facts, server, client, port):
                return f"{named(server)} answered {named(client)}, which no policy lets in"
    return ""


def _changed(policy: dict) -> str | None:
    """When it became what it is; None where that is not known."""
    meta = policy["metadata"]
    times = [one.get("time", "") for one in meta.get("managedFields", [])]
    if meta.get("generation", 1) > 1 and not any(times):
        return None
    return max([meta.get("creationTimestamp", ""), *times])


def _as_logged(moment: str) -> str:
    """
    >>> _as_logged("2026-11-30T11:59:08Z")
    '2026/11/30 - 11:59:08'
    """
    return moment.replace("-", "/", 2).replace("T", " - ")[:21]


ROWS = (
    Mistake(
        "network-policy-blocks",
        "a client's requests time out, though the Service has ready endpoints",
        "NetworkPolicies select the Ollama or its client, and none of them lets the request pass",
        "add the client to ingress.from of the policy, or give it the labels that are there; where"
        " the client's own egress is limited, add the Ollama and the DNS (port 53) to egress.to",
        "kubectl describe networkpolicies",
        "NetworkPolicies, labels of Pods, logs of clients",
        blocked,
        sure=SHOWN,
        unless="a Pod with the client's labels gets an answer",
        rules_out=("wrong-service-port",),
    ),
    Mistake(
        "network-policy-ignored",
        "a NetworkPolicy that keeps no client out",
        "the cluster's network plugin does not enforce NetworkPolicies",
        "install a plugin that does (Calico, Cilium, kindnet from kind 0.24 on)",
        "kubectl get pods --namespace=kube-system",
        "NetworkPolicies, labels and addresses of Pods, Ollama's access log",
        ignored,
        sure=SHOWN,
        unless="the request was answered before the policy was made",
    ),
)
