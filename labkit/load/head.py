"""Heads of HTTP/1.1 responses: status line and headers, as far as reading a body needs them."""

from __future__ import annotations


class BadResponse(ValueError):
    """The peer sent what is not an HTTP/1.1 response, or one beyond the bounds of this reader."""


class Head:
    """The head of one response, as far as reading its body needs it."""

    __slots__ = ("chunked", "keep_alive", "length", "status")

    def __init__(self, status: int, chunked: bool, length: int | None, keep_alive: bool) -> None:
        self.status = status
        self.chunked = chunked
        self.length = length  # None: until the peer closes, when not chunked
        self.keep_alive = keep_alive


def parse_head(raw: bytes) -> Head:
    r"""The head without its empty line; raises BadResponse.

    >>> parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5").length
    5
    """
    # Folded lines: RFC 9112 5.2 wants a client to put a space for the fold and go on.
    first, *fields = raw.replace(b"\r\n ", b"  ").replace(b"\r\n\t", b"  ").split(b"\r\n")
    version, _, code = first.partition(b" ")
    code = code[:3] if code[3:4] in (b"", b" ") else b""
    known = version in (b"HTTP/1.1", b"HTTP/1.0")
    if not known or len(code) != 3 or not code.isdigit() or code < b"100":
        raise BadResponse(f"no HTTP/1.1 status line: {first[:40]!r}")
    status = int(code)
    if status == 101:
        raise BadResponse("the server switched protocols (101)")
    lengths, coding, connection = set(), b"", b""
    for field in fields:
        name, colon, value = field.partition(b":")
        # a space before the colon and bare LFs are how requests are smuggled
        if not colon or not name or name.strip() != name or b"\n" in field or b"\r" in field:
            raise BadResponse(f"no header: {field[:40]!r}")
        name, value = name.lower(), value.strip().lower()
        if name == b"content-length":
            lengths |= {part.strip() for part in value.split(b",")}
        elif name == b"transfer-encoding":
            coding += b"," + value
        elif name == b"connection":
            connection += b"," + value
    chunked = coding == b",chunked"
    if coding and not chunked:
        raise BadResponse(f"an unknown transfer coding: {coding[1:40]!r}")
    if len(lengths) > 1 or not all(text.isdigit() and len(text) < 19 for text in lengths):
        raise BadResponse(f"no content length: {b', '.join(sorted(lengths))[:40]!r}")
    options = {option.strip() for option in connection.split(b",")}
    keep_alive = b"close" not in options if version == b"HTTP/1.1" else b"keep-alive" in options
    if status < 200 or status in (204, 304):
        return Head(status, False, 0, keep_alive)
    if chunked:
        # A length beside chunks: RFC 9112 6.3 wants the chunks read and the connection closed.
        return Head(status, True, None, keep_alive and not lengths)
    if lengths:
        return Head(status, False, int(lengths.pop()), keep_alive)
    return Head(status, False, None, False)
