"""`lab.connect`: how Python outside the cluster talks to a Service or a Pod inside.

Through the API server's proxy path. A port-forward needs a process that must be ended,
and is bound to the one Pod it found at its start; the proxy spreads over a Service's Pods as
a client in the cluster would see it, streams, and needs nothing but the kubeconfig
(bench/reach.py measures both).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from labkit.errors import ApiSilent, LabError, NotFound, OllamaSaid, StreamCut, Unreachable
from labkit.kube import api_errors, event_stream, gateway, ollama_errors, refs, streams
from labkit.kube.session import Session, current
from labkit.setup.host.poll import Poll
from labkit.ui import kubectl_line, units
from labkit.ui.live import echo

if TYPE_CHECKING:
    import httpx

    from labkit.kube.client import Api

OLLAMA_PORT = 11434
LOCAL = "the local Ollama"
CONNECT_S = 5.0
READ_S = 300.0  # of silence: a large model takes its time to load
STARTING_S = 5.0  # from a container's start until its server listens, on the reference machine
JSON_PATHS = ("/api/", "/v1/")  # where Ollama sends nothing else
PAGE_LINES = 200  # of a proxy's page: its title is above


class Connection:
    """An HTTP server, by paths: `get`, `post`, and `lines` of JSON as they come.

    Answers are what JSON holds, or text. Raises Unreachable when there is no answer, NotFound
    when the Service or Pod is not there, OllamaSaid for an error of the server itself, and
    ApiSilent when the API server on the way to it does not answer.
    """

    def __init__(self, url: str, name: str, client: httpx.Client, api: Api | None = None) -> None:
        self.url = url
        self.name = name
        self.patience_s = 0.0  # how long it asks a Pod again that refuses the connection
        self._client = client
        self._api = api  # whose proxy path this is

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{self.name} at {self.url}"

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, *, timeout_s: float = READ_S) -> Any:
        """What the server answers to GET."""
        return self._whole("GET", path, None, timeout_s)

    def post(self, path: str, body: dict[str, Any], *, timeout_s: float = READ_S) -> Any:
        """What the server answers to POST of this object as JSON."""
        return self._whole("POST", path, body, timeout_s)

    def delete(self, path: str, body: dict[str, Any], *, timeout_s: float = READ_S) -> Any:
        """What the server answers to DELETE of this object as JSON."""
        return self._whole("DELETE", path, body, timeout_s)

    def lines(
        self, path: str, body: dict[str, Any], *, timeout_s: float = READ_S
    ) -> Generator[dict[str, Any], None, None]:
        """The objects of a stream with one JSON object a line, or of OpenAI's, each as it comes.

        An object with "error" in it is an error whatever the status was: OllamaSaid. An answer of
        OpenAI's without a finish_reason and without `[DONE]` broke off: StreamCut.
        """
        events = event_stream.Events() if path in event_stream.PATHS else None
        with self._answer("POST", path, body, timeout_s) as answer:
            code, rest = answer.status_code, streams.split(answer.iter_bytes())
            for line in rest:
                if not line.strip():
                    continue
                try:
                    found = events.saw(line) if events else json.loads(line)
                except ValueError:
                    found = None
                else:
                    if events and found is None:
                        continue
                if not isinstance(found, dict):
                    raise self._no_object(line, rest, code)
                # a 200 can still carry {"error": …} in the middle of its stream
                if found.get("error") is not None:
                    raise _said_no(self.name, path, code, str(found["error"]))
                yield found
        if events and not events.ends:
            raise StreamCut(
                f"{self.name} ended its answer in the middle",
                f"no finish_reason and no [DONE], after {tokens(events.pieces)}",
                f"ask once more; {self.look()}",
                status=code,
            )

    def _no_object(self, line: str, rest: Iterator[str], code: int) -> StreamCut:
        import httpx

        if not gateway.is_page(line):
            happened = f"{self.name} sent a line that is not a JSON object"
            return StreamCut(happened, line[:100], "ask once more", status=code)
        page = line
        with suppress(httpx.HTTPError):  # a page that is cut off may have its title
            for more in islice(rest, PAGE_LINES):
                page += f"\n{more}"
        happened, saw = gateway.happened(self.name, code), gateway.said(page, code)
        return StreamCut(happened, saw, gateway.hint(code), status=code)

    def _whole(self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> Any:
        with self._answer(method, path, body, timeout_s) as answer:
            text = answer.read().decode(errors="replace")
        try:
            return json.loads(text)
        except ValueError:
            if not (text and path.startswith(JSON_PATHS)):
                return text
            code = answer.status_code
        if gateway.is_page(text):
            raise _proxy_said(self.name, code, text)
        raise OllamaSaid(f"{self.name} sent no JSON", text[:100], self.look(), status=code)

    @contextmanager
    def _answer(
        self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float
    ) -> Iterator[httpx.Response]:
        import httpx

        limit = httpx.Timeout(timeout_s, connect=CONNECT_S)
        url = self.url + path
        has_begun = False
        poll = Poll(self.patience_s, every_s=0.2)
        try:
            while not has_begun:
                with self._client.stream(method, url, json=body, timeout=limit) as answer:
                    if answer.is_error or (answer.is_redirect and path.startswith(JSON_PATHS)):
                        said = self._no(path, answer.status_code, answer.read())
                        if poll.is_over or not _refused(said):
                            raise said
                    else:
                        has_begun = True
                        yield answer
                if not has_begun:
                    poll.pause()
        except httpx.TimeoutException as error:
            if self._api and isinstance(error, httpx.ConnectTimeout):
                raise self._away(method, error) from None
            raise Unreachable(
                f"{self.name} did not answer for {timeout_s:g} s",
                f"{method} {path}",
                self.look(),
            ) from None
        except httpx.RemoteProtocolError as error:
            if self._api and not has_begun:
                raise self._away(method, error) from None
            raise StreamCut(
                f"{self.name} ended its answer in the middle",
                str(error),
                f"ask once more; {self.look()}",
                status=200,
            ) from None
        except (httpx.HTTPError, OSError) as error:
            if self._api and not has_begun:
                raise self._away(method, error) from None
            raise Unreachable(f"{self.name} does not answer", str(error), self.look()) from None

    def _no(self, path: str, code: int, data: bytes) -> LabError:
        try:
            found = json.loads(data)
        except ValueError:
            text = data.decode(errors="replace").strip()
            if gateway.is_page(text) or code in gateway.CODES or code < 400:
                return _proxy_said(self.name, code, text)
            found = {"error": text or f"HTTP {code}"}
        if not isinstance(found, dict) or found.get("kind") != "Status":
            said = found.get("error", found) if isinstance(found, dict) else found
            return _said_no(self.name, path, code, str(said))
        # the API server's own word: it could not even reach the server
        if self._api and code in (401, 403):
            self._api.ready()
        away = api_errors.error(found, path, code)
        if self._api and isinstance(away, ApiSilent) and not away.of_service:
            return away
        if code == 404:
            hint = 'lab.get("services"), lab.get("pods")'
            return NotFound(f"there is no {self.name}", found["message"], hint)
        if found["message"] == "address not allowed":  # what it says of no address at all
            hint = f'lab.wait("{self.name}") first'
            return Unreachable(f"{self.name} does not answer", "it has no address yet", hint)
        hint = self.look()
        if found["message"].startswith("no endpoints available"):
            hint = 'lab.get("deployments"), lab.get("pods"): it needs a ready Pod with its labels'
        return Unreachable(f"{self.name} does not answer", found["message"], hint)

    def _away(self, method: str, error: Exception) -> ApiSilent:
        import httpx

        never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        return ApiSilent(
            "the API server does not answer",
            f"{self.url}: {error}",
            "./lab status",
            maybe_done=method != "GET" and not never_sent,
        )

    def look(self) -> str:
        """Where to look when it does not answer, as lines to type."""
        kind, _, name = self.name.partition("/")
        if kind in ("service", "svc"):
            return f'lab.get("endpointslices"), and the port in lab.get("service/{name}")'
        return f'lab.get("{self.name}"), lab.logs("{self.name}")' if name else "./lab status"


def tokens(pieces: int) -> str:
    """How much of an answer had come, by its lines.

    >>> tokens(1), tokens(12)  # a line has a token, or a few that make one character
    ('at least 1 token', 'at least 12 tokens')
    """
    return f"at least {units.count(pieces, 'token')}"


def _refused(said: LabError) -> bool:
    """Did nothing listen there? Then the request has reached no server, and may be sent again."""
    return isinstance(said, Unreachable) and "connection refused" in said.saw


def connect(target: str, *, port: int | None = None) -> Connection:
    """Return a connection from here to a Service or a Pod; of a Deployment, to a ready Pod.

        with lab.connect("service/ollama") as ollama:
            ollama.get("/api/version")

    Equals `kubectl get --raw …/services/ollama:11434/proxy/`. `port` is the Service's, by default
    its first; a Pod's is 11434, Ollama's. Raises NotFound; Unreachable when asked.
    """
    session = current()
    connection = opened(session, target, port=port)
    path = connection.url.removeprefix(session.api.host)
    echo(kubectl_line.line("get", raw=f"{path}/"))
    return connection


def opened(session: Session, target: str, *, port: int | None = None) -> Connection:
    """The same without printing anything."""
    one = refs.parsed(session, target)
    if one.resource.kind == "Service":
        ports = refs.found(session, one)["spec"].get("ports", [])
        port = port or (ports[0]["port"] if ports else OLLAMA_PORT)
        path = f"{one.path}:{port}/proxy"
    else:
        pod = refs.pod_of(session, one)
        path = session.api.resource("pods").path(session.namespace, pod)
        path = f"{path}:{port or OLLAMA_PORT}/proxy"
    return Connection(session.api.host + path, str(one), _client(session), session.api)


def local(url: str) -> Connection:
    """A connection to an Ollama on this machine."""
    import httpx

    url = (url if "://" in url else f"http://{url}").rstrip("/")
    # the user's proxy settings are for the world outside
    return Connection(url, LOCAL, httpx.Client(trust_env=False))


def _client(session: Session) -> httpx.Client:
    import httpx

    known = session.api.configuration
    context: ssl.SSLContext | bool = False
    if known.verify_ssl:
        context = ssl.create_default_context(cafile=known.ssl_ca_cert)
        if known.cert_file:
            context.load_cert_chain(known.cert_file, known.key_file)
    # A new connection for each request: of POSTs on one that was kept, the API server's proxy
    # cuts off up to 2 % in the middle of their answers (bench/reach.py --cuts).
    headers = {"connection": "close", **session.api.headers()}
    return httpx.Client(verify=context, headers=headers, trust_env=False)


def _proxy_said(name: str, code: int, text: str) -> OllamaSaid:
    happened, saw = gateway.happened(name, code), gateway.said(text, code)
    return OllamaSaid(happened, saw, gateway.hint(code), status=code)


def _said_no(name: str, path: str, code: int, said: str) -> OllamaSaid:
    from labkit.errors import ModelMissing

    # in both words that Ollama has for it; "file does not exist" is a registry's no to a pull
    pull = f'lab.pull(at="{name}")' if "/" in name else "lab.pull()"
    if "not found" in said and "model" in said and not path.endswith("/pull"):
        return ModelMissing(f"{name} does not have the model", said, pull, status=code)
    if path.endswith("/pull") and "-partial" not in said and "read-only" not in said:
        hint = f"{pull}, which takes lab.model; or correct the name"
    else:
        hint = ollama_errors.fix(said, code)
    return OllamaSaid(f"{name} returned an error (HTTP {code})", said, hint, status=code)
