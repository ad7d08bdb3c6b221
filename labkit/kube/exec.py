"""`lab.exec`: runs a command inside a container, over one websocket."""

from __future__ import annotations

import codecs
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from labkit.errors import ApiSilent, CommandFailed, LabError, Refused, TimedOut
from labkit.kube import api_errors, refs
from labkit.kube.session import Session, current
from labkit.ui import kubectl_line, units
from labkit.ui.escapes import Plain
from labkit.ui.live import Live, describe, echo
from labkit.ui.notebook import Shown

if TYPE_CHECKING:
    from kubernetes.stream.ws_client import WSClient

STDOUT, STDERR, ERROR = 1, 2, 3
PIECE = 2**15
_PROGRAM = re.compile(r'exec: \\?"([^"\\]+)\\?": ')  # in a runtime's own words


@dataclass(frozen=True)
class Ended(Shown):
    """A command that ended: what it wrote to both streams, and its exit code.

    Without a terminal's escape sequences, which `ollama` writes for one that is not there.
    """

    stdout: str
    stderr: str
    code: int

    def __str__(self) -> str:
        return self.stdout

    __repr__ = __str__


def exec(  # noqa: A001  kubectl's own word
    target: str,
    *command: str,
    container: str | None = None,
    stdin: str | bytes | None = None,
    timeout_s: float = 120.0,
) -> Ended:
    """Run a command in a container, and show what it writes as it comes.

        lab.exec("pod/ollama", "ollama", "list")

    Equals `kubectl exec TARGET -- COMMAND`; of a Deployment or a Service a ready Pod is taken.
    Raises CommandFailed (its exit code is not 0, or there is no such program), NotFound, Refused,
    TimedOut after `timeout_s` seconds: the command then continues to run in the container.
    """
    session = current()
    if not command:
        hint = f'lab.exec("{target}", "ollama", "list")'
        raise LabError("exec wants a command", f"nothing after {target!r}", hint)
    flags = {"container": container, "stdin": stdin is not None}
    line = kubectl_line.line("exec", target, command=command, **flags)
    if isinstance(stdin, bytes):
        describe(f"{line}, with {units.count(len(stdin), 'byte')} on its standard input")
    else:
        echo(line if stdin is None else kubectl_line.with_input(line, stdin))
    pod = refs.pod_of(session, refs.parsed(session, target))
    with Live(f"{command[0]} in pod/{pod}") as live:
        return ran(session, pod, command, container, stdin, live.append, timeout_s)


def ran(
    session: Session,
    pod: str,
    command: tuple[str, ...],
    container: str | None = None,
    stdin: str | bytes | None = None,
    on_text: Callable[[str], None] = lambda text: None,
    timeout_s: float = 30.0,
) -> Ended:
    """The same, in this Pod, without printing anything; its output is passed to `on_text`."""
    said = " ".join(command)
    socket = _opened(session, pod, command, container, with_stdin=stdin is not None)
    try:
        ended = _read(socket, stdin, on_text, timeout_s)
    finally:
        socket.close()
        socket.sock.shutdown()  # close() leaves one open that the other end has closed
    if ended is None:
        raise TimedOut(
            f"{said!r} in pod/{pod} had not ended after {timeout_s:g} s",
            "it continues to run in the container",
            "a larger timeout_s",
        )
    if ended.code:
        last = (ended.stderr or ended.stdout).strip().splitlines()
        raise CommandFailed(
            f"{said!r} in pod/{pod} ended with exit code {ended.code}",
            last[-1] if last else "it wrote nothing",
            f'lab.logs("pod/{pod}"), or other words after the target',
        )
    return ended


