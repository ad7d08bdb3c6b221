"""Serves one bundle's file to the laptops of a room: read-only HTTP with ranges and a code."""

from __future__ import annotations

import errno
import hmac
import http.server
import ipaddress
import os
import re
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from labkit.errors import PortTaken, Unsupported
from labkit.setup.host.progress import minutes

CHUNK = 256 * 1024  # a slow laptop holds no more than this
AT_ONCE = 30
WAIT_S = 2  # what a laptop is asked to wait when all places are taken
SILENCE_S = 60
SAY_EVERY_S = 5.0
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Laptop:
    """What one address has been sent."""

    sent: int = 0
    answers: int = 0
    running: int = 0
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)


class Server(http.server.ThreadingHTTPServer):
    """Open on an address that was given; `laptops` has what each has been sent.

    Raises Unsupported for an address that this machine does not have, PortTaken.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, file: Path, address: str, port: int, *, at_once: int = AT_ONCE) -> None:
        self.file, self.size = file, file.stat().st_size
        self.code = secrets.token_hex(4)
        self.places = threading.BoundedSemaphore(at_once)
        self.laptops: dict[str, Laptop] = {}
        self.lock = threading.Lock()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.address_family = family
        try:
            super().__init__((address, port), Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"port {port} of {address} is taken", str(error), "--port with another number"
                ) from None
            raise Unsupported(
                f"the bundle cannot be served at {address}",
                str(error),
                "--address with an address of this machine: hostname -I",
            ) from None

    def server_bind(self) -> None:
        """Bind, and look no name up: HTTPServer's own asks the DNS, which a room may not have."""
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        number = ipaddress.ip_address(self.server_name)
        if (getattr(number, "ipv4_mapped", None) or number).is_unspecified:
            raise Unsupported(
                "a bundle is served at one address of this machine",
                f"{host} stands for all of them, and no laptop can reach it by that",
                "--address with one of them: hostname -I",
            )

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        host = f"[{host}]" if ":" in str(host) else host
        return f"http://{host}:{port}/{quote(os.fsencode(self.file.name))}"

    def rows(self) -> list[tuple[str, float, str]]:
        """Each laptop: its address, how much of the file's size it was sent, and how fast."""
        with self.lock:
            return [
                (name, one.sent / self.size, _said(one))
                for name, one in sorted(self.laptops.items())
            ]

    def handle_error(self, request, client_address) -> None:
        """A laptop that went away is not an error here: it comes back and continues."""


def _said(one: Laptop) -> str:
    seconds = max(one.last - one.began, 0.001)
    state = "running" if one.running else "idle"
    return f"{one.sent / 1e6:.0f} MB in {minutes(seconds)}, {state}"


class Handler(http.server.BaseHTTPRequestHandler):
    """GET and HEAD of that one file, for a client that has the code."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = SILENCE_S
    server: Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, *, body: bool) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.server.code.encode()):
            return self._no(401, "the code is missing or another one")
        if unquote_to_bytes(self.path) != b"/" + os.fsencode(self.server.file.name):
            return self._no(404, "this server has one file")
        span = _span(self.headers.get("Range", ""), self.server.size)
        if span is None:
            return self._no(416, "no such range")
        if not self.server.places.acquire(blocking=False):
            return self._no(503, "all places are taken", **{"Retry-After": str(WAIT_S)})
        try:
            self._send(*span, body=body)
        finally:
            self.server.places.release()
        return None

    def _send(self, first: int, last: int, *, body: bool) -> None:
        count = last - first + 1
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(count))
        if "Range" in self.headers:
            self.send_header("Content-Range", f"bytes {first}-{last}/{self.server.size}")
        self.end_headers()
        if not body:
            return
        one = self._laptop()
        with self.server.lock:
            one.running += 1
            one.answers += 1
        try:
            with self.server.file.open("rb") as file:
                file.seek(first)
                while count and (data := file.read(min(count, CHUNK))):
                    self.wfile.write(data)
                    count -= len(data)
                    with self.server.lock:
                        one.sent += len(data)
                        one.last = time.monotonic()
        except OSError:  # it went away, or the stick did
            self.close_connection = True
        finally:
            with self.server.lock:
                one.running -= 1
        if count:
            self.close_connection = True

    def _laptop(self) -> Laptop:
        with self.server.lock:
            return self.server.laptops.setdefault(str(self.client_address[0]), Laptop())

    def _no(self, status: int, why: str, **headers: str) -> None:
        text = f"{why}\n".encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)


def _span(text: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte of a Range header; None for one that the file does not have.

    >>> _span("", 10), _span("bytes=2-4", 10), _span("bytes=2-", 10), _span("bytes=2-99", 10)
    ((0, 9), (2, 4), (2, 9), (2, 9))
    >>> _span("bytes=10-", 10), _span("bytes=-5", 10), _span("bytes=4-2", 10)
    (None, None, None)
    """
    if not text:
        return 0, size - 1
    found = _RANGE.fullmatch(text)
    if not found:
        return None
    first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
    return (first, last) if first <= last else None


def run(server: Server, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C, and say every few seconds what each laptop has."""
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True)
    thread.start()
    before: list = []
    try:
        while True:
            time.sleep(SAY_EVERY_S)
            rows = server.rows()
            if rows != before:
                for name, share, said in rows:
                    say(f"{name:>15}  {share:5.0%}  {said}")
                before = rows
    finally:
        server.shutdown()
        server.server_close()
