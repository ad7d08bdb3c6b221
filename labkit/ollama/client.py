"""The Ollama that `at` names, and the line that equals a call of it.

`at` is a Pod, a Deployment, a Service, or a `lab.connect()`; without it the local Ollama
($OLLAMA_HOST, which `lab.start()` sets).
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from labkit.errors import NotUp
from labkit.kube import proxy
from labkit.kube.proxy import Connection
from labkit.kube.session import current
from labkit.setup.host import speed
from labkit.ui import kubectl_line
from labkit.ui.live import describe, echo

At = str | Connection | None


@contextmanager
def echoed(
    at: At,
    words: list[str],
    path: str,
    body: dict[str, Any] | None = None,
    typed: Sequence[str] | None = (),
) -> Iterator[Connection]:
    """The Ollama that `at` names, after the lines that equal the call.

    `typed` is what a learner types at the prompt of that command; None where nothing equals it.
    """
    _tell(at.name if isinstance(at, Connection) else at, words, path, body, typed)
    opened = server(at)
    if isinstance(at, str) and not _is_service(at):  # a Pod without a probe may just be starting
        opened.patience_s = speed.deadline(proxy.STARTING_S)
    try:
        yield opened
    finally:
        if opened is not at:
            opened.close()


def _tell(
    at: str | None,
    words: list[str],
    path: str,
    body: dict[str, Any] | None,
    typed: Sequence[str] | None,
) -> None:
    at = None if at == proxy.LOCAL else at
    if typed and not _is_service(at):
        echo(_command(at, words, is_typed=True))
        for line in typed:
            print(f">>> {line}")
    elif typed is None and not _is_service(at):
        describe(f"POST {path} to {at or proxy.LOCAL}: `ollama {words[0]}` cannot send all of it")
    else:
        echo(equal_line(at, words, path, body))


def server(at: At = None) -> Connection:
    """The Ollama that `at` names, without printing anything; for checks."""
    return at if isinstance(at, Connection) else _open(at)


def _open(at: str | None) -> Connection:
    if at is not None:
        return proxy.opened(current(), at)
    current()  # it has set OLLAMA_HOST
    url = os.environ.get("OLLAMA_HOST")
    if not url:
        raise NotUp(
            "there is no local Ollama beside this lab",
            "OLLAMA_HOST is not set",
            'at="pod/ollama", or export LAB_OLLAMA=http://127.0.0.1:11434 for one of your own',
        )
    return proxy.local(url)


def equal_line(at: str | None, words: list[str], path: str, body: dict[str, Any] | None) -> str:
    r"""The line that equals a call: ollama's own, in the Pod; to a Service, a client's.

    >>> print(equal_line("pod/ollama", ["list"], "/api/tags", None))
    kubectl exec pod/ollama -- ollama list
    >>> print(equal_line("service/ollama", ["show", "x"], "/api/show", {"model": "x"}))
    kubectl run httpclient --rm -it --image alpine/httpie -- \
      --ignore-stdin --timeout=60 http://ollama:11434/api/show model=x
    """
    if at and _is_service(at):
        name = at.partition("/")[2]
        fields = [
            f"{key}={value}" if isinstance(value, str) else f"{key}:={json.dumps(value)}"
            for key, value in (body or {}).items()
        ]
        url = f"http://{name}:{proxy.OLLAMA_PORT}{path}"
        client = "kubectl run httpclient --rm -it --image alpine/httpie -- \\\n "
        return f"{client} --ignore-stdin --timeout=60 {shlex.join([url, *fields])}"
    return _command(at, words)


def _is_service(at: str | None) -> bool:
    return (at or "").partition("/")[0] in ("service", "svc", "services")


def _command(at: str | None, words: list[str], *, is_typed: bool = False) -> str:
    command = ["ollama", *words]
    if at is None:
        return shlex.join(command)
    return kubectl_line.line("exec", at, command=command, stdin=is_typed, tty=is_typed)
