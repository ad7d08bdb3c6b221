"""A server that fails requests at will, in every way in which an API server that restarts can."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

RST = struct.pack("ii", 1, 0)  # SO_LINGER on, of no seconds: close() sends a reset

# before anything of a request can have been read
UNSENT = ("refused", "reset", "eof")
IN_HANDSHAKE = ("eof in handshake", "reset in handshake", "eof in server hello")
# the request was read: whoever is told that it failed so knows that nothing was done …
NOTHING_DONE = ("401", "403", "429", "503")
# … and here nobody knows
LOST = ("reset before head", "eof before head", "eof in head", "eof in body", "500", "502", "504")

_SAID = {
    "401": {"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized", "code": 401},
    "403": {"kind": "Status", "reason": "Forbidden", "message": "no RBAC policy matched"},
    "429": {"kind": "Status", "reason": "TooManyRequests", "message": "it is shutting down"},
    "500": {"kind": "Status", "message": "etcdserver: request timed out", "code": 500},
    "502": {"kind": "Status", "message": "Bad Gateway", "code": 502},
    "503": {"kind": "Status", "message": "apiserver not ready", "code": 503},
    "504": {"kind": "Status", "reason": "Timeout", "message": "it took too long", "code": 504},
}


def certificate(folder: Path) -> tuple[Path, Path]:
    """A new certificate of 127.0.0.1, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-days", "2", "-subj", "/CN=lab", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*words, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Away:
    """Fails its first `times` requests in that way; then answers each with {"a": 1}."""

    def __init__(
        self,
        way: str,
        times: int = 3,
        tls: ssl.SSLContext | None = None,
        refuse_s: float = 0.5,
        not_ready: int = 500,
    ) -> None:
        self.way, self.left, self._tls = way, times, tls
        self._not_ready = not_ready  # what /readyz answers meanwhile
        self.done: list[str] = []  # the methods of what it did, told or not
        self.began = time.monotonic()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # and whoever comes before listen() is refused
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._over = threading.Event()
        self._refuse_s = refuse_s if way == "refused" else 0.0
        if not self._refuse_s:
            self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        if self._refuse_s:
            self._over.wait(self._refuse_s)
            self.left = 0
            self._socket.listen()
        self._socket.settimeout(0.02)
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._socket.accept()
                with contextlib.suppress(OSError), connection:
                    connection.settimeout(5)
                    self._handle(connection)

    def _fails(self, *ways: str) -> bool:
        failing = self.way in ways and self.left > 0
        self.left -= failing
        return failing

    def _handle(self, raw: socket.socket) -> None:
        if self._fails("reset"):
            if not self._tls:  # a reset that comes sooner is one of connect(): nothing was sent
                raw.recv(1, socket.MSG_PEEK)
            return _reset(raw)
        if self._fails("eof"):
            return _end(raw)
        if not self._tls:
            return self._answer(raw)
        if self.way in IN_HANDSHAKE and self.left:
            hello = raw.recv(2**16)
            self.left -= 1
            if self.way == "reset in handshake":
                return _reset(raw)
            if self.way == "eof in server hello":
                raw.sendall(_server_hello(self._tls, hello)[:60])
            return _end(raw)
        with self._tls.wrap_socket(raw, server_side=True) as connection:
            return self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            words = file.readline().decode().split()
            length = 0
            while (line := file.readline().strip().lower()) != b"":
                length = int(line[15:]) if line.startswith(b"content-length:") else length
            file.read(length)
        if not words:  # who came has gone
            return None
        method, path, _ = words
        if path == "/readyz":
            ready = not (self.way in NOTHING_DONE and self.left)
            status = 200 if ready else self._not_ready
            return _send(connection, status, b"ok" if ready else b"not yet")
        if self._fails(*NOTHING_DONE):
            return _send(connection, int(self.way), json.dumps(_SAID[self.way]).encode(), "1")
        self.done.append(method)
        if self._fails("500", "502", "504"):
            return _send(connection, int(self.way), json.dumps(_SAID[self.way]).encode())
        if self._fails("reset before head"):
            return _reset(connection)
        if self._fails("eof before head"):
            return _end(connection)
        if self._fails("eof in head"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: appl")
            return _end(connection)
        if self._fails("eof in body"):
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a": 1')
            return _end(connection)
        return _send(connection, 200, b'{"a": 1}')


@contextlib.contextmanager
def away(way: str, **options) -> Iterator[Away]:
    server = Away(way, **options)
    try:
        yield server
    finally:
        server.close()


def _send(connection: socket.socket, status: int, body: bytes, retry_after: str = "") -> None:
    head = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close"]
    head += [f"Retry-After: {retry_after}"] if retry_after and status == 429 else []
    connection.sendall("\r\n".join([*head, "", ""]).encode() + body)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    connection.close()


def _end(connection: socket.socket) -> None:
    """The end of what is sent, and no reset: what still comes is read."""
    raw = socket.socket(fileno=connection.detach())
    with raw, contextlib.suppress(OSError):
        raw.settimeout(5)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(2**16):
            pass


def _server_hello(tls: ssl.SSLContext, hello: bytes) -> bytes:
    came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    came.write(hello)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.wrap_bio(came, goes, server_side=True).do_handshake()
    return goes.read()
