"""`lab.run`: a Pod of one container, and with `rm` what it wrote until it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from labkit.errors import CommandFailed, LabError, PodFailed, TimedOut
from labkit.kube import creation, deletion, host_names, pod_logs, pod_status, refs
from labkit.kube.results import Done, Output, told
from labkit.kube.session import Session, current
from labkit.setup.cluster.outage import asked_again
from labkit.setup.host import speed
from labkit.setup.host.poll import Poll
from labkit.ui import kubectl_line
from labkit.ui.live import Live, echo

POLL_S = 0.1
RUN_S = 120.0  # of a Pod that ends, on the reference machine
REMOVE_S = 60.0  # to end a Pod takes its own time, not what is left of the run's


def run(
    name: str,
    *command: str,
    image: str,
    env: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    port: int | None = None,
    rm: bool = False,
    timeout_s: float | None = None,
) -> Done | Output:
    """Create a Pod of one container; with `rm`, wait for its end and return what it wrote.

        lab.run("ollama", image="ollama/ollama")

    Equals `kubectl run NAME --image=IMAGE`; `command` are the words after `--`. With
    `rm=True` it equals `kubectl run … --rm -i --restart=Never`: the Pod is removed whatever
    happens. Raises AlreadyExists, Refused (quota, Pod Security); with `rm` also
    CommandFailed (its exit code is not 0), PodFailed, TimedOut after `timeout_s` seconds (120, and
    more on a slow machine).
    """
    made = _made(name, command, image=image, env=env, labels=labels, port=port, rm=rm)
    return _ended(name, speed.deadline(RUN_S, timeout_s)) if rm else made


def ended(name: str, command: Sequence[str], *, image: str, timeout_s: float) -> Output:
    """What `run` with `rm` gives, without showing what the Pod writes."""
    _made(name, tuple(command), image=image, rm=True)
    return _ended(name, timeout_s, shows=False)


def _made(
    name: str,
    command: tuple[str, ...],
    *,
    image: str,
    env: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    port: int | None = None,
    rm: bool,
) -> Done:
    """The Pod is made, after the line that equals it."""
    session = current()
    ending = {"restart": "Never", "rm": True, "stdin": True} if rm else {}
    variables = [f"{key}={value}" for key, value in (env or {}).items()]
    said = ",".join(f"{key}={value}" for key, value in (labels or {}).items())
    flags: dict[str, Any] = {"env": variables, "labels": said, "port": port, **ending}
    echo(kubectl_line.line("run", name, image=image, command=command, **flags))
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
    creation.make(session, _pods(session), "kubectl-run", pod)
    return Done(f"pod/{name} created") if rm else told(f"pod/{name} created")


def _ended(name: str, timeout_s: float, *, shows: bool = True) -> Output:
    """What the Pod wrote until its end; it is removed whatever happens."""
    session = current()
    try:
        return _followed(session, name, timeout_s, shows=shows)
    finally:
        deletion.remove(session, refs.parsed(session, f"pod/{name}"), REMOVE_S)


def _followed(session: Session, name: str, timeout_s: float, *, shows: bool) -> Output:
    """What the Pod writes until it ends."""
    deadline = time.monotonic() + timeout_s
    with Live(f"run {name}") as live:
        _started(session, name, timeout_s, live)
        left_s = max(deadline - time.monotonic(), 1.0)
        if not shows:
            live.show(f"pod/{name} runs")
        on_text = live.append if shows else _silent
        text = "".join(pod_logs.read(session, name, {}, on_text, follow=True, timeout_s=left_s))
        code = _exit_code(session, name, deadline)
        if code:
            raise CommandFailed(
                f"pod/{name} ended with exit code {code}",
                (text.strip().splitlines() or ["it wrote nothing"])[-1],
                _unknown_service(session, text) or "look at the words after the image's name",
            )
        if code is None:
            raise TimedOut(
                f"pod/{name} had not ended after {timeout_s:g} s",
                (text.strip().splitlines() or ["it wrote nothing"])[-1],
                "a larger timeout_s; the Pod is removed now",
            )
        if not shows:
            live.done(f"pod/{name} ended")
    return Output(text, code)


def _unknown_service(session: Session, text: str) -> str:
    """What to try when the client could not resolve a name; "" when that is not what it wrote."""
    host = host_names.unresolved(text, "")
    if not host:
        return ""
    with suppress(LabError):
        path = session.api.resource("services").path(session.namespace)
        found = session.api.request("GET", path)["items"]
        names = [one["metadata"]["name"] for one in found]
        if host not in names:  # else it has come since
            there = f"the Services are {', '.join(names)}" if names else "there is no Service yet"
            return f"no Service is called {host} in namespace {session.namespace}: {there}"
    return ""


def _silent(text: str) -> None:
    """For output that is shown in another form."""


def _started(session: Session, name: str, timeout_s: float, live: Live) -> None:
    pod: dict[str, Any] = {}
    since: dict[str, float] = {}  # trouble → when it was seen first
    query = {"fieldSelector": f"metadata.name={name}"}
    for news in session.api.watch(_pods(session), query=query, timeout_s=timeout_s):
        pod = news[1] if news else pod
        if pod.get("status", {}).get("phase") not in (None, "Pending"):
            return
        found = pod_status.trouble(pod) if pod else None
        since = {found.reason: since.get(found.reason, time.monotonic())} if found else {}
        if found and time.monotonic() - since[found.reason] >= found.holds_s:
            raise PodFailed(
                f"pod/{name} will not start", found.message, found.hint, reason=found.reason
            )
        live.show(f"pod/{name} {pod_status.pod_doing(pod, ())}" if pod else f"pod/{name}")
    raise TimedOut(
        f"pod/{name} not started after {timeout_s:g} s",
        pod_status.pod_doing(pod, ()) if pod else "nothing",
        "a larger timeout_s; the Pod is removed now",
    )


def _exit_code(session: Session, name: str, deadline: float) -> int | None:
    # the log ends a moment before the status says so
    look = partial(session.api.request, "GET", f"{_pods(session)}/{name}")
    poll = Poll(deadline - time.monotonic(), every_s=POLL_S)
    while True:
        code = pod_status.exit_code(asked_again(look, deadline))
        if code is not None or poll.is_over:
            return code
        poll.pause()


def _pods(session: Session) -> str:
    return session.api.resource("pods").path(session.namespace)
