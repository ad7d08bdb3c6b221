"""The Kubernetes API as plain dicts, through the official client's connection (TLS, tokens).

The package `kubernetes` reads the kubeconfig and keeps the connections. Its dynamic client and
watch are not used. bench/api.py measured both (37.0.2, a stand-in server with 21 groups of kinds):

| | dynamic client | this file |
|---|---|---|
| first Pod, CPU time | 0.24 s, 24 requests (1 with its file of kinds) | 0.25 s, 3 requests |
| 500 Pods as dicts, CPU time | 472 ms | 62 ms |
| watch that is too old (410) | ends with an ApiException | starts again with what is there |
| watch of 3 s, the server is silent | not back after 15 s | back after 3 s, None each second |

Not by httpx: it would lose that connection's users, tokens and keep-alive, and the end of a watch.
"""

from __future__ import annotations

import difflib
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from labkit.errors import ApiSilent, Expired, KubeconfigWrong, UnknownResource
from labkit.kube import api_errors, discovery, streams
from labkit.kube.discovery import Resource
from labkit.kube.streams import TICK_S
from labkit.setup.cluster.outage import Outage

if TYPE_CHECKING:
    import urllib3
    from kubernetes.client import ApiClient, Configuration

JSON = "application/json"
DISCOVERY = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"
_CONNECT_S = 5.0
_ANSWER_S = 30.0  # until the first word of an answer
REFUSED_S = 15.0  # the API server's own way from its start to its roles, several times
_LEAST_S = 1.0  # the last look before a deadline is no proof that nobody answers


