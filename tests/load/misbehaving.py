"""A server on loopback that misbehaves: one function for each way, good answers beside them."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

from tests.load.answers import CHUNKED, END, chunk, chunked, head, lines, sized

LONGEST_S = 20.0  # no way goes on for longer, whatever the client does
PAUSE_S = 0.0003  # between the bytes of what comes slowly: each is a read of its own
STREAM_S = 0.01  # between the reads of a stream
THINKS_S = 0.4  # far more than a close takes that was under way when the request was sent
FIRST, *_, LAST = lines()
GOOD = chunked(lines())


class Client:
    """The connection of one client, as a way sees it."""

    def __init__(self, sock: socket.socket, bodies: list[bytes]) -> None:
        self.sock = sock
        self.bodies = bodies
        self.unread = bytearray()
        self.closed = False
        sock.settimeout(LONGEST_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def asks(self) -> bool:
        """Waits for the next request, which stays unread; False when the client has left."""
        return bool(self.unread or self.sock.recv(1, socket.MSG_PEEK))

    def request(self) -> bytes:
        """Reads one request; its body."""
        while b"\r\n\r\n" not in self.unread:
            self.unread += self._received()
        top, _, _ = bytes(self.unread).partition(b"\r\n\r\n")
        size = (
            len(top)
            + 4
            + sum(
                int(field.partition(b":")[2])
                for field in top.lower().splitlines()
                if field.startswith(b"content-length:")
            )
        )
        while len(self.unread) < size:
            self.unread += self._received()
        self.bodies.append(bytes(self.unread[len(top) + 4 : size]))
        del self.unread[:size]
        return self.bodies[-1]

    def send(self, *pieces: bytes) -> None:
        self.sock.sendall(b"".join(pieces))

    def send_slowly(self, data: bytes) -> None:
        """Byte by byte."""
        for index in range(len(data)):
            self.sock.sendall(data[index : index + 1])
            time.sleep(PAUSE_S)

    def wait_until_left(self) -> None:
        """Says nothing until the client closes its side."""
        while self.sock.recv(65536):
            pass

    def close(self) -> None:
        self.closed = True
        self.sock.close()

    def reset(self) -> None:
        """Closes by RST: the other side's next read fails."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _received(self) -> bytes:
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionResetError("the client left within its request")
        return data


Way = Callable[[Client], None]


class Server:
    """A running server: its address, and what came to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections = 0
        self.requests = 0
        self.bodies: list[bytes] = []
        self.broken: list[BaseException] = []  # what no way may raise
        self.counted = threading.Condition()

    def wait_for(self, *, requests: int) -> None:
        """Returns when so many requests have come."""
        with self.counted:
            came = self.counted.wait_for(lambda: self.requests >= requests, LONGEST_S)
        assert came, f"{self.requests} of {requests} requests in {LONGEST_S:g} s"


@contextlib.contextmanager
def serving(way: Way, *, every: int = 1, host: str = "127.0.0.1") -> Iterator[Server]:
    """A server whose every `every`-th request is answered in this way, and the others well."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=1024)
    address = f"[{host}]" if ":" in host else host
    server = Server(f"http://{address}:{listener.getsockname()[1]}")
    stop, stopping = socket.socketpair()
    clients: list[tuple[Client, threading.Thread]] = []

    def serve(client: Client) -> None:
        try:
            while not client.closed and client.asks():
                with server.counted:
                    server.requests += 1
                    turn = server.requests
                    server.counted.notify_all()
                (way if turn % every == 0 else good)(client)
        except OSError:
            pass  # the client left, as most do to whom such things are said
        except BaseException as broken:
            server.broken.append(broken)
        finally:
            client.close()

    def accept() -> None:
        while stopping not in select.select([listener, stopping], [], [])[0]:
            client = Client(listener.accept()[0], server.bodies)
            server.connections += 1
            thread = threading.Thread(target=serve, args=(client,))
            clients.append((client, thread))
            thread.start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        stop.close()
        accepting.join()
        for part in (stopping, listener):
            part.close()
        for client, thread in clients:
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_RDWR)
            thread.join(LONGEST_S)
        assert server.broken == []


