"""The Kubernetes API as plain dicts, through the official client's connection (TLS, tokens)."""

from __future__ import annotations

import difflib
import json
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from labkit.errors import (
    AlreadyExists,
    ApiSilent,
    Conflict,
    LabError,
    NotFound,
    Refused,
    UnknownResource,
)

if TYPE_CHECKING:
    import urllib3
    from kubernetes.client import ApiClient, Configuration

JSON = "application/json"
DISCOVERY = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"
TICK_S = 1.0
_CONNECT_S = 5.0
_ANSWER_S = 30.0  # until the first word of an answer
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9])?")


class Resource(NamedTuple):
    """A kind of object, and where the API server keeps its objects."""

    api_version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...] = ()  # what the API server lets one do with it

    def path(self, namespace: str, name: str = "") -> str:
        """The path of one object, or of all of a namespace.

        >>> Resource("apps/v1", "deployments", "Deployment", True).path("lab", "ollama")
        '/apis/apps/v1/namespaces/lab/deployments/ollama'
        >>> Resource("v1", "nodes", "Node", False).path("lab")
        '/api/v1/nodes'
        """
        for part in (namespace, name):
            require_name(part)
        root = "/apis" if "/" in self.api_version else "/api"
        parts = [root, self.api_version]
        parts += ["namespaces", namespace] if self.namespaced else []
        return "/".join([*parts, self.plural, *([name] if name else [])])


def require_name(text: str) -> None:
    """Raises LabError for what would lead a path elsewhere: "..", a slash, a question mark.

    >>> require_name("ollama-7cbf9c48bf-8rzzw"), require_name("")
    (None, None)
    """
    if text and not _NAME.fullmatch(text):
        saw = "letters, digits, and - . : between them"
        raise LabError(f"{text!r} is no name", f"a name has {saw}", "correct the name")