def _opened(
    session: Session, pod: str, command: tuple[str, ...], container: str | None, *, with_stdin: bool
) -> WSClient:
    from kubernetes.stream.ws_client import WSClient
    from websocket import WebSocketBadStatusException, WebSocketException

    query = [("command", word) for word in command]
    query += [("stdout", "true"), ("stderr", "true")]
    query += [("stdin", "true")] if with_stdin else []
    query += [("container", container)] if container else []
    api = session.api
    path = f"{api.resource('pods').path(session.namespace, pod)}/exec?{urlencode(query)}"
    url = f"{api.host}{path}".replace("http", "ws", 1)
    try:
        return WSClient(api.configuration, url, api.headers(), capture_all=False, binary=True)
    except WebSocketBadStatusException as error:
        status, code = api_errors.read(error.resp_body or b""), error.status_code
        if code in (401, 403):
            api.ready()
        if api_errors.is_outage(status, code):
            raise api_errors.error(status, path, code) from None
        saw = _message(error.resp_body) or f"HTTP {error.status_code}"
        raise Refused(
            f"nothing can be run in pod/{pod}", saw, f'lab.wait("pod/{pod}") first'
        ) from None
    except (WebSocketException, OSError) as error:
        raise ApiSilent("the API server does not answer", str(error), "./lab status") from None


def _read(
    socket: WSClient,
    stdin: str | bytes | None,
    on_text: Callable[[str], None],
    timeout_s: float,
) -> Ended | None:
    """What it wrote and how it ended; None when the time was up first."""
    from websocket import WebSocketException

    # a character may be cut in two by the end of a frame
    decoders = {n: codecs.getincrementaldecoder("utf-8")("replace") for n in (STDOUT, STDERR)}
    streams = {n: Plain() for n in decoders}
    texts = {STDOUT: "", STDERR: ""}

    def more(channel: int, text: str) -> None:
        texts[channel] += text
        if text:
            on_text(text)

    deadline = time.monotonic() + timeout_s
    try:
        if stdin is not None:
            data = stdin.encode() if isinstance(stdin, str) else stdin
            for start in range(0, len(data), PIECE):
                socket.write_stdin(data[start : start + PIECE])
                socket.update(timeout=0)  # else both ends may wait for the other to read
            socket.close_channel(0)
        is_open = True
        while is_open:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            # asked first: to read one channel may read the rest of the others, and the end
            is_open = socket.is_open()
            socket.update(timeout=min(left_s, 1.0))
            for channel, decoder in decoders.items():
                text = decoder.decode(socket.read_channel(channel) or b"")
                more(channel, streams[channel].feed(text))
        for channel, stream in streams.items():
            more(channel, stream.rest())
        return Ended(texts[STDOUT], texts[STDERR], _code(socket.read_channel(ERROR)))
    except (WebSocketException, OSError) as error:
        raise ApiSilent(
            "the API server does not answer", str(error), "./lab status", maybe_done=True
        ) from None


def _code(status: bytes) -> int:
    """The exit code in the Status object that the API server sends last.

    >>> _code(b'{"status": "Success"}')
    0
    >>> _code(b'{"status": "Failure", "details": {"causes": [{"message": "3"}]}}')
    3
    """
    if not status:
        happened = "the connection ended before the command"
        raise ApiSilent(happened, "no exit code", "once more", maybe_done=True)
    found = json.loads(status)
    if found["status"] == "Success":
        return 0
    causes = [cause.get("message", "") for cause in found.get("details", {}).get("causes", [])]
    codes = [int(cause) for cause in causes if cause.isdigit()]
    if codes:
        return codes[0]
    said = found.get("message", "no reason given")
    hint = "the name of a program that the image has"
    if (program := _PROGRAM.search(said)) and " " in program[1]:
        words = ", ".join(f'"{word}"' for word in program[1].split())
        hint = f"each word in quotes of its own: {words}"
    raise CommandFailed("the container could not run it", said, hint)


def _message(body: bytes | None) -> str:
    try:
        said: str = json.loads(body or b"")["message"]
        return said
    except (ValueError, KeyError, TypeError):
        return ""