# Valid, however odd: what a strict reader of HTTP/1.1 must accept.


def good(client: Client) -> None:
    """A stream as Ollama sends it; the connection stays."""
    client.request()
    client.send(GOOD)


def streams(client: Client) -> None:
    """A good answer whose first word comes before the others, as a stream's does."""
    client.request()
    client.send(CHUNKED, chunk(FIRST))
    time.sleep(STREAM_S)
    client.send(GOOD.removeprefix(CHUNKED + chunk(FIRST)))


def answer_byte_by_byte(client: Client) -> None:
    """A whole good answer, each byte in a segment of its own."""
    client.request()
    client.send_slowly(chunked(lines(1)))


def extensions_and_trailers(client: Client) -> None:
    """Chunk extensions, leading zeros in a size, trailers after the last chunk."""
    client.request()
    body = b"".join(lines())
    pieces = (chunk(body[:100], ";a=b"), b"00", chunk(body[100:], ' ; c="d; e"'))
    client.send(CHUNKED, *pieces, b"000;z\r\nX-Sum: 1\r\nX-Other:\r\n\r\n")


def chunks_across_lines(client: Client) -> None:
    """HTTP chunks of seven bytes, that know nothing of lines."""
    client.request()
    body = b"".join(lines())
    client.send(chunked([body[at : at + 7] for at in range(0, len(body), 7)]))


def close_delimited(client: Client) -> None:
    """HTTP/1.0 without a length: the end is the close."""
    client.request()
    client.send(head("Content-Type: application/x-ndjson", version="1.0"), *lines())
    client.close()


def many_1xx_first(client: Client) -> None:
    """A hundred informational answers, then the one."""
    client.request()
    client.send(head(status="100 Continue") * 50, head("Link: </a>", status="103 Early Hints") * 50)
    client.send(GOOD)


def folded_header(client: Client) -> None:
    """A header that goes on in the next line: obsolete, and a client replaces it by spaces."""
    client.request()
    client.send(head("X-Folded: one", " two", "\tthree", "Transfer-Encoding: chunked"))
    client.send(GOOD.removeprefix(CHUNKED))


def same_length_twice(client: Client) -> None:
    """Content-Length two times with one value, which RFC 9110 lets pass."""
    client.request()
    body = b"".join(lines())
    client.send(head(*[f"Content-Length: {len(body)}"] * 2), body)


def closes_between_requests(client: Client) -> None:
    """A good answer without a word on the connection, which is closed after it."""
    good(client)
    client.close()


def says_close(client: Client) -> None:
    """Connection: close, and then it is for the client to close."""
    client.request()
    client.send(head("Connection: close", "Transfer-Encoding: chunked"))
    client.send(GOOD.removeprefix(CHUNKED))
    client.wait_until_left()
    client.close()


def answers_before_the_request(client: Client) -> None:
    """A good answer while the request lies unread, which it then reads."""
    client.send(GOOD)
    client.request()


def invalid_utf8_in_a_word(client: Client) -> None:
    """Half of a character in a line after the first: such are counted and not read."""
    client.request()
    client.send(chunked([FIRST, FIRST.replace(b"word0", b"\xe4\xbd"), LAST]))


# Slow.


def never_answers(client: Client) -> None:
    client.request()
    client.wait_until_left()


def header_byte_by_byte(client: Client) -> None:
    """Slow loris: a header that goes on and on, a byte at a time."""
    client.request()
    client.send_slowly(head("X-Slow: " + "s" * int(LONGEST_S / PAUSE_S)))


def body_byte_by_byte(client: Client) -> None:
    """Slow loris in the body: a line that goes on and on, a byte at a time."""
    client.request()
    client.send(sized(FIRST, length=1 << 20))
    client.send_slowly(b" " * int(LONGEST_S / PAUSE_S))


def stalls_mid_stream(client: Client) -> None:
    client.request()
    client.send(CHUNKED, chunk(FIRST), b"40\r\n{")
    client.wait_until_left()


