"""Mutates HTTP responses and checks what must hold for each, however it is cut; run by hand.

    python tests/load/fuzz.py --minutes 10 --seed 1

A response that reaches a line of labkit/load/wire.py or head.py in a new way is kept and mutated
further. `--corpus` writes the kept ones, each as short as was found, into
tests/load/corpus/kept.txt. A response that breaks an invariant is printed, and the exit code is 1:
with its cause put right it goes into corpus/broke.txt. tests/load/test_fuzz.py replays both.
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from labkit.load import head as response_head
from labkit.load import wire
from labkit.load.head import BadResponse
from tests.load.answers import CHUNKED, END, chunk, chunked, generated, head, lines, sized

READER = {wire.__file__, response_head.__file__}
Line = tuple[str, int]  # a file and the number of a line in it

CORPUS = Path(__file__).parent / "corpus"
KEPT = CORPUS / "kept.txt"
LONGEST = 6000  # bytes of a response worth keeping
SHORT = 200  # bytes of a response that is cut in two in every way
TOKENS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"0\r\n\r\n",
        b"0\r\n",
        b"}\n",
        wire.REGULAR,
        b" ",
        b"\t",
    ),
    *(b";", b":", b",", b"-", b"+", b"0", b"00", b"f" * 16, b"9" * 20, b"\x00", b"\xff", b"\xc3"),
    *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"100", b"101", b"204", b"304", b"200", b"099", b"{", b'"'),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(chunk(b"\n"), chunk(b"x"), chunk(lines(1)[0]), *lines(1), b'{"error":"x"}\n'),
    *(b"Transfer-Encoding: gzip\r\n", b"Connection: keep-alive\r\n", head(status="100 Continue")),
)


class Verdict(NamedTuple):
    """What a reader made of a response."""

    refused: bool
    status: int
    count: int
    last_line: bytes
    complete: bool
    keep_alive: bool


class Seeing(wire.Reader):
    """Notes what the fast path's rule leaves out: a line and an empty one inside a chunk."""

    __slots__ = ("misled",)

    def _body(self, piece: bytes) -> int:
        self.misled = self.misled or wire.REGULAR in piece
        return super()._body(piece)


class Broken(AssertionError):
    """An invariant does not hold for a response."""


def seeds(chance: random.Random) -> list[bytes]:
    """Valid responses to begin with, the common ones and generated ones."""
    body = b"".join(lines())
    common = [
        chunked(lines()),
        chunked(lines()) * 2,
        sized(body),
        head(version="1.0") + body,
        head("Transfer-Encoding: chunked", status="100 Continue") + chunked(lines(2)),
        CHUNKED + chunk(body, ";a=b") + b"0\r\nX-Sum: 1\r\n\r\n",
        CHUNKED + chunk(b"\r\n".join(lines())) + END,
        sized(b"", status="204 No Content"),
    ]
    return common + [generated(chance).wire for _ in range(40)]


def mutated(chance: random.Random, pool: list[bytes]) -> bytes:
    """One of the pool, with one to four changes."""
    data = bytearray(chance.choice(pool))
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 1, 2, 8, 40, 200)))
        match chance.randrange(7):
            case 0:
                data[at:at] = chance.choice(TOKENS)
            case 1:
                data[at:end] = chance.choice(TOKENS)
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end] * chance.choice((1, 1, 2, 8))
            case 4 if at < len(data):
                data[at] = chance.randrange(256)
            case 5:
                other = chance.choice(pool)
                data[at:] = other[chance.randrange(len(other) + 1) :]
            case _:
                del data[at:]
    return bytes(data[:LONGEST])


def built(chance: random.Random) -> bytes:
    """Chunks of whatever the fast path looks for, in any order: valid, and meant to mislead it."""
    parts = (wire.REGULAR, b'"done":false}\n', b"\n", b"\r\n", b"\r\n\n", b"x", b"0\r\n", b"{")
    pieces = [
        b"".join(chance.choices(parts, k=chance.randrange(1, 5)))
        for _ in range(chance.randrange(1, 8))
    ]
    return chunked([*lines(chance.randrange(2))[:1], *pieces, *chance.choice(([], lines(0)))])


def read(pieces: Iterable[bytes], *, skims: bool = False, heads: dict | None = None) -> Verdict:
    """Read as a run does, to the end of the connection; raises Broken for what holds too much."""
    reader = wire.Reader(content=(lambda _: True) if skims else None, heads=heads)
    count = received = 0
    refused = False
    try:
        for piece in pieces:
            received += len(piece)
            count += reader.feed(piece)
            held = len(reader.rest) + sum(map(len, reader.pending)) + sum(map(len, reader.lines))
            if held > received or len(reader.rest) > wire.MAX_HEAD:
                raise Broken(f"{held} bytes held of {received}")
        pending = bool(b"".join(reader.pending).strip()) and not reader.complete
        reader.eof()
        count += pending and reader.complete
    except BadResponse:
        refused = True
    if refused:
        return Verdict(True, 0, 0, b"", False, False)
    return Verdict(
        False, reader.status, count, reader.last_line.strip(), reader.complete, reader.keep_alive
    )


