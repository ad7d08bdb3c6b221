"""Keeps unit tests away from the user's own lab: its caches, its state, its environment."""

import http.server
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


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