def terminator_missing(client: Client) -> None:
    """All lines, done:true too, but never the last chunk; the connection stays."""
    client.request()
    client.send(GOOD.removesuffix(END))
    client.wait_until_left()


def length_too_long_and_waits(client: Client) -> None:
    client.request()
    body = b"".join(lines())
    client.send(sized(body, length=len(body) + 1))
    client.wait_until_left()


def endless_1xx(client: Client) -> None:
    """Informational answers for ever."""
    client.request()
    while True:
        client.send(head(status="100 Continue") * 1000)


# Cut.


def accepts_and_closes(client: Client) -> None:
    """Closes without a byte, the request read."""
    client.request()
    client.close()


def reset_before_answer(client: Client) -> None:
    client.request()
    client.reset()


def thinks_and_closes(client: Client) -> None:
    """Takes the request, works on it for a while, and dies without a byte."""
    client.request()
    time.sleep(THINKS_S)
    client.close()


def closes_before_request_is_read(client: Client) -> None:
    """Closes on what came unread, which the kernel makes a reset."""
    client.close()


def cut_in_header(client: Client) -> None:
    client.request()
    client.send(CHUNKED[:40])
    client.close()


def reset_mid_chunk(client: Client) -> None:
    client.request()
    client.send(CHUNKED, chunk(FIRST), chunk(FIRST)[:50])
    client.reset()


def cut_without_done(client: Client) -> None:
    """Lines, then the end of the connection."""
    client.request()
    client.send(CHUNKED, chunk(FIRST))
    client.close()


def ends_without_done(client: Client) -> None:
    """A well-formed answer that ends before done:true, as from a proxy that gave up."""
    client.request()
    client.send(chunked([FIRST, FIRST]))


def cut_before_terminator(client: Client) -> None:
    """done:true, and then the connection ends where the last chunk should be."""
    client.request()
    client.send(GOOD.removesuffix(END))
    client.close()


def cut_within_terminator(client: Client) -> None:
    client.request()
    client.send(GOOD.removesuffix(b"\r\n"))
    client.close()


def length_too_long(client: Client) -> None:
    """One byte less than Content-Length says."""
    client.request()
    body = b"".join(lines())
    client.send(sized(body, length=len(body) + 1))
    client.close()


def close_delimited_without_done(client: Client) -> None:
    client.request()
    client.send(head(version="1.0"), FIRST)
    client.close()


def empty_answer(client: Client) -> None:
    """A 200 without any body."""
    client.request()
    client.send(sized(b""))


# Said in words.


def error_line_first(client: Client) -> None:
    """An error under a 200, before any word."""
    client.request()
    client.send(chunked([b'{"error":"model runner has unexpectedly stopped"}\n']))


def error_line_mid_stream(client: Client) -> None:
    client.request()
    client.send(chunked([FIRST, FIRST, b'{"error":"an error was encountered"}\n']))


def error_line_and_cut(client: Client) -> None:
    """An error line, and then the connection ends without the last chunk."""
    client.request()
    client.send(CHUNKED, chunk(FIRST), chunk(b'{"error":"out of memory"}\n'))
    client.close()


def no_json_and_cut(client: Client) -> None:
    """A line that is no JSON, and the connection ends within the answer: that is what counts."""
    client.request()
    client.send(CHUNKED, chunk(b"<html>\n"))
    client.close()


def status_500_json(client: Client) -> None:
    client.request()
    client.send(sized(b'{"error":"llama runner terminated"}', status="500 Internal Server Error"))


def status_503_html(client: Client) -> None:
    """A proxy's page."""
    client.request()
    page = b"<html><body><h1>503 Service Unavailable</h1>\nNo server.\n</body></html>\n"
    client.send(head("Content-Type: text/html", version="1.0", status="503 Busy"), page)
    client.close()


def status_429_and_close_unread(client: Client) -> None:
    """Refuses before it has read the request, of which the rest makes a reset."""
    client.send(sized(b'{"error":"busy"}', status="429 Too Many Requests"))
    client.close()


def redirect(client: Client) -> None:
    client.request()
    client.send(head("Location: http://127.0.0.1:9/", "Content-Length: 0", status="302 Found"))


