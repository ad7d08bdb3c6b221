"""How each classic mistake is recognised: facts → what shows it, or nothing.

Pure functions on `facts.Facts`, a function for each row of the table in mistakes.py. Each
says in one line what it saw, and "" where the mistake is not there. They are asked in the
table's order, so a function runs only when those before it found nothing.
"""

from __future__ import annotations

import difflib
import re

from labkit.diagnosis import ports, scheduling, symptoms
from labkit.diagnosis.facts import Facts, container_of, has, repository, runs
from labkit.diagnosis.symptoms import named
from labkit.kube import host_names, refs
from labkit.ui import units

_NO_CONTEXT = re.compile(
    r"context \S+ does not exist|no context exists|has no context|context was not found"
    r"|localhost:8080 was refused"
)
_ASKED = re.compile(
    r"host='([\w.-]+)', port=(\d+)|https?://([\w.-]+):(\d+)|connect to ([\w.-]+) port (\d+)"
)
_UNHEARD = re.compile(r"refused|timed? ?out|deadline exceeded|no route", re.IGNORECASE)
_NO_PROGRAM = re.compile(
    r'(?:exec: "[^"]+": )?(?:executable file (?:\S+ )?not found|stat [^:\s]+: no such file[^:\n]*)'
    r"|exited with 127(?:: [^,\n]*not found)?"
)
_NO_MODEL = re.compile(r"pull model manifest: file does not exist|manifest.*file does not exist")
# Ollama 0.24 refuses by itself what it knows to be too large, or the kernel ends `ollama runner`;
# 0.34 tries always, and the kernel ends `llama-server`
_NO_MEMORY = re.compile(
    r"model requires more system memory \([^\"\n]*|model request too large for system[^\n]*"
    r"|((llama-server|llama runner) process has terminated: )?signal: killed"
)
# in the middle of an answer, in both
_BROKE_OFF = re.compile(r"an error was encountered while running the model: unexpected EOF")
# kubectl exec's word; that command's memory counts for the container's limit too
_EXEC_KILLED = re.compile(r"command terminated with exit code 137")


def wrong_context(facts: Facts) -> str:
    if found := _NO_CONTEXT.search(facts.error):
        return f"a command reported: {found[0]}"
    if facts.chosen and facts.chosen != facts.context:
        return f"kubectl's current context is {facts.chosen}, the lab's is {facts.context}"
    return ""


def old_value(facts: Facts) -> str:
    found = re.search(r"can't evaluate field \w+ in type interface \{\}", facts.error)
    return f"helm reported: {found[0]}" if found else ""


def wrong_namespace(facts: Facts) -> str:
    if found := re.search(r'namespaces "?(\S+?)"? not found', facts.error):
        return f"there is no namespace {found[1]}"
    if facts.elsewhere:
        return f"{facts.namespace} is empty, and there is {', '.join(facts.elsewhere)}"
    return ""


def restricted(facts: Facts) -> str:
    return symptoms.not_created(facts, r'violates PodSecurity "restricted[^"]*": \w+')


def quota(facts: Facts) -> str:
    return symptoms.not_created(facts, r"exceeded quota: [^()\n]+")


def small_default(facts: Facts) -> str:
    """The limit that a LimitRange gives: below the request, or below what the server needs."""
    found = symptoms.not_created(facts, r"must be less than or equal to \w+ limit of \S+")
    if found:
        return found
    for pod, container, message in symptoms.out_of_memory(facts):
        given = pod["metadata"].get("annotations", {}).get("kubernetes.io/limit-ranger", "")
        if f"memory limit for container {container}" in given:
            return f"{named(pod)}: {message}; a LimitRange gave it that limit"
    return ""


def node_down(facts: Facts) -> str:
    down = down_nodes(facts)
    for pod in facts.pods:
        node = pod["spec"].get("nodeName")
        has_ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if node in down and not has_ended:
            return f"{named(pod)} is on node {node}, which is not Ready"
    for pod, message in scheduling.waits(facts, "down"):
        return f"{', '.join(sorted(down))} not Ready; {named(pod)}: {message}"
    return ""


def down_nodes(facts: Facts) -> set[str]:
    return {one["metadata"]["name"] for one in facts.nodes if not refs.ready(one)}


def registry_down(facts: Facts) -> str:
    for pod, image, answer in symptoms.not_pulled(facts):
        if answer == "silent":
            return f"{named(pod)} wants {image}, and no registry answers"
    return ""


def unknown_tag(facts: Facts) -> str:
    for pod, image, answer in symptoms.not_pulled(facts):
        name, tag = repository(image)
        if answer == "absent" and name in facts.images:
            return f"{named(pod)} wants {image}: {name} is there, and has no tag {tag}"
    return ""


