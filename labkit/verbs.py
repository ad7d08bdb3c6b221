"""kubectl's verbs: `lab.run`, `get`, `logs`, `delete`, `events`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labkit import kubectl, targets, verdict
from labkit.display import Live, Shown, echo
from labkit.errors import (
    AlreadyExists,
    CommandFailed,
    LabError,
    NotFound,
    PodFailed,
    TimedOut,
)
from labkit.session import Session, current
from labkit.table import Table

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
POLL_S = 0.1
GONE_S = 60.0
_WITH_PODS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}


@dataclass(frozen=True)
class Output(Shown):
    """What a container wrote, and the exit code where there is one."""

    text: str
    code: int | None = None

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


@dataclass(frozen=True)
class Done(Shown):
    """What became of objects, in kubectl's words: "pod/ollama created"."""

    text: str

    def __repr__(self) -> str:
        return self.text


def run(
    name: str,
    *command: str,
    image: str,
    env: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    port: int | None = None,
    rm: bool = False,
    timeout_s: float = 120.0,
) -> Done | Output:
    """Makes a Pod of one container. With `rm`, waits for its end and gives what it wrote.

        lab.run("ollama", image="ollama/ollama")

    Equals `kubectl run NAME --image=IMAGE`; `command` are the words after `--`. With
    `rm=True` it equals `kubectl run … --rm -i --restart=Never`: the Pod is removed whatever
    happens. Raises AlreadyExists, Refused (quota, Pod Security); with `rm` also
    CommandFailed (its exit code is not 0), PodFailed, TimedOut after `timeout_s` seconds.
    """
    session = current()
    flags = {"restart": "Never", "rm": True, "stdin": True} if rm else {}
    variables = [f"{key}={value}" for key, value in (env or {}).items()]
    said = ",".join(f"{key}={value}" for key, value in (labels or {}).items())
    more = {"env": variables, "labels": said, "port": port, "command": command}
    echo(kubectl.line("run", name, image=image, **more, **flags))
    container: dict[str, Any] = {"name": name, "image": image, "resources": {}}
    if command:
        container["args"] = list(command)
    if env:
        container["env"] = [{"name": key, "value": value} for key, value in env.items()]
    if port:
        container["ports"] = [{"containerPort": port}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"run": name}},
        "spec": {
            "containers": [container],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Never" if rm else "Always",
        },
    }
    _make(session, _pods(session), "kubectl-run", pod)
    if not rm:
        return told(f"pod/{name} created")
    try:
        return _followed(session, name, timeout_s)
    finally:
        _delete(session, targets.parsed(session, f"pod/{name}"), timeout_s)


def get(what: str, *, selector: str | None = None, all_namespaces: bool = False) -> Table:
    """A table of objects with kubectl's own columns; `.items` are the whole objects.

        lab.get("pods")
        lab.get("deployment/ollama").items[0]["status"]

    Equals `kubectl get WHAT`. Raises UnknownResource, NotFound.
    """
    session = current()
    echo(kubectl.line("get", what, selector=selector, all_namespaces=all_namespaces))
    word, _, name = what.partition("/")
    resource = session.api.resource(word)
    path = resource.path(session.namespace, name)
    everywhere = all_namespaces and resource.namespaced
    if everywhere:
        path = path.replace(f"/namespaces/{session.namespace}/", "/", 1)
    here = f" in namespace {session.namespace}" if resource.namespaced and not everywhere else ""
    query = {"labelSelector": selector} if selector else {}
    table = _table(session, path, query, empty=f"No resources found{here}")
    if everywhere:
        spaces = [item["metadata"]["namespace"] for item in table.items]
        rows = [[space, *row] for space, row in zip(spaces, table.rows, strict=True)]
        return Table(["NAMESPACE", *table.columns], rows, items=table.items)
    return table


def logs(
    target: str,
    *,
    container: str | None = None,
    tail: int | None = None,
    since: str | None = None,
    previous: bool = False,
    follow: bool = False,
    timeout_s: float = 60.0,
) -> Output:
    """What a container has written; with `follow`, also what it writes in the next seconds.

        lab.logs("pod/ollama", tail=5)

    Equals `kubectl logs TARGET`; `since` is a number of seconds with an s, minutes with an m,
    or hours with an h. `follow` ends with the container, or after `timeout_s` seconds.
    Raises NotFound, Refused (the container has not started; there is no previous one).
    """
    session = current()
    flags = {"container": container, "tail": tail, "since": since}
    echo(kubectl.line("logs", target, **flags, previous=previous, follow=follow))
    pod = targets.pod_of(session, targets.parsed(session, target))
    query: dict[str, object] = {"container": container, "tailLines": tail}
    query |= {"sinceSeconds": _seconds(since), "previous": previous or None}
    with Live(f"logs of pod/{pod}") as live:
        text = "".join(_log(session, pod, query, live, follow=follow, timeout_s=timeout_s))
    return Output(text)


