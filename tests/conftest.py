"""Keeps unit tests away from the user's own lab: its caches, its state, its environment."""

import http.server
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from labkit.kube import session


def pytest_configure() -> None:
    """Hear Ctrl-C where a script's `./lab test &` was started with SIGINT ignored.

    What the tests start inherits it: their tests of Ctrl-C would wait in vain.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_world(request, tmp_path_factory, monkeypatch):
    """Folders of its own for each test, and none of the lab's variables; not in tests/cluster."""
    if request.node.get_closest_marker("cluster"):
        return
    folder = tmp_path_factory.mktemp("home")
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder / name.removeprefix("XDG_").lower()))
    monkeypatch.setenv("KUBECONFIG", str(folder / "no-kubeconfig"))
    for name in ("MODEL", "DOCKER_HOST", *(n for n in os.environ if n.startswith("LAB_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAB_WORK", str(folder / "no-work"))  # nothing is kept of what a test passes
    monkeypatch.setenv("LAB_SPEED", "1")  # limits are those of the reference machine


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """Hands each request to the server's `answer`, with two ways to answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer's body waits 40 ms for its head

    def do_GET(self) -> None:
        self.chunks = 0
        self.body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.answer(self)

    do_POST = do_DELETE = do_PATCH = do_GET

    def send(self, body: dict | list | bytes, status: int = 200, **headers: str) -> None:
        """A whole answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def chunk(self, data: bytes) -> None:
        """A piece of an answer that goes on; an empty one ends it."""
        if not self.chunks:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        self.chunks += 1
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def answering() -> Iterator[Callable[[Callable[[Handler], None]], str]]:
    """Starts a web server on this machine; its address.

    `answering(answer)` calls `answer(handler)` for each request.
    """
    running: list[tuple[http.server.ThreadingHTTPServer, threading.Thread]] = []

    def start(answer: Callable[[Handler], None]) -> str:
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        web.answer = answer
        thread = threading.Thread(target=web.serve_forever, args=(0.02,))
        thread.start()
        running.append((web, thread))
        return f"http://127.0.0.1:{web.server_port}"

    yield start
    for web, thread in running:
        web.shutdown()
        thread.join()
        web.server_close()


@pytest.fixture
def serve(answering) -> Callable[[dict[str, bytes | int]], str]:
    """Starts a web server that answers GET as told; its address.

    `serve({"/kind": b"content", "/v2/": 401})`: a body, or a status; 403 for all else. A path
    that ends in /cut loses its connection half-way.
    """

    def start(answers: dict[str, bytes | int]) -> str:
        def answer(handler: Handler) -> None:
            found = answers.get(handler.path, 403)
            if isinstance(found, int):
                handler.send_error(found)
            elif handler.path.endswith("/cut"):
                handler.send(found[:100], **{"Content-Length": str(len(found))})
                handler.close_connection = True
            else:
                handler.send(found)

        return answering(answer)

    return start


@pytest.fixture
def discovery() -> dict[str, dict]:
    """Path → what an API server with four kinds of objects answers when asked for its kinds."""

    def resource(kind: str, *short: str, scope: str = "Namespaced") -> dict:
        singular = kind.lower()
        return {
            "resource": f"{singular}s",
            "singularResource": singular,
            "responseKind": {"kind": kind},
            "scope": scope,
            "shortNames": list(short),
        }

    core = [
        resource("Pod", "po"),
        resource("Service", "svc"),
        resource("Namespace", "ns", scope="Cluster"),
    ]
    apps = [resource("Deployment", "deploy")]
    return {
        "/api": {"items": [{"versions": [{"version": "v1", "resources": core}]}]},
        "/apis": {
            "items": [
                {
                    "metadata": {"name": "apps"},
                    "versions": [{"version": "v1", "resources": apps}],
                }
            ]
        },
    }


class Store:
    """An API server of a few kinds, in memory: makes, lists, changes, deletes; two of them race."""

    KINDS: ClassVar = {
        "Pod": ("v1", "pods"),
        "ConfigMap": ("v1", "configmaps"),
        "Service": ("v1", "services"),
        "ServiceAccount": ("v1", "serviceaccounts"),
        "Secret": ("v1", "secrets"),
        "Event": ("v1", "events"),
        "Deployment": ("apps/v1", "deployments"),
    }
    READY: ClassVar = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}

    def __init__(self) -> None:
        self.objects: dict[str, dict] = {}
        self.changes: list[str] = []
        self.version = 0
        self.silent = 0  # requests that it cannot answer, as one that restarts
        self.lock = threading.Lock()

    def add(self, item: dict, namespace: str = "lab") -> dict:
        """Puts an object there, as somebody's kubectl does."""
        folder = self.folder(item["kind"], namespace)
        return self._stored(f"{folder}/{item['metadata']['name']}", item)

    def namespace(self, name: str = "lab", **labels: str) -> dict:
        meta = {"name": name, "labels": labels}
        made = self._stored(f"/api/v1/namespaces/{name}", {"kind": "Namespace", "metadata": meta})
        self.add({"kind": "ServiceAccount", "metadata": {"name": "default"}}, name)
        return made

    def folder(self, kind: str, namespace: str) -> str:
        version, plural = self.KINDS[kind]
        root = "/apis" if "/" in version else "/api"
        return f"{root}/{version}/namespaces/{namespace}/{plural}"

    def names(self) -> list[str]:
        """What somebody made: kind/name."""
        found = [
            f"{item['kind'].lower()}/{item['metadata']['name']}" for item in self.objects.values()
        ]
        return sorted(
            name for name in found if name not in ("namespace/lab", "serviceaccount/default")
        )

    def answer(self, handler: Handler) -> None:
        path, _, query = handler.path.partition("?")
        with self.lock:
            if self.silent:
                self.silent -= 1
                handler.send({"message": "not yet", "code": 503}, 503)
                return
            code, body = self._answered(handler.command, path, query, handler.body)
        handler.send(body, code)

    def _answered(self, method: str, path: str, query: str, data: bytes) -> tuple[int, dict]:
        body = json.loads(data) if data else {}
        if path in ("/api", "/apis"):
            return 200, self._discovery(path)
        there = self.objects.get(path)
        if method == "POST":
            return self._made(path, body, is_dry="dryRun" in query)
        if method == "GET" and path.rpartition("/")[2] in {p for _, p in self.KINDS.values()}:
            items = [item for key, item in self.objects.items() if key.rpartition("/")[0] == path]
            return 200, {"items": items}
        if there is None:
            return 404, {"reason": "NotFound", "message": f"no {path}", "code": 404}
        if method == "DELETE":
            self._deleted(path, there, body)
        elif method == "PATCH":
            return self._patched(path, there, body)
        return 200, there

    def _made(self, path: str, body: dict, *, is_dry: bool) -> tuple[int, dict]:
        if is_dry:
            return 201, body
        key = f"{path}/{body['metadata']['name']}"
        if key in self.objects:
            return 409, {"reason": "AlreadyExists", "message": key, "code": 409}
        if body["kind"] == "Namespace":
            return 201, self.namespace(body["metadata"]["name"]) | self._stored(key, body)
        self.changes.append(f"POST {key}")
        return 201, self._stored(key, body)

    def _stored(self, key: str, item: dict) -> dict:
        self.version += 1
        meta = {**item["metadata"], "uid": str(self.version), "resourceVersion": str(self.version)}
        made = {**item, "metadata": meta}
        if item["kind"] == "Pod":
            made["status"] = self.READY
        self.objects[key] = made
        return made

    def _deleted(self, path: str, there: dict, body: dict) -> None:
        wanted = body.get("preconditions", {}).get("uid")
        if wanted in (None, there["metadata"]["uid"]):
            self.changes.append(f"DELETE {path}")
            there["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self._sweep()

    def _patched(self, path: str, there: dict, body: dict) -> tuple[int, dict]:
        meta = there["metadata"]
        new = dict(body["metadata"])
        if new.pop("resourceVersion", meta["resourceVersion"]) != meta["resourceVersion"]:
            return 409, {"reason": "Conflict", "message": path, "code": 409}
        self.version += 1
        meta["resourceVersion"] = str(self.version)
        for name in ("labels", "annotations"):
            both = {**meta.get(name, {}), **new.get(name, {})}
            meta[name] = {key: value for key, value in both.items() if value is not None}
        if "finalizers" in new:
            meta["finalizers"] = new["finalizers"] or []
            self._sweep()
        return 200, there

    def _sweep(self) -> None:
        """What is to go and is held by nothing goes; a Namespace after all that is in it."""
        for path in sorted(self.objects, key=len, reverse=True):
            meta = self.objects[path]["metadata"]
            space = self.objects.get(
                f"/api/v1/namespaces/{path.split('/namespaces/')[1].split('/')[0]}"
            )
            if space and "deletionTimestamp" in space["metadata"]:
                meta["deletionTimestamp"] = space["metadata"]["deletionTimestamp"]
            inside = self.objects[path] is space and any(
                key != path and f"/namespaces/{meta['name']}/" in key for key in self.objects
            )
            if "deletionTimestamp" in meta and not meta.get("finalizers") and not inside:
                del self.objects[path]

    def _discovery(self, path: str) -> dict:
        items = []
        for group in ("v1", "apps/v1"):
            if ("/" in group) != (path == "/apis"):
                continue
            rows = [
                {
                    "resource": plural,
                    "singularResource": kind.lower(),
                    "responseKind": {"kind": kind},
                    "scope": "Namespaced",
                    "verbs": ["list", "delete"],
                }
                for kind, (version, plural) in self.KINDS.items()
                if version == group
            ]
            versions = [{"version": "v1", "resources": rows}]
            items.append({"metadata": {"name": group.rpartition("/")[0]}, "versions": versions})
        return {"items": items}


@pytest.fixture
def connected(answering, tmp_path, monkeypatch) -> Callable[[Callable[[Handler], None]], None]:
    """`connected(answer)`: the session is one on an API server that answers so."""

    def connect(answer: Callable[[Handler], None]) -> None:
        config = {
            "clusters": [{"name": "x", "cluster": {"server": answering(answer)}}],
            "users": [{"name": "x", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "current-context": "x",
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(config))
        monkeypatch.setattr(session, "_current", session.Session("lab", "", file))

    return connect


@pytest.fixture
def store(connected) -> Store:
    """The session's API server, in memory, with the learner's namespace `lab`."""
    made = Store()
    level = "pod-security.kubernetes.io"
    labels = {f"{level}/enforce": "baseline", f"{level}/audit": "restricted"}
    labels |= {f"{level}/warn": "baseline", "app.kubernetes.io/managed-by": "labkit"}
    made.namespace(**labels)
    connected(made.answer)
    return made
