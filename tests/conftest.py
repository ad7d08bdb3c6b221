"""Keeps unit tests away from the user's own lab: its caches, its state, its environment."""

import http.server
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


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, bytes | int]], str]]:
    """Starts a web server on this machine that answers as told; its address.

    `serve({"/kind": b"content", "/v2/": 401})`: a body, or a status; 403 for all else.
    """
    running: list[tuple[http.server.ThreadingHTTPServer, threading.Thread]] = []

    def start(answers: dict[str, bytes | int]) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = answers.get(self.path, 403)
                if isinstance(answer, int):
                    self.send_error(answer)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                # a path that ends in /cut loses its connection half-way
                self.wfile.write(answer[:100] if self.path.endswith("/cut") else answer)

            def log_message(self, *_: object) -> None:
                return

        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        running.append((web, thread))
        return f"http://127.0.0.1:{web.server_port}"

    yield start
    for web, thread in running:
        web.shutdown()
        thread.join()
        web.server_close()