class Api:
    """One API server, as one kubeconfig names it. Every error it raises is a LabError."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @cached_property
    def _client(self) -> ApiClient:
        from kubernetes import client, config

        known = client.Configuration()
        try:
            config.load_kube_config(str(self.kubeconfig), client_configuration=known)
        except (config.ConfigException, OSError) as error:
            raise ApiSilent(
                "the lab's kubeconfig cannot be used", f"{self.kubeconfig}: {error}", "./lab up"
            ) from None
        if urlsplit(known.host).hostname in ("127.0.0.1", "localhost", "::1"):
            known.proxy = None  # of the company: it knows no way to this machine; as kubectl does
        return client.ApiClient(known)

    @property
    def configuration(self) -> Configuration:
        """Host and TLS files, for those who speak to the API server by other means."""
        return self._client.configuration

    @property
    def host(self) -> str:
        return self.configuration.host.rstrip("/")

    def headers(self) -> dict[str, str]:
        """What proves who we are, where that is a token and not a certificate."""
        token = self.configuration.auth_settings().get("BearerToken", {}).get("value")
        return {"authorization": token} if token else {}

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: dict | str | None = None,
        accept: str = JSON,
        content_type: str = JSON,
        timeout_s: float = 30.0,
        on_warning: Callable[[str], None] | None = None,
    ) -> dict:
        """The object that the API server answers. Raises NotFound, Refused, ApiSilent …"""
        with self._opened(method, path, query, body, accept, content_type, timeout_s) as answer:
            data = answer.data
            if on_warning:
                for header in answer.headers.getlist("Warning"):
                    on_warning(_warning(header))
        try:
            return json.loads(data)
        except ValueError:
            raise self._silent(path, "an answer that is no JSON") from None

    def text(self, path: str, *, query: dict | None = None, timeout_s: float = 30.0) -> str:
        """An answer that is no JSON, whole: a Pod's log."""
        with self._opened("GET", path, query, None, "*/*", JSON, timeout_s) as answer:
            return answer.data.decode(errors="replace")

    def lines(
        self, path: str, *, query: dict | None = None, timeout_s: float
    ) -> Iterator[str | None]:
        """The lines of an answer as they come; None when there was none for a second.

        Ends with the answer or after `timeout_s` seconds.
        """
        deadline = time.monotonic() + timeout_s
        first_s = min(_ANSWER_S, timeout_s)
        with self._opened("GET", path, query, None, "*/*", JSON, first_s) as answer:
            if answer.connection and answer.connection.sock:
                answer.connection.sock.settimeout(None)  # from now on silence is no failure
            feed: queue.Queue[str | Exception | None] = queue.Queue(maxsize=1000)
            threading.Thread(target=_feed, args=(answer, feed), daemon=True).start()
            try:
                while (left_s := deadline - time.monotonic()) > 0:
                    try:
                        line = feed.get(timeout=min(TICK_S, left_s))
                    except queue.Empty:
                        yield None
                        continue
                    if line is None:
                        return
                    if isinstance(line, Exception):
                        raise self._silent(path, line)
                    yield line
            finally:
                with suppress(RuntimeError, ValueError):  # nothing to end: it was read whole
                    answer.shutdown()  # ends the thread's reading
                _drain(feed)

    def watch(
        self, path: str, *, query: dict | None = None, timeout_s: float
    ) -> Iterator[tuple[str, dict] | None]:
        """Each change as ("ADDED" | "MODIFIED" | "DELETED", object); None on a quiet second.

        A watch that the server ends is opened again where it ended. One that has become too
        old (410) starts anew: with what is there now, as ADDED.
        """
        query = {**(query or {}), "watch": "true", "allowWatchBookmarks": "true"}
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            asked = time.monotonic()
            for line in self.lines(path, query=query, timeout_s=left_s):
                if line is None:
                    yield None
                    continue
                event = json.loads(line)
                kind, item = event["type"], event["object"]
                if kind == "ERROR":
                    if item.get("code") != 410:
                        raise _said_no(item, path)
                    query.pop("resourceVersion", None)
                    break
                query["resourceVersion"] = item["metadata"]["resourceVersion"]
                if kind != "BOOKMARK":
                    yield kind, item
            # an API server that restarts ends watches at once, again and again
            pause_s = asked + TICK_S - time.monotonic()
            if pause_s > 0 and time.monotonic() < deadline:
                time.sleep(min(pause_s, TICK_S))
                yield None

    def resource(self, word: str) -> Resource:
        """The resource behind kubectl's word for it: "po", "pod", "pods" or "Pod".

        Raises UnknownResource.
        """
        if word.casefold() not in self._resources:
            near = difflib.get_close_matches(word.casefold(), self._resources)
            raise UnknownResource(
                f"the API server knows no resource {word!r}",
                f"near to it: {', '.join(near)}" if near else "nothing of a name like it",
                f"lab.get({near[0]!r})" if near else "kubectl api-resources",
            )
        return self._resources[word.casefold()]

    @property
    def _resources(self) -> dict[str, Resource]:
        return self._known[0]

    def listable(self) -> list[Resource]:
        """Every kind of object that a namespace holds, and that one can list and delete."""
        return [one for one in self._known[1] if {"list", "delete"} <= set(one.verbs)]

    @cached_property
    def _known(self) -> tuple[dict[str, Resource], list[Resource]]:
        """Words → what they name, and all that a namespace holds: words are not unique."""
        found: dict[str, Resource] = {}
        held: list[Resource] = []
        for root in ("/api", "/apis"):  # the core group first: its "events" are kubectl's
            for group in self.request("GET", root, accept=DISCOVERY)["items"]:
                name = group.get("metadata", {}).get("name", "")
                version = group["versions"][0]  # the one that the server prefers
                for row in version.get("resources", []):
                    full = f"{name}/{version['version']}" if name else version["version"]
                    kind = row["responseKind"]["kind"]
                    scope, verbs = row["scope"] == "Namespaced", tuple(row.get("verbs", ()))
                    resource = Resource(full, row["resource"], kind, scope, verbs)
                    held += [resource] if resource.namespaced else []
                    words = (row["resource"], row["singularResource"], kind)
                    for word in (*words, *row.get("shortNames", [])):
                        if word:  # an added API may name no singular
                            found.setdefault(word.casefold(), resource)
        return found, held

    @contextmanager
    def _opened(
        self,
        method: str,
        path: str,
        query: dict | None,
        body: dict | str | None,
        accept: str,
        content_type: str,
        read_s: float,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        import urllib3

        url = f"{self.host}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        try:
            with self._client.rest_client.pool_manager.request(
                method,
                url,
                headers={"Accept": accept, "Content-Type": content_type, **self.headers()},
                body=json.dumps(body) if isinstance(body, dict) else body,
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=read_s),
                # a connection that was kept may have died; what changes things goes once
                retries=urllib3.Retry(1, status=0, read=method == "GET", backoff_factor=0.2),
                preload_content=False,
            ) as answer:
                if answer.status >= 400:
                    raise _said_no(_status(answer.data), path, answer.status)
                yield answer
        except urllib3.exceptions.HTTPError as error:
            raise self._silent(path, error) from None

    def _silent(self, path: str, error: Exception | str) -> ApiSilent:
        reason = getattr(error, "reason", None) or error
        return ApiSilent(
            "the API server does not answer", f"{self.host}{path}: {reason}", "./lab status"
        )