def misspelt_image(facts: Facts) -> str:
    for pod, image, answer in symptoms.not_pulled(facts):
        if answer == "absent":
            near = difflib.get_close_matches(repository(image)[0].lower(), facts.images, 1)
            return f"{named(pod)} wants {image}{f'; there is {near[0]}' if near else ''}"
    return ""


def misspelt_command(facts: Facts) -> str:
    for pod, status in symptoms.statuses(facts):
        if symptoms.is_settled(facts, status):
            continue
        where = f"{named(pod)}, container {status['name']}"
        for state in (status.get("state", {}), status.get("lastState", {})):
            ended, waits = state.get("terminated", {}), state.get("waiting", {})
            said = f"{ended.get('message', '')} {waits.get('message', '')}"
            if found := _NO_PROGRAM.search(f"{waits.get('reason', '')} {said}"):
                return f"{where}: {found[0]}"
            if ended.get("exitCode") == 127:
                return f"{where}: exit code 127, which is a shell's word for an unknown command"
        log = facts.log_of(pod, status["name"])
        found = re.search(r"unknown (command|flag|shorthand flag)[^\n]*", log)
        if found and not status.get("ready"):
            return f"{where}: {found[0]}"
    return ""


def small_memory(facts: Facts) -> str:
    for pod, container, message in symptoms.out_of_memory(facts):
        return f"{named(pod)}, container {container}: {message}"
    if found := _NO_MEMORY.search(facts.error) or _BROKE_OFF.search(facts.error):
        return f"Ollama reported: {found[0]}"
    is_killed = _EXEC_KILLED.search(facts.error)
    for pod in filter(runs, facts.pods):
        # its last word on a prompt; a smaller model may have been answered since
        last = re.findall(r'\| (\d{3}) \|.*"/api/(?:generate|chat)"', facts.log(pod))[-1:]
        found = _NO_MEMORY.search(facts.log(pod))
        if found and last == ["500"]:
            return f"{named(pod)} said: {found[0]}"
        limit = symptoms.memory_limit(container_of(pod) or {})
        if limit and is_killed:
            return f"{named(pod)}: a command in it was killed (137), at the memory limit of {limit}"
    return ""


def no_storage_class(facts: Facts) -> str:
    if not any("ersistentvolumeclaim" in text.lower() for _, text in symptoms.unplaced(facts)):
        return ""
    for claim in facts.claims:
        said = " ".join(facts.said(claim, "ProvisioningFailed", "FailedBinding"))
        lacks = re.search(r"storageclass\S* \S+ not found|no storage class is set", said)
        if lacks and claim.get("status", {}).get("phase") == "Pending":
            return f"claim {claim['metadata']['name']}: {lacks[0]}"
    return ""


def no_room(facts: Facts) -> str:
    return symptoms.first(scheduling.waits(facts, "room"))


def loopback(facts: Facts) -> str:
    for pod in ports.unheard(facts):
        host, port = ports.listens(facts, pod)
        if ports.fronted(facts, pod):
            continue
        if ports.beside(pod) and not any(
            pod in ports.selected(facts, one) for one in facts.services
        ):
            continue  # who asks it may be in its own Pod
        if host in ("localhost", "::1") or host.startswith("127."):
            return f"{named(pod)} listens on {host}:{port}, which is its own loopback"
    return ""


def wrong_probe_port(facts: Facts) -> str:
    for pod in filter(runs, facts.pods):
        asked = ports.probed_port(container_of(pod) or {}, "readiness")
        _, port = ports.listens(facts, pod)
        if ports.probed_elsewhere(facts, pod, "readiness") and not refs.ready(pod):
            return f"{named(pod)}: its probe connects to port {asked}, and it listens on {port}"
    return ""


def no_match(facts: Facts) -> str:
    templates = [
        one["spec"]["template"]["metadata"].get("labels", {}) for _, one in facts.workloads
    ]
    for service in facts.services:
        selector = service["spec"].get("selector") or {}
        if not selector or ports.selected(facts, service):
            continue
        if not facts.model and _is_partly_there(selector, templates):
            continue  # a program may give its Pods labels while they run: role=primary
        if not any(selector.items() <= labels.items() for labels in templates):
            there = {symptoms.labels_of(pod) for pod in facts.pods}
            labels = f"the Pods have {' or '.join(sorted(there))}" if there else "there are no Pods"
            return f"{named(service)} selects {refs.selector(service)}; {labels}"
    return ""