def delete(target: str, *, ignore_not_found: bool = False, timeout_s: float = 60.0) -> Done:
    """Deletes an object and waits until it is gone.

        lab.delete("pod/ollama", ignore_not_found=True)

    Equals `kubectl delete TARGET`; of what has Pods, with `--cascade=foreground`: it is gone
    when they are. Raises NotFound, and TimedOut after `timeout_s` seconds with what still
    holds it.
    """
    session = current()
    parsed = targets.parsed(session, target)
    cascade = "foreground" if parsed.resource.kind in _WITH_PODS else None
    flags = {"ignore_not_found": ignore_not_found, "cascade": cascade}
    echo(kubectl.line("delete", target, **flags))
    try:
        _delete(session, parsed, timeout_s)
    except NotFound:
        if ignore_not_found:
            return told(f"{parsed} was not there")
        raise
    return Done(f"{parsed} deleted")


def events(target: str | None = None) -> Table:
    """The cluster's diary of your namespace, or of one object; the oldest entry first.

        lab.events("pod/ollama")

    Equals `kubectl events --for=TARGET`.
    """
    session = current()
    echo(kubectl.line("events", **({"for": target} if target else {})))
    query = {}
    if target:
        one = targets.parsed(session, target)
        fields = f"involvedObject.kind={one.resource.kind},involvedObject.name={one.name}"
        query = {"fieldSelector": fields}
    table = _table(session, session.api.resource("events").path(session.namespace), query)
    found = sorted(zip(table.items, table.rows, strict=True), key=lambda pair: _when(pair[0]))
    return Table(table.columns, [row for _, row in found], items=[item for item, _ in found])


def told(text: str) -> Done:
    """Says what became of objects."""
    print(text)
    return Done(text)


def created(session: Session, item: dict) -> Done:
    """Makes one object in the learner's namespace, as `kubectl create` does."""
    resource = session.api.resource(item["kind"])
    path = resource.path(session.namespace)
    _make(session, path, "kubectl-create", item)
    one = targets.Target(item["kind"].lower(), item["metadata"]["name"], resource, path)
    return told(f"{targets.full(one)} created")


def _make(session: Session, path: str, manager: str, item: dict) -> None:
    """One more try where what is there already is about to go: `kubectl run --rm` leaves it so."""
    query = {"fieldManager": manager}
    try:
        request(session, "POST", path, query, item)
    except AlreadyExists:
        resource = session.api.resource(item["kind"])
        name = item["metadata"]["name"]
        one = targets.Target(item["kind"].lower(), name, resource, session.namespace)
        try:
            there = targets.found(session, one)
        except NotFound:
            there = {}
        if there and targets.stays(there):
            raise
        if there:
            _until_gone(session, one, there["metadata"]["uid"], GONE_S)
        request(session, "POST", path, query, item)


def _pods(session: Session) -> str:
    return session.api.resource("pods").path(session.namespace)


def request(
    session: Session,
    method: str,
    path: str,
    query: dict,
    body: dict,
    *,
    content_type: str = "application/json",
) -> dict:
    """The API server's answer to something that changes an object; its warnings are printed."""
    return session.api.request(
        method,
        path,
        query=query,
        body=body,
        content_type=content_type,
        on_warning=lambda text: print(f"Warning: {text}"),
    )


def _table(session: Session, path: str, query: dict, empty: str = "No events") -> Table:
    """The columns and cells that the API server makes for kubectl."""
    query = {**query, "includeObject": "Object"}
    found = session.api.request("GET", path, query=query, accept=TABLE)
    columns = found["columnDefinitions"]
    shown = [index for index, column in enumerate(columns) if not column.get("priority")]
    rows = found.get("rows") or []
    return Table(
        [columns[index]["name"].upper() for index in shown],
        [[_cell(row["cells"][index]) for index in shown] for row in rows],
        items=[row["object"] for row in rows],
        empty=empty,
    )


def _cell(value: object) -> str:
    return "<none>" if value in (None, "") else str(value)


def _when(event: dict) -> str:
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
    )