def _feed(answer: urllib3.BaseHTTPResponse, feed: queue.Queue) -> None:
    """Whole lines into the queue; an Exception or None at the end."""
    rest = b""
    try:
        for chunk in answer.stream(2**16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                feed.put(line.decode(errors="replace"))
        if rest:
            feed.put(rest.decode(errors="replace"))
        feed.put(None)
    except Exception as error:  # handed on to the reader, who raises it
        feed.put(error)


def _drain(feed: queue.Queue) -> None:
    """A thread that waits to put its last lines can end."""
    while True:
        try:
            feed.get_nowait()
        except queue.Empty:
            return


def _status(data: bytes) -> dict:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": data.decode(errors="replace")[:200]}


def _said_no(status: dict, path: str, code: int = 0) -> LabError:
    """The error of a Status object.

    >>> print(_said_no({"reason": "NotFound", "message": 'pods "x" not found'}, "/api"))
    NotFound: it is not there
    saw: pods "x" not found
    try: lab.get("pods") shows what is
    """
    code = status.get("code", code)
    reason = status.get("reason", "")
    # "error": a server behind the proxy path, in its own words
    message = status.get("message") or status.get("error") or f"HTTP {code} at {path}"
    if reason == "NotFound" or code == 404:
        return NotFound("it is not there", message, 'lab.get("pods") shows what is')
    if reason == "AlreadyExists":
        return AlreadyExists(
            "it is there already", message, "delete it first, or take another name"
        )
    # a plain 500 is an answer: a misspelt field in what is applied, for one
    if code == 429 or code > 500:
        return ApiSilent("the API server cannot answer now", message, "once more; ./lab status")
    if code == 409:
        hint = "look at the object as it is now, then once more"
        return Conflict(f"the API server said no ({reason or code})", message, hint)
    hints = {
        401: "./lab up writes a new kubeconfig",
        403: "the second line names the rule: a quota, Pod Security, or your rights",
    }
    hint = hints.get(code, "mend what the second line names")
    return Refused(f"the API server said no ({reason or code})", message, hint)


def of_a_service(error: ApiSilent) -> bool:
    """Does the API server answer, and only what it has asked for us does not?

    >>> said = ("service unavailable", "error trying to reach service: EOF", "etcd is slow")
    >>> [of_a_service(ApiSilent("", saw, "")) for saw in said]
    [True, True, False]
    """
    return re.search(r"\bservice\b", error.saw) is not None


def _warning(header: str) -> str:
    r"""The text of an HTTP Warning header.

    >>> _warning('299 - "would violate \\"restricted\\""')
    'would violate "restricted"'
    """
    text = header.split(" ", 2)[-1].strip()
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text
