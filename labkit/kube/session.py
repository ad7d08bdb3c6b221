"""What `lab.start()` chooses: the lab and the learner's namespace, and guards both."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import labkit
from labkit.errors import NamespaceNotOurs, NotFound, NotStarted, NotUp
from labkit.kube.client import Api
from labkit.kube.discovery import require_name
from labkit.setup.cluster import environment, labs
from labkit.setup.cluster.outage import asked_again
from labkit.ui import notebook

START_S = 20.0  # an API server that was ended is back by then; one that is not up never is

_current: Session | None = None


@dataclass(frozen=True)
class Session(notebook.Shown):
    """Where the verbs act: a namespace of the lab's cluster."""

    namespace: str
    context: str  # empty: the kind cluster that the lab made
    kubeconfig: Path
    is_users: bool = False  # the user's own kubeconfig, whose current context may be another

    @cached_property
    def api(self) -> Api:
        return Api(self.kubeconfig, self.context if self.is_users else "")

    def __repr__(self) -> str:
        cluster = self.context or "the lab's own"
        return f"cluster: {cluster}, namespace: {self.namespace}, model: {labkit.model}"


def start(namespace: str | None = None) -> Session:
    """Enter the namespace and print what is chosen; `lab.start` shows the progress too."""
    session = enter(namespace)
    print(session)
    return session


def enter(
    namespace: str | None = None, *, missing_ok: bool = False, timeout_s: float | None = None
) -> Session:
    """The same without printing anything; with `missing_ok` also where the namespace is not there.

    An API server that is away is asked again for `timeout_s` seconds (START_S).
    """
    global _current
    context = os.environ.get("LAB_CONTEXT", "")
    namespace = namespace or os.environ.get("LAB_NAMESPACE") or labs.LEARNER
    require_name(namespace)  # it becomes the name of a file
    values = environment.variables(context)
    kubeconfig = labs.Lab(context).kubeconfig_in(namespace)
    session = Session(namespace, context, kubeconfig)
    limit_s = START_S if timeout_s is None else timeout_s
    _guard(session, missing_ok, time.monotonic() + limit_s)
    _put_first(values.pop("PATH"))
    if "OLLAMA_HOST" not in values:  # the user's own Ollama, perhaps: not for lessons
        os.environ.pop("OLLAMA_HOST", None)
    os.environ.update({**values, "KUBECONFIG": str(kubeconfig)})
    notebook.on_failed_command()
    _current = session
    return session


def current() -> Session:
    """The session of this kernel. Raises NotStarted."""
    if _current is None:
        raise NotStarted("the lab is not started in this kernel", "no session", "lab.start()")
    return _current


def _guard(session: Session, missing_ok: bool, deadline: float) -> None:
    name = session.namespace
    require_name(name)
    try:
        path = f"/api/v1/namespaces/{name}"
        found = asked_again(lambda: session.api.request("GET", path), deadline)
    except NotFound as error:
        if missing_ok:
            return
        hint = "./lab up in a terminal"
        if name != labs.LEARNER:
            hint = f'lab.start("{labs.LEARNER}"), which is the lab\'s own, or another name'
        raise NotUp(f"there is no namespace {name}", error.saw, hint) from None
    guard(found)


def guard(found: dict[str, Any]) -> None:
    """Raise NamespaceNotOurs for a Namespace that learners do not work in."""
    name, labels = found["metadata"]["name"], found["metadata"].get("labels", {})
    label, value = labs.LABEL
    if labels.get(label) != value or name == labs.SYSTEM:
        raise NamespaceNotOurs(
            f"namespace {name} does not belong to the lab's learners",
            "it is the lab's own" if name == labs.SYSTEM else f"it lacks the label {label}={value}",
            f'lab.start("{labs.LEARNER}") takes the learners\' own',
        )


def _put_first(folder: str) -> None:
    others = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part != folder]
    os.environ["PATH"] = os.pathsep.join([folder, *others])