# No HTTP, or no JSON.


def garbage_instead_of_http(client: Client) -> None:
    client.request()
    client.send(b"SSH-2.0-OpenSSH_9.6\r\n\x00\xff\x00\xff" * 4)
    client.close()


def http_2_preface(client: Client) -> None:
    """A server of HTTP/2, which sends its settings."""
    client.request()
    client.send(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18))
    client.wait_until_left()


def endless_header(client: Client) -> None:
    """Header fields for ever."""
    client.request()
    client.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        client.send(b"X-More: and more\r\n" * 1000)


def endless_header_line(client: Client) -> None:
    client.request()
    client.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        client.send(b"l" * 65536)


def garbage_chunk_size(client: Client) -> None:
    client.request()
    client.send(CHUNKED, chunk(FIRST), b"zz\r\n", FIRST)
    client.wait_until_left()


def negative_chunk_size(client: Client) -> None:
    client.request()
    client.send(CHUNKED, b"-5\r\n", FIRST)
    client.wait_until_left()


def huge_chunk_size(client: Client) -> None:
    """A size that no 64 bits hold."""
    client.request()
    client.send(CHUNKED, b"f" * 20, b"\r\n", FIRST)
    client.wait_until_left()


def endless_chunk_size(client: Client) -> None:
    """A chunk extension for ever."""
    client.request()
    client.send(CHUNKED, b"5;")
    while True:
        client.send(b"e" * 65536)


def chunk_without_its_end(client: Client) -> None:
    """A chunk that is longer than its size says."""
    client.request()
    client.send(CHUNKED, b"5\r\n", FIRST, b"\r\n")
    client.wait_until_left()


def two_lengths(client: Client) -> None:
    """Two Content-Lengths that differ, an attack's mark."""
    client.request()
    body = b"".join(lines())
    client.send(head(f"Content-Length: {len(body)}", "Content-Length: 5"), body)
    client.wait_until_left()


def length_of_no_number(client: Client) -> None:
    client.request()
    client.send(head("Content-Length: +5_0"), b"".join(lines()))
    client.wait_until_left()


def bad_json_in_last_line(client: Client) -> None:
    client.request()
    client.send(chunked([FIRST, LAST.replace(b'"done":true', b'"done":true,,')]))


def invalid_utf8_in_first_line(client: Client) -> None:
    client.request()
    client.send(chunked([FIRST.replace(b"word0", b"\xe4\xbd"), LAST]))


def invalid_utf8_in_last_line(client: Client) -> None:
    client.request()
    client.send(chunked([FIRST, LAST.replace(b"stop", b"\xff\xfe")]))


def html_under_200(client: Client) -> None:
    client.request()
    client.send(sized(b"<html>\n<body>a login page</body>\n</html>\n"))


def json_that_is_no_object(client: Client) -> None:
    client.request()
    client.send(chunked([FIRST, b'["done",true]\n']))


def endless_line(client: Client) -> None:
    """A line of JSON that never ends."""
    client.request()
    client.send(CHUNKED, chunk(FIRST), chunk(b'{"response":"'))
    while True:
        client.send(chunk(b"l" * 65536))


# Its framing can be read in two ways, or it says too much.


def length_too_short(client: Client) -> None:
    """The last line is cut by Content-Length, its end comes after the answer."""
    client.request()
    body = b"".join(lines())
    client.send(sized(body, length=len(body) - 20))


def length_and_chunked(client: Client) -> None:
    """Both; RFC 9112 gives Transfer-Encoding the word."""
    client.request()
    client.send(head("Content-Length: 7", "Transfer-Encoding: chunked"))
    client.send(GOOD.removeprefix(CHUNKED))


def done_twice(client: Client) -> None:
    client.request()
    client.send(chunked([*lines(), LAST]))


def more_after_the_end(client: Client) -> None:
    """A good answer with bytes behind it that belong to none: the connection is spoilt."""
    client.request()
    client.send(GOOD, b"HTTP/1.1 500 Of Nobody\r\nContent-Length: 0\r\n\r\n")
