"""`lab.logs`: what a container has written, and what it writes in the next seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from labkit.errors import LabError
from labkit.kube import refs
from labkit.kube.results import Output
from labkit.kube.session import Session, current
from labkit.ui import kubectl_line
from labkit.ui.escapes import plain
from labkit.ui.live import Live, echo


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
    """Return what a container has written; with `follow`, show what it still writes.

        lab.logs("pod/ollama", tail=5)

    Equals `kubectl logs TARGET`; `since` is a number of seconds with an s, minutes with an m,
    or hours with an h. `follow` ends with the container, or after `timeout_s` seconds.
    Raises NotFound, Refused (the container has not started; there is no previous one).
    """
    session = current()
    flags: dict[str, Any] = {"container": container, "tail": tail, "since": since}
    echo(kubectl_line.line("logs", target, **flags, previous=previous, follow=follow))
    pod = refs.pod_of(session, refs.parsed(session, target))
    query: dict[str, object] = {"container": container, "tailLines": tail}
    query |= {"sinceSeconds": _seconds(since), "previous": "true" if previous else None}
    with Live(f"logs of pod/{pod}") as live:
        pieces = read(session, pod, query, live.append, follow=follow, timeout_s=timeout_s)
        text = "".join(pieces)
    return Output(text)


def read(
    session: Session,
    pod: str,
    query: dict[str, Any],
    on_text: Callable[[str], None],
    *,
    follow: bool,
    timeout_s: float,
) -> Iterator[str]:
    """What the Pod's container has written, in pieces, each passed to `on_text` as it comes.

    Without a terminal's escape sequences.
    """
    query = {key: value for key, value in query.items() if value is not None}
    path = _path(session, pod, session.namespace)
    if not follow:
        text = plain(session.api.text(path, query=query))
        on_text(text)
        yield text
        return
    for line in session.api.lines(path, query={**query, "follow": "true"}, timeout_s=timeout_s):
        if line is not None:
            text = f"{plain(line)}\n"
            on_text(text)
            yield text


def written(
    session: Session, pod: str, *, namespace: str = "", timeout_s: float = 30.0, **query: object
) -> str:
    """What a Pod's container has written, as it is, for what reads it.

    `query`: the API's own words, such as `container` and `tailLines`. Raises LabError.
    """
    path = _path(session, pod, namespace or session.namespace)
    return session.api.text(path, query=query, timeout_s=timeout_s)


def _path(session: Session, pod: str, namespace: str) -> str:
    return f"{session.api.resource('pods').path(namespace, pod)}/log"


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
        raise LabError(f"since={since!r} is not a valid time", "a number and s, m or h", hint)
    return int(since[:-1]) * unit