class Api:
    """One API server, as one kubeconfig names it. Every error it raises is a LabError."""

    def __init__(self, kubeconfig: Path, context: str = "") -> None:
        self.kubeconfig = kubeconfig
        self.context = context  # empty: the kubeconfig's current one
        self._says_ready: bool | None = None  # does /readyz answer us? None: not known yet
        self._refused_at = 0.0  # when it first refused to

    @cached_property
    def _client(self) -> ApiClient:
        from kubernetes import client, config

        known = client.Configuration()
        try:
            config.load_kube_config(
                str(self.kubeconfig),
                context=self.context or None,
                client_configuration=known,
                persist_config=False,  # a user's file is read, and never written
            )
        except (config.ConfigException, OSError) as error:
            raise KubeconfigWrong(
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
            writes = _writes(method, query)
            raise self._silent(path, "an answer that is not JSON", maybe_done=writes) from None

    def text(self, path: str, *, query: dict | None = None, timeout_s: float = 30.0) -> str:
        """An answer that is not JSON, whole: a Pod's log."""
        with self._opened("GET", path, query, None, "*/*", JSON, timeout_s) as answer:
            return answer.data.decode(errors="replace")

    def lines(
        self, path: str, *, query: dict | None = None, timeout_s: float
    ) -> Iterator[str | None]:
        """The lines of an answer as they come; None when there was none for a second.

        Ends with the answer or after `timeout_s` seconds.
        """
        if timeout_s <= 0:
            return
        deadline = time.monotonic() + timeout_s
        first_s = max(_LEAST_S, min(_ANSWER_S, timeout_s))
        with self._opened("GET", path, query, None, "*/*", JSON, first_s) as answer:
            yield from streams.lines(answer, deadline, partial(self._silent, path))

    def watch(
        self, path: str, *, query: dict | None = None, timeout_s: float
    ) -> Iterator[tuple[str, dict] | None]:
        """Each change as ("ADDED" | "MODIFIED" | "DELETED", object); None on a quiet second.

        A watch that ends, however, is opened again where it ended. One that has become too
        old (410) starts again: with what is there now, as ADDED. Raises ApiSilent where the
        API server is away when the time is up.
        """
        query = {**(query or {}), "watch": "true", "allowWatchBookmarks": "true"}
        deadline = time.monotonic() + timeout_s
        outage = Outage(deadline)
        while (left_s := deadline - time.monotonic()) > 0:
            asked, pause_s = time.monotonic(), TICK_S
            try:
                for line in self.lines(path, query=query, timeout_s=left_s):
                    outage.over()
                    news = self._event(path, line) if line else None
                    if news:
                        query["resourceVersion"] = news[1]["metadata"]["resourceVersion"]
                    if news is None or news[0] != "BOOKMARK":
                        yield news
            except Expired:
                query.pop("resourceVersion", None)
            except ApiSilent as error:
                pause_s = outage.pause_s(error)
            # an API server that restarts ends watches at once, again and again
            pause_s += asked - time.monotonic()
            if pause_s > 0 and time.monotonic() < deadline:
                time.sleep(min(pause_s, max(deadline - time.monotonic(), 0)))
                yield None
        outage.require_over()

    def _event(self, path: str, line: str) -> tuple[str, dict]:
        try:
            event = json.loads(line)
        except ValueError:  # the end came in the middle of a line
            raise self._silent(path, "an event that is not JSON") from None
        if event["type"] == "ERROR":
            raise api_errors.error(event["object"], path)
        return event["type"], event["object"]

    def ready(self) -> bool:
        """Does the API server say that it is ready? False where it does not report that to us.

        Raises ApiSilent while it is not: it has gone, or has not read its stores yet. Before it
        has read its roles it refuses this question too; one that answered it before, or that has
        refused it for less than REFUSED_S, is taken for not ready.
        """
        import urllib3

        try:
            # without a token, which only one that is ready can judge; anybody may ask for this
            answer = self._client.rest_client.pool_manager.request(
                "GET",
                f"{self.host}/readyz",
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=_CONNECT_S),
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._silent("/readyz", error) from None
        if answer.status == 429 or answer.status >= 500:
            saw = answer.data.decode(errors="replace")[-200:]
            raise ApiSilent("the API server is not ready yet", saw, "./lab status")
        if answer.status in (401, 403) and self._says_ready is not False:
            self._refused_at = self._refused_at or time.monotonic()
            if self._says_ready or time.monotonic() - self._refused_at < REFUSED_S:
                saw = f"HTTP {answer.status} at /readyz"
                raise ApiSilent("the API server does not say that it is ready", saw, "./lab status")
            self._says_ready = False  # its roles are read, and none of them lets us ask
        if answer.status == 200:
            self._says_ready, self._refused_at = True, 0.0
        return answer.status == 200

    def resource(self, word: str) -> Resource:
        """The resource behind kubectl's word for it: "po", "pod", "pods" or "Pod".

        Raises UnknownResource.
        """
        if word.casefold() not in self._resources:
            self._forget()
        if word.casefold() not in self._resources:
            near = difflib.get_close_matches(word.casefold(), self._resources)
            raise UnknownResource(
                f"the API server knows no resource {word!r}",
                f"near to it: {', '.join(near)}" if near else "nothing of a name like it",
                f"lab.get({near[0]!r})" if near else "kubectl api-resources",
            )
        return self._resources[word.casefold()]

    def kind(self, api_version: str, kind: str) -> Resource:
        """The resource of this kind in this version, which need not be the preferred one.

        Raises UnknownResource.
        """
        if (api_version, kind) not in self._served:
            self._forget()
        if (api_version, kind) not in self._served:
            raise discovery.not_served(api_version, kind, self._served)
        return self._served[api_version, kind]

    def _forget(self) -> None:
        """A CustomResourceDefinition may have come since the kinds were asked for."""
        for known in ("_groups", "_known", "_served"):
            self.__dict__.pop(known, None)

    @property
    def _resources(self) -> dict[str, Resource]:
        return self._known[0]

    def listable(self) -> list[Resource]:
        """Every kind of object that a namespace holds, and that one can list and delete."""
        return [one for one in self._known[1] if {"list", "delete"} <= set(one.verbs)]

    @cached_property
    def _groups(self) -> list[dict]:
        # the core group first: its "events" are kubectl's
        roots = [self.request("GET", root, accept=DISCOVERY) for root in ("/api", "/apis")]
        return [group for root in roots for group in root["items"]]

    @cached_property
    def _known(self) -> tuple[dict[str, Resource], list[Resource]]:
        return discovery.known(self._groups)

    @cached_property
    def _served(self) -> dict[tuple[str, str], Resource]:
        return discovery.served(self._groups)

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
        headers = {"Accept": accept, "Content-Type": content_type, **self.headers()}
        sent = None if body is None else _Body(body)
        if sent:
            headers["Content-Length"] = str(len(sent.data))
        writes = _writes(method, query)
        # a connection that was kept may have died; what changes things goes once
        retries = urllib3.Retry(
            1, status=0, read=method == "GET", backoff_factor=0.2, respect_retry_after_header=False
        )
        timeout = urllib3.Timeout(connect=_CONNECT_S, read=read_s)
        ask = self._client.rest_client.pool_manager.request
        try:
            for is_last in (False, True):
                with ask(
                    method,
                    url,
                    headers=headers,
                    body=sent,
                    timeout=timeout,
                    retries=retries,
                    preload_content=False,
                ) as answer:
                    # before it has read its stores it knows neither people nor their rights
                    if answer.status in (401, 403) and not is_last and self.ready():
                        continue  # it may have become ready between the two
                    if answer.status >= 400:
                        after = answer.headers.get("Retry-After", "")
                        status = api_errors.read(answer.data)
                        code = answer.status
                        raise api_errors.error(status, path, code, writes=writes, retry_after=after)
                    yield answer
                    return
        except urllib3.exceptions.HTTPError as error:
            maybe_done = writes and (sent is None or sent.begun)
            raise self._silent(path, error, maybe_done=maybe_done) from None

    def _silent(self, path: str, error: Exception | str, *, maybe_done: bool = False) -> ApiSilent:
        reason = getattr(error, "reason", None) or error
        cause = reason.args[0] if isinstance(reason, Exception) and reason.args else None
        saw = f"{self.host}{path}: {reason}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "./lab up writes a new kubeconfig"
            return KubeconfigWrong("the kubeconfig is not of this API server", saw, hint)
        return ApiSilent(
            "the API server does not answer", saw, "./lab status", maybe_done=maybe_done
        )


class _Body:
    """The body of a request, which knows whether anything of it may have been sent."""

    def __init__(self, body: dict | str) -> None:
        self.data = (json.dumps(body) if isinstance(body, dict) else body).encode()
        self.begun = False

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        yield self.data


def _writes(method: str, query: dict | None) -> bool:
    return method != "GET" and "dryRun" not in (query or {})


def _warning(header: str) -> str:
    r"""The text of an HTTP Warning header.

    >>> _warning('299 - "would violate \\"restricted\\""')
    'would violate "restricted"'
    """
    text = header.split(" ", 2)[-1].strip()
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text