def _is_partly_there(selector: dict, templates: list[dict]) -> bool:
    """Has a template some of these labels, and no other value for the rest?"""
    return any(
        selector.items() & labels.items()
        and all(labels.get(key, value) == value for key, value in selector.items())
        for labels in templates
    )


def wrong_target_port(facts: Facts) -> str:
    for service, port, pod, listened in ports.lost(facts):
        if port["port"] == listened:
            target = port.get("targetPort", port["port"])
            return f"{named(service)} leads to {target}, {named(pod)} listens on {listened}"
    return ""


def wrong_port(facts: Facts) -> str:
    """Of the Service: it leads nowhere, or a client used one that it does not have."""
    for service, port, pod, listened in ports.lost(facts):
        return f"{named(service)} has port {port['port']}, {named(pod)} listens on {listened}"
    of_services = {
        service["metadata"]["name"]: [port["port"] for port in service["spec"].get("ports", [])]
        for service in facts.services
    }
    for said, words in symptoms.clients(facts):
        for found in _ASKED.findall(f"{said} {words}") if _UNHEARD.search(said) else []:
            host, asked = [part for part in found if part][:2]
            known = of_services.get(host.partition(".")[0], [])
            if known and int(asked) not in known:
                return f"a client called {host}:{asked}, and service/{host} has {known}"
    return ""


def not_ready(facts: Facts) -> str:
    for service in facts.services:
        pods = ports.selected(facts, service)
        if not pods or any(map(refs.ready, pods)):
            continue
        for pod in pods:
            failed = facts.said(pod, "Unhealthy") if runs(pod) else []
            if failed and symptoms.seconds_run(facts, pod) >= symptoms.patience_s(pod):
                said = symptoms.end_of(failed[-1])
                return f"{named(service)} has no ready Pod; {named(pod)}: {said}"
    return ""


def misspelt_name(facts: Facts) -> str:
    if facts.hides("services"):
        return ""
    names = [service["metadata"]["name"] for service in facts.services]
    for said, words in symptoms.clients(facts):
        host = host_names.unresolved(said, words)
        name, _, rest = host.partition(".")
        if host and name not in names and is_of_namespace(rest, facts.namespace):
            return f"a client called {host}; Services here: {', '.join(names) or 'none'}"
    return ""


def is_of_namespace(rest: str, namespace: str) -> bool:
    """Is a host with that after its first dot a Service's name in this namespace?

    >>> [is_of_namespace(rest, "lab") for rest in ("", "lab.svc", "other", "ollama.ai")]
    [True, True, False, False]
    """
    place, _, domain = rest.partition(".")
    return place in ("", namespace) and domain in ("", "svc", "svc.cluster.local")


def misspelt_model(facts: Facts) -> str:
    for pod in filter(runs, facts.pods):
        wanted = facts.refused.get(pod["metadata"]["name"], [])
        if wanted and not has(facts.held.get(pod["metadata"]["name"], []), facts.model):
            return f"{named(pod)} asked the mirror for {wanted[-1]}, which it does not have"
    for said, _ in symptoms.clients(facts):
        if found := _NO_MODEL.search(said):
            return f"a pull was told: {found[0]}"
    return ""


def one_replica(facts: Facts) -> str:
    lacking = symptoms.lacking(facts)
    alike: dict[str, list[str]] = {}
    for pod in facts.pods:
        if pod["metadata"]["name"] in facts.held:
            alike.setdefault(symptoms.labels_of(pod), []).append(pod["metadata"]["name"])
    for names in alike.values():
        lack = [name for name in lacking if name in names]
        if lack and len(lack) < len(names):
            pods = units.count(len(names), "Pod")
            return f"{len(lack)} of {pods} without {facts.model}: {', '.join(lack)}"
    return ""


def no_model(facts: Facts) -> str:
    lacking = [
        name for name in symptoms.lacking(facts) if not facts.held[name] or _was_asked(facts, name)
    ]
    return f"{', '.join(lacking)} answers, and has no {facts.model}" if lacking else ""


def _was_asked(facts: Facts, name: str) -> bool:
    """Was an Ollama that has other models asked for one that it does not have?"""
    log = "\n".join(text for (of, _), text in facts.logs.items() if of == name)
    last = re.findall(r'\| (\d{3}) \|.*"/(?:api/(?:generate|chat)|v1/\S*completions)"', log)[-1:]
    return last == ["404"] or "not found" in facts.error


def no_turn(facts: Facts) -> str:
    for pod in filter(runs, facts.pods):
        waited_s = symptoms.waited_in_vain(facts.log(pod))
        if waited_s >= symptoms.SETTLED_S:
            said = f"a prompt was given up after {waited_s:.0f} s, and none was answered meanwhile"
            return f"{named(pod)}: {said}"
    return ""
