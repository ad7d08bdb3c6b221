"""What checks look at in Service `ollama`: who is behind it, and who has answered its requests."""

from __future__ import annotations

from labkit.errors import LabError, NotFound
from labkit.kube import refs
from labkit.kube.session import Session
from labkit.lessons import pod_probes
from labkit.lessons.seen import Seen
from labkit.ollama import access_log, client
from labkit.ui import units


def service_reaches_ollama(session: Session) -> Seen:
    """A request to Service `ollama` is answered by an Ollama."""
    try:
        with client.server("service/ollama") as server:
            answer = server.get("/")
    except LabError as error:
        return Seen(False, f"{error.happened}: {error.saw}", error.hint)
    if answer != "Ollama is running":
        return Seen(False, f"another server answers: {str(answer)[:60]}", "which port is Ollama's?")
    return Seen(True, "an Ollama answers behind service/ollama")


def service_answers(session: Session) -> Seen:
    """Service `ollama` answers a prompt with the lab's model."""
    reached = service_reaches_ollama(session)
    return pod_probes.answers("service/ollama") if reached.passed else reached


def service_has_an_endpoint(session: Session) -> Seen:
    """Service `ollama` is there, and has the address of a ready Pod behind it."""
    one = refs.parsed(session, "service/ollama")
    try:
        refs.found(session, one)
    except NotFound as error:
        return Seen(False, error.happened, error.hint)
    query = {"labelSelector": f"kubernetes.io/service-name={one.name}"}
    path = session.api.resource("endpointslices").path(session.namespace)
    slices = session.api.request("GET", path, query=query)["items"]
    ends = [end for item in slices for end in item.get("endpoints") or []]
    ready = [end for end in ends if end.get("conditions", {}).get("ready")]
    saw = f"{one}: {len(ready)} of {units.count(len(ends), 'address', 'addresses')} ready"
    return Seen(bool(ready), saw, "do the Pods carry the label that it selects?")


def service_has_answered(session: Session) -> Seen:
    """Service `ollama` answers with the lab's model, and a client has sent it a prompt."""
    found = access_log.answers(session, "deployment/ollama", "/api/generate")
    asked = [status for statuses in found.values() for status in statuses]
    if not any(status < "400" for status in asked):
        saw = f"{units.count(len(asked), 'prompt')} sent, and none answered yet"
        return Seen(False, saw, 'lab.generate("…", at="service/ollama")')
    return service_answers(session)


def some_answered_some_refused(session: Session) -> Seen:
    """The access logs of Deployment `ollama`: a Pod that answered, and one that refused."""
    found = access_log.answers(session, "deployment/ollama", "/api/generate")
    answered = [name for name, statuses in found.items() if statuses and max(statuses) < "400"]
    refused = [name for name, statuses in found.items() if statuses and min(statuses) >= "400"]
    counted = ", ".join(
        f"{name} {units.count(len(statuses), 'time')}" for name, statuses in found.items()
    )
    saw = f"{units.count(len(answered), 'Pod')} answered every prompt, "
    saw += f"{len(refused)} rejected every one"
    if answered and refused:
        return Seen(True, saw)
    return Seen(False, f"{saw}; asked: {counted}", "ask thirty times, a connection each")