def _delete(session: Session, target: targets.Target, timeout_s: float) -> None:
    uid = targets.found(session, target)["metadata"]["uid"]
    policy = "Foreground" if target.resource.kind in _WITH_PODS else "Background"
    session.api.request("DELETE", target.path, body={"propagationPolicy": policy})
    _until_gone(session, target, uid, timeout_s)


def _until_gone(session: Session, target: targets.Target, uid: str, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    with Live(f"delete {target}") as live:
        while True:
            try:
                left = session.api.request("GET", target.path)["metadata"]
            except NotFound:
                left = {"uid": ""}
            if left["uid"] != uid:  # gone, or already another one of its name
                live.done(f"{target} deleted")
                return
            if time.monotonic() > deadline:
                holds = ", ".join(left.get("finalizers", [])) or "its containers still end"
                raise TimedOut(
                    f"{target} in namespace {target.namespace} not gone after {timeout_s:g} s",
                    f"held by: {holds}",
                    f'lab.get("{target}"), or once more with a larger timeout_s',
                )
            live.show(f"{target} is going")
            time.sleep(POLL_S)


def _followed(session: Session, name: str, timeout_s: float) -> Output:
    """What the Pod writes until it ends."""
    deadline = time.monotonic() + timeout_s
    with Live(f"run {name}") as live:
        _started(session, name, timeout_s, live)
        left_s = max(deadline - time.monotonic(), 1.0)
        text = "".join(_log(session, name, {}, live, follow=True, timeout_s=left_s))
        code = _exit_code(session, name, deadline)
        if code:
            raise CommandFailed(
                f"pod/{name} ended with exit code {code}",
                (text.strip().splitlines() or ["it wrote nothing"])[-1],
                "look at the words after the image's name",
            )
        if code is None:
            raise TimedOut(
                f"pod/{name} had not ended after {timeout_s:g} s",
                (text.strip().splitlines() or ["it wrote nothing"])[-1],
                "a larger timeout_s; the Pod is removed now",
            )
    return Output(text, code)


def _started(session: Session, name: str, timeout_s: float, live: Live) -> None:
    pod: dict = {}
    since: dict[str, float] = {}  # trouble → when it was seen first
    query = {"fieldSelector": f"metadata.name={name}"}
    for news in session.api.watch(_pods(session), query=query, timeout_s=timeout_s):
        pod = news[1] if news else pod
        if pod.get("status", {}).get("phase") not in (None, "Pending"):
            return
        found = verdict.trouble(pod) if pod else None
        since = {found.reason: since.get(found.reason, time.monotonic())} if found else {}
        if found and time.monotonic() - since[found.reason] >= found.holds_s:
            raise PodFailed(
                f"pod/{name} will not start", found.message, found.hint, reason=found.reason
            )
        live.show(f"pod/{name} {verdict.pod_doing(pod, ())}" if pod else f"pod/{name}")
    raise TimedOut(
        f"pod/{name} not started after {timeout_s:g} s",
        verdict.pod_doing(pod, ()) if pod else "nothing",
        "a larger timeout_s; the Pod is removed now",
    )


def _exit_code(session: Session, name: str, deadline: float) -> int | None:
    # the log ends a moment before the status says so
    while True:
        pod = session.api.request("GET", f"{_pods(session)}/{name}")
        for status in pod["status"].get("containerStatuses", []):
            if "terminated" in status["state"]:
                return status["state"]["terminated"]["exitCode"]
        if time.monotonic() > deadline:
            return None
        time.sleep(POLL_S)


def _log(
    session: Session, pod: str, query: dict, live: Live, *, follow: bool, timeout_s: float
) -> Iterator[str]:
    query = {key: _word(value) for key, value in query.items() if value is not None}
    path = f"{_pods(session)}/{pod}/log"
    if not follow:
        text = session.api.text(path, query=query)
        live.append(text)
        yield text
        return
    for line in session.api.lines(path, query={**query, "follow": "true"}, timeout_s=timeout_s):
        if line is not None:
            live.append(f"{line}\n")
            yield f"{line}\n"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(since: str | None) -> int | None:
    """
    >>> _seconds("90s"), _seconds("2m"), _seconds("1h"), _seconds(None)
    (90, 120, 3600, None)
    """
    if since is None:
        return None
    unit = {"s": 1, "m": 60, "h": 3600}.get(since[-1:])
    if unit is None or not since[:-1].isdigit():
        hint = 'since="90s", "2m" or "1h"'
        raise LabError(f"since={since!r} is no time", "a number and s, m or h", hint)
    return int(since[:-1]) * unit
