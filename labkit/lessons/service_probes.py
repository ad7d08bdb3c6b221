"""What checks look at in Service `ollama`: who is behind it, and who has answered its requests."""

from __future__ import annotations

from collections.abc import Callable

from labkit.errors import LabError, NotFound
from labkit.kube import refs
from labkit.kube.proxy import OLLAMA_PORT, opened
from labkit.kube.session import Session
from labkit.lessons import pod_probes
from labkit.lessons.seen import Seen
from labkit.ollama import access_log
from labkit.ui import units

_PORT = 'lab.delete("service/ollama"); lab.create_service("ollama", tcp=11434)'


def service_reaches_ollama(session: Session) -> Seen:
    """A request to port 11434 of Service `ollama`, as clients send it, is answered by an Ollama."""
    try:
        found = refs.found(session, refs.parsed(session, "service/ollama"))
        ports = [one["port"] for one in found["spec"].get("ports", [])]
        if OLLAMA_PORT not in ports:
            said = ", ".join(map(str, ports)) or "none"
            saw = f"service/ollama has port {said}, and clients call ollama:{OLLAMA_PORT}"
            return Seen(False, saw, _PORT)
        with opened(session, "service/ollama", port=OLLAMA_PORT) as server:
            answer = server.get("/")
    except LabError as error:
        return Seen(False, f"{error.happened}: {error.saw}", error.hint)
    if answer != "Ollama is running":
        return Seen(False, f"another server answers: {str(answer)[:60]}", _PORT)
    return Seen(True, f"an Ollama answers at service/ollama, port {OLLAMA_PORT}")


def reached(check: Callable[[Session], Seen]) -> Callable[[Session], Seen]:
    """A check: the same, where Service `ollama` leads to an Ollama."""

    def behind(session: Session) -> Seen:
        there = service_reaches_ollama(session)
        return check(session) if there.passed else there

    return behind


def service_answers(session: Session) -> Seen:
    """Service `ollama` answers a prompt with the lab's model."""
    return reached(lambda _: pod_probes.answers("service/ollama"))(session)


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
    counted = f"ready endpoints of {one}: {len(ready)} of {len(ends)}"
    if ready:
        return Seen(True, f"{counted}, which does not prove an answer")
    return Seen(False, counted, "kubectl get pods --show-labels; it selects app=ollama")


def service_has_answered(session: Session) -> Seen:
    """Service `ollama` answers with the lab's model, and a client has sent it a prompt."""
    logs = access_log.logs(session, "deployment/ollama").values()
    asked = [status for log in logs for status in access_log.prompts(log, from_inside=False)]
    if not any(status < "400" for status in asked):
        saw = f"{units.count(len(asked), 'prompt')} sent from outside of the Pod, and none answered"
        return Seen(False, saw, 'lab.generate("…", at="service/ollama")')
    return service_answers(session)


def some_answered_some_refused(session: Session) -> Seen:
    """The access logs of Deployment `ollama`: a Pod that answered, and one that refused."""
    found = access_log.answers(session, "deployment/ollama", "/api/generate")
    answered = [name for name, statuses in found.items() if any(one < "400" for one in statuses)]
    refused = [name for name, statuses in found.items() if statuses and min(statuses) >= "400"]
    counted = ", ".join(
        f"{name} {units.count(len(statuses), 'time')}" for name, statuses in found.items()
    )
    saw = f"{units.count(len(answered), 'Pod')} answered, "
    saw += f"{units.count(len(refused), 'Pod')} rejected every prompt"
    if answered and refused:
        return Seen(True, saw)
    return Seen(False, f"{saw}; asked: {counted}", "ask thirty times, a connection each")