def check(response: bytes, chance: random.Random) -> Verdict:
    """The verdict on a response, the same for every cut; raises Broken."""
    expected = read([response])
    heads: dict = {}  # as in a run: it has been seen before
    ways = {"byte by byte": [response[at : at + 1] for at in range(len(response))]}
    ways["whole, its head seen before"] = [response]
    for at in range(len(response) if len(response) <= SHORT else 0):
        ways[f"cut at {at}"] = [response[:at], response[at:]]
    for _ in range(3):
        cuts = sorted(chance.choices(range(len(response) + 1), k=chance.randrange(1, 9)))
        ends = [*cuts, len(response)]
        parts = [response[at:end] for at, end in zip([0, *cuts], ends, strict=True)]
        ways[f"cut at {cuts}"] = parts
    for how, parts in ways.items():
        if (found := read(parts, heads=heads)) != expected:
            raise Broken(f"{how}: {found}, whole: {expected}")
    for how, parts in ways.items() if _suits_the_fast_path(response) else ():
        found = read(parts, skims=True, heads=heads)
        if expected.last_line.endswith(wire.REGULAR[:-3]):
            found = found._replace(last_line=expected.last_line)  # it keeps no line that goes on
        if found != expected:
            raise Broken(f"{how}, skimmed: {found}, strictly: {expected}")
    return expected


def _suits_the_fast_path(response: bytes) -> bool:
    """It trusts the sizes of chunks, and that no stream of JSON lines has an empty CR LF line."""
    reader = Seeing()
    reader.misled = False
    try:
        reader.feed(response)
    except BadResponse:
        return False
    return not reader.misled


def reached(response: bytes) -> frozenset[tuple[Line, Line]]:
    """Which line of the reader came after which, as an observer of the interpreter sees it."""
    arcs: set[tuple[Line, Line]] = set()
    last: Line = "", 0

    def trace(frame, event: str, _: object):
        nonlocal last
        if frame.f_code.co_filename not in READER:
            return None
        if event == "line":
            line = frame.f_code.co_filename, frame.f_lineno
            arcs.add((last, line))
            last = line
        return trace

    half = len(response) // 2
    heads: dict = {}
    sys.settrace(trace)
    try:
        for parts in ([response], [response[:half], response[half:]], [response]):
            read(parts, skims=True, heads=heads)
    finally:
        sys.settrace(None)
    return frozenset(arcs)


def kept(responses: Iterable[bytes]) -> list[bytes]:
    """The shortest of them that together reach all that all of them reach."""
    seen: set[tuple[Line, Line]] = set()
    chosen = []
    for response in sorted(set(responses), key=lambda each: (len(each), each)):
        new = reached(response) - seen
        if new:
            seen |= new
            chosen.append(response)
    return chosen


def corpus() -> list[bytes]:
    """The responses that are replayed, one a line, as Python writes bytes."""
    texts = [
        text for file in sorted(CORPUS.glob("*.txt")) for text in file.read_text().splitlines()
    ]
    return [ast.literal_eval(text) for text in texts if not text.startswith("#")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", action="store_true", help="write what is worth a replay")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    pool = [*seeds(chance), *corpus()]
    seen = set().union(*map(reached, pool))
    broken: dict[str, bytes] = {}
    verdicts = {"refused": 0, "complete": 0, "incomplete": 0}
    tried = 0
    deadline = time.monotonic() + options.minutes * 60
    while time.monotonic() < deadline and len(broken) < 20:
        response = built(chance) if chance.random() < 0.2 else mutated(chance, pool)
        tried += 1
        try:
            verdict = check(response, random.Random(tried))
        # whatever escapes from the reader is a finding, of any kind
        except Exception as error:
            broken.setdefault(f"{type(error).__name__}: {error}"[:60], response)
            print(f"{type(error).__name__}: {error}\n{response!r}", flush=True)
            continue
        verdicts[word(verdict)] += 1
        if chance.random() < 0.2 and (arcs := reached(response)) - seen:
            seen |= arcs
            pool.append(response)
    if options.corpus:
        header = "# Responses as Python writes bytes, found by tests/load/fuzz.py --corpus\n"
        KEPT.write_text(header + "".join(f"{each!r}\n" for each in kept(pool)))
    print(f"{tried} responses, {verdicts}; {len(seen)} arcs in the reader; seed {options.seed}")
    print(f"{len(broken)} kinds of broken invariants")
    return 1 if broken else 0


def word(verdict: Verdict) -> str:
    return "refused" if verdict.refused else "complete" if verdict.complete else "incomplete"


if __name__ == "__main__":
    sys.exit(main())
