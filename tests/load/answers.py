"""Answers of an Ollama as bytes on the wire, valid ones: by hand and generated from a seed."""

from __future__ import annotations

import json
import random
from typing import NamedTuple

OLLAMA = {"model": "tiny", "created_at": "2026-01-01T00:00:00.000000000Z"}
SUMS = {
    "total_duration": 5_000_000,
    "load_duration": 1_000_000,
    "prompt_eval_count": 3,
    "prompt_eval_duration": 1_000_000,
    "eval_count": 4,
    "eval_duration": 2_000_000,
}


def line(**fields: object) -> bytes:
    """One line of a stream, as Ollama writes it."""
    said = json.dumps({**OLLAMA, **fields}, separators=(",", ":"), ensure_ascii=False)
    return said.encode() + b"\n"


def lines(words: int = 4) -> list[bytes]:
    """A whole stream: `words` lines with a word each, then the last one with its figures."""
    told = [line(response=f"word{index} ", done=False) for index in range(words)]
    return [*told, line(response="", done=True, done_reason="stop", **SUMS)]


def head(*headers: str, status: str = "200 OK", version: str = "1.1") -> bytes:
    """A status line, these headers, and the empty line."""
    return "\r\n".join([f"HTTP/{version} {status}", *headers, "", ""]).encode("latin-1")


def chunk(data: bytes, extension: str = "") -> bytes:
    """`data` as one HTTP chunk."""
    return f"{len(data):x}{extension}\r\n".encode() + data + b"\r\n"


CHUNKED = head("Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
END = b"0\r\n\r\n"


def chunked(pieces: list[bytes]) -> bytes:
    """A chunked answer with one chunk for each piece, as Ollama streams its lines."""
    return CHUNKED + b"".join(chunk(piece) for piece in pieces) + END


def sized(body: bytes, *, length: int | None = None, status: str = "200 OK") -> bytes:
    """An answer with Content-Length, the body's own unless told otherwise."""
    return head(f"Content-Length: {len(body) if length is None else length}", status=status) + body


class Generated(NamedTuple):
    """An answer and what a reader must make of it."""

    wire: bytes
    body: bytes
    ends_by_close: bool


def generated(chance: random.Random) -> Generated:
    """A valid answer: any framing, chunk sizes, extensions, trailers, odd but legal headers."""
    told = [line(response=_text(chance), done=False) for _ in range(chance.randrange(6))]
    body = b"".join([*told, line(response="", done=True, **SUMS)])
    before = head("Link: </style.css>", status="100 Continue") * chance.choice((0, 0, 0, 1, 3))
    odd = [
        "Content-Type: application/x-ndjson",
        "X-Empty:",
        "x-lower: a: b",
        "X-Spaces:   \t padded \t ",
        f"X-Long: {'l' * chance.randrange(300)}",
    ]
    headers = chance.sample(odd, chance.randrange(len(odd)))
    framing = chance.choice(("chunked", "chunked", "length", "close"))
    version = "1.1"
    if framing == "chunked":
        headers.append(chance.choice(("Transfer-Encoding: chunked", "transfer-encoding:Chunked")))
    elif framing == "length":
        headers.append(chance.choice(("Content-Length: ", "content-length:")) + str(len(body)))
    else:
        version = chance.choice(("1.0", "1.1"))
    chance.shuffle(headers)
    status = chance.choice(("200 OK", "200 OK", "200 ", "201 Created", "404 Not Found"))
    sent = before + head(*headers, status=status, version=version)
    sent += _in_chunks(chance, body) if framing == "chunked" else body
    return Generated(sent, body, framing == "close")


def _text(chance: random.Random) -> str:
    alphabet = ("a", " ", "é", "你", "}", "{", "\n", "\r\n", '"', "\\", "0\r\n\r\n", '"done":true')
    return "".join(chance.choices(alphabet, k=chance.randrange(12)))


def _in_chunks(chance: random.Random, body: bytes) -> bytes:
    """The body in chunks of its lines, or of any sizes at all: the two have no need to agree."""
    if chance.random() < 0.5:
        pieces = body.splitlines(keepends=True)
    else:
        pieces, rest = [], body
        while rest:
            size = min(len(rest), chance.choice((1, 2, 7, 15, 16, 17, 255, 256, 4096)))
            pieces.append(rest[:size])
            rest = rest[size:]
    extensions = ("", "", "", ";a=b", ' ; name="quoted; text"', ";}")
    sent = b"".join(_written(chance, piece, chance.choice(extensions)) for piece in pieces)
    trailers = chance.choice(("", "", "", "X-Sum: 1\r\n", "A: b\r\nC:\r\n"))
    return sent + b"0" * chance.choice((1, 1, 1, 3)) + b"\r\n" + trailers.encode() + b"\r\n"


def _written(chance: random.Random, piece: bytes, extension: str) -> bytes:
    size = chance.choice((f"{len(piece):x}", f"{len(piece):X}", f"{len(piece):06x}"))
    return f"{size}{extension}\r\n".encode() + piece + b"\r\n"
