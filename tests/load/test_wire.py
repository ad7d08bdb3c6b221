"""labkit/load/wire.py and head.py against http.client and themselves, however a response is cut."""

import http.client
import io
import random
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

from labkit.load.head import BadResponse
from labkit.load.wire import Reader
from tests.load.answers import CHUNKED, END, chunk, chunked, generated, head, line, lines, sized

SEEDS = range(40)


class Read(NamedTuple):
    """What a reader made of a response."""

    status: int
    lines: list[bytes]
    complete: bool


class Counted(NamedTuple):
    """What is left of it on the fast path: no line but the last."""

    status: int
    count: int
    last_line: bytes
    complete: bool


def read(pieces: Iterable[bytes], *, closes: bool = False, heads: dict | None = None) -> Read:
    reader = Reader(heads=heads)
    count = sum(reader.feed(piece) for piece in pieces)
    if closes:
        before = len(reader.lines)
        reader.eof()
        count += len(reader.lines) - before
    assert count == len(reader.lines)
    return Read(reader.status, reader.lines, reader.complete)


def skimmed(pieces: Iterable[bytes], *, closes: bool = False, heads: dict | None = None) -> Counted:
    """Read as a run reads: lines are looked at until one has content, then only counted."""
    reader = Reader(content=lambda _: True, heads=heads)
    count = sum(reader.feed(piece) for piece in pieces)
    if closes:
        pending = bool(b"".join(reader.pending).strip())
        reader.eof()
        count += pending
    return Counted(reader.status, count, reader.last_line, reader.complete)


def by_http_client(wire: bytes) -> Read:
    class Socket:
        def makefile(self, mode: str) -> io.BytesIO:
            return io.BytesIO(wire)

    answer = http.client.HTTPResponse(Socket(), method="POST")
    answer.begin()
    body = answer.read()
    full = [each for each in body.split(b"\n") if each.strip()]
    return Read(answer.status, full, answer.isclosed())


def halves(wire: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The response in two pieces, in every way."""
    for at in range(1, len(wire)):
        yield wire[:at], wire[at:]


def pieces(wire: bytes, chance: random.Random) -> list[bytes]:
    """The response in pieces of random sizes."""
    cuts = sorted(chance.choices(range(1, len(wire)), k=chance.randrange(1, 12)))
    return [wire[at:end] for at, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]


def cuts(wire: bytes, chance: random.Random) -> Iterator[Iterable[bytes]]:
    """The response whole, byte by byte, in two pieces in every way, in pieces at random."""
    yield [wire]
    yield [wire[at : at + 1] for at in range(len(wire))]
    yield from halves(wire)
    for _ in range(20):
        yield pieces(wire, chance)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_response_is_read_as_http_client_reads_it_wherever_it_is_cut(seed):
    chance = random.Random(seed)
    wire, body, closes = generated(chance)
    expected = by_http_client(wire)
    assert expected.complete
    assert expected.lines == [each for each in body.split(b"\n") if each.strip()]
    assert read([wire], closes=closes) == expected
    heads: dict = {}  # as in a run: after the first response the head has been seen before
    for cut in cuts(wire, chance):
        assert read(cut, closes=closes, heads=heads) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_the_fast_path_counts_what_the_strict_one_reads(seed):
    chance = random.Random(seed)
    wire, _, closes = generated(chance)
    strict = read([wire], closes=closes)
    expected = Counted(strict.status, len(strict.lines), strict.lines[-1], True)
    heads: dict = {}
    for cut in cuts(wire, chance):
        assert skimmed(cut, closes=closes, heads=heads) == expected


def test_a_head_that_was_seen_before_and_is_cut_in_its_end_is_not_taken_for_a_whole_answer():
    """Its Content-Length is what a careless reader would take for the length of the rest."""
    top = head("Content-Length: 33").removesuffix(b"\r\n\r\n")
    wire = top + b"\r\n\r\n" + b"{" + b" " * 30 + b"}\n"
    assert len(top) - 2 == len(wire) - len(top) - 4 == 33
    heads: dict = {}
    for cut in [[wire], *halves(wire)]:
        assert read(cut, heads=heads) == Read(200, [wire[len(top) + 4 : -1]], True)


@pytest.mark.parametrize("parts", range(1, 12))
def test_a_line_in_several_chunks_is_one_line(parts):
    told = line(response="a word in several chunks", done=False)
    size = len(told) // parts + 1
    sent = b"".join(chunk(told[at : at + size]) for at in range(0, len(told), size))
    for repeat in (1, 2, 3):
        for behind in (b"", b"5", chunk(b"{")[:-2]):
            reader = Reader(content=lambda _: True)
            assert reader.feed(CHUNKED + chunk(told)) == 1
            assert reader.feed(sent * repeat + behind) == repeat
            assert not reader.complete


@pytest.mark.parametrize("seed", SEEDS)
def test_a_response_is_whole_with_its_last_byte_and_not_before(seed):
    wire, body, closes = generated(random.Random(seed))
    enough = len(wire) - len(body) if closes else len(wire)
    for size in range(len(wire) + 1):
        assert read([wire[:size]], closes=True).complete == (size >= enough), wire[:size]


class Counting(Reader):
    """Remembers what the fast path left to the strict one."""

    __slots__ = ("left",)

    def _strictly(self, data: bytes) -> int:
        self.left.append(data)
        return super()._strictly(data)


def left_to_the_strict_path(wire: Iterable[bytes]) -> list[bytes]:
    reader = Counting(content=lambda _: True)
    reader.left = []
    reader.feed(CHUNKED + chunk(line(response="first", done=False)))
    reader.left.clear()
    for piece in wire:
        reader.feed(piece)
    return reader.left


def test_chunks_of_one_line_each_take_the_fast_path():
    told = [chunk(each) for each in lines(5)]
    last = told.pop() + END
    assert left_to_the_strict_path(told) == []
    assert left_to_the_strict_path([b"".join(told)]) == []
    assert left_to_the_strict_path([b"".join(told) + last]) == [last]
    cut = [b"".join(told) + last[:9], last[9:]]
    assert left_to_the_strict_path(cut) == [last[:9], last[9:], END]


def test_after_a_chunk_in_two_reads_the_fast_path_is_taken_again():
    told = b"".join(chunk(each) for each in lines(5)[:-1])
    half = chunk(lines(1)[0])
    assert left_to_the_strict_path([half[:20], half[20:], told]) == [half[:20], half[20:]]


def test_a_read_that_begins_inside_a_chunk_takes_the_fast_path_behind_it(monkeypatch):
    """As all do of a server that writes faster than it is read."""
    parsed = []

    def seen(self, data: bytes, at: int, read=Reader._chunk_size) -> int:
        parsed.append(at)
        return read(self, data, at)

    monkeypatch.setattr(Reader, "_chunk_size", seen)
    told = b"".join(chunk(each) for each in lines(50)[:-1])
    reader = Reader(content=lambda _: True)
    assert reader.feed(CHUNKED + chunk(line(response="first", done=False)) + told[:20]) == 1
    parsed.clear()
    assert (reader.feed(told[20:]), parsed) == (50, [])


@pytest.mark.parametrize("behind", [b"", b"5", chunk(b"{")[:-2]])
def test_an_error_between_regular_lines_is_seen(behind):
    told, error = line(response="a", done=False), b'{"error":"x"}\n'
    reader = Reader(content=lambda _: True)
    assert reader.feed(CHUNKED + chunk(told)) == 1
    assert reader.feed(chunk(told) + chunk(error) + chunk(told) + behind) == 3
    assert reader.error_line == error.strip()


def test_lines_before_the_first_with_content_are_not_counted_and_errors_among_them_are_kept():
    empty, error, word = line(response=""), b'{"error":"x"}\n', line(response="a")
    verdicts = {empty.strip(): False, error.strip(): None, word.strip(): True}
    for parts in (
        [b"".join((empty, error, empty, word, empty))],
        [empty, error, empty, word, empty],
    ):
        reader = Reader(content=verdicts.get)
        reader.feed(CHUNKED)
        assert sum(reader.feed(chunk(part)) for part in parts) == 2
        assert reader.error_line == error.strip()
        assert reader.last_line == empty.strip()


def test_of_another_servers_answer_no_lines_are_counted_in_whatever_reads_it_comes():
    told = [chunk(each) for each in lines(3)]
    reader = Reader(wants_lines=False)
    assert [reader.feed(piece) for piece in (CHUNKED, *told, b"".join(told), END)] == [0] * 7
    assert reader.complete


def test_a_second_response_on_the_connection_is_read_like_the_first():
    first, second = chunked(lines(2)), sized(b"".join(lines(3)))
    reader = Reader()
    assert (reader.feed(first), reader.keep_alive) == (3, True)
    reader.reset()
    assert not reader.started
    assert (reader.feed(second), reader.keep_alive) == (4, True)


@pytest.mark.parametrize("extra", [b"H", b"\r\n", chunked(lines())])
def test_bytes_behind_a_response_spoil_the_connection_wherever_they_are_cut(extra):
    wire = chunked(lines()) + extra
    for cut in halves(wire):
        reader = Reader()
        for piece in cut:
            reader.feed(piece)
        assert (reader.complete, reader.keep_alive) == (True, False)


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no HTTP/1.1 response: b'S"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "no HTTP/1.1 "),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "no HTTP/1.1 status line"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "no HTTP/1.1 status line"),
        (b"HTTP/1.1 099 Low\r\n\r\n", "no HTTP/1.1 status line"),
        (head("no colon"), "no header: b'no colon'"),
        (head("Space : before"), "no header: b'Space : before'"),
        (head(": no name"), "no header: b': no name'"),
        (head("Bare: line\nContent-Length: 5"), "no header: b'Bare: line"),
        (head("Content-Length: 5", "Content-Length: 6"), "no content length: b'5, 6'"),
        (head("Content-Length: -5"), "no content length: b'-5'"),
        (head("Content-Length: +5"), "no content length"),
        (head("Content-Length: 0x5"), "no content length"),
        (head("Content-Length: 1_0"), "no content length"),
        (head("Content-Length:"), "no content length"),
        (head("Content-Length: " + "9" * 30), "no content length"),
        (head("Transfer-Encoding: gzip, chunked"), "an unknown transfer coding: b'gzip, chunked'"),
        (head(status="101 Switching Protocols"), "switched protocols"),
        (CHUNKED + b"zz\r\n", "no chunk size: b'zz'"),
        (CHUNKED + b"-5\r\n", "no chunk size: b'-5'"),
        (CHUNKED + b"0x5\r\n", "no chunk size: b'0x5'"),
        (CHUNKED + b"\r\n", "no chunk size: b''"),
        (CHUNKED + b";a\r\n", "no chunk size: b';a'"),
        (CHUNKED + b"5;a\nb\r\n", "no chunk size: b'5;a"),
        (CHUNKED + b" 5\r\n", "no chunk size: b' 5'"),
        (CHUNKED + b"f" * 20 + b"\r\n", "no chunk size"),
        (CHUNKED + b"1\r\nab\r\n", "a chunk is longer than its size says"),
        (CHUNKED + b"0\r\nno colon\r\n\r\n", "no trailer: b'no colon'"),
        (CHUNKED + b"0\r\nbare: line\nfeed\r\n\r\n", "no trailer: b'bare: line"),
    ],
    ids=repr,
)
def test_what_is_no_response_is_refused_in_words_wherever_it_is_cut(wire, said):
    for cut in [(wire,), *halves(wire), [wire[at : at + 1] for at in range(len(wire))]]:
        reader = Reader()
        with pytest.raises(BadResponse) as refused:
            for piece in cut:
                reader.feed(piece)
        assert said in str(refused.value)


@pytest.mark.parametrize(
    ("before", "again", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n", "a head longer than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"long", "a head longer than 65536 bytes"),
        (CHUNKED + b"5;", b"extension", "a chunk size line longer than 4096 bytes"),
        (CHUNKED + b"0\r\n", b"t", "a trailer longer than 65536 bytes"),
    ],
    ids=["headers", "header", "extension", "trailer"],
)
@pytest.mark.parametrize("size", [10, 4096, 262144])
def test_what_never_ends_is_refused_at_its_bound(before, again, said, size):
    reader = Reader()
    reader.feed(before)
    piece = again * (size // len(again) + 1)
    with pytest.raises(BadResponse, match=said):
        for _ in range(70_000 // size + 2):
            reader.feed(piece)


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (head("X: " + "l" * 70_000, "Content-Length: 0"), "a head longer than 65536 bytes"),
        (CHUNKED + b"0;" + b"e" * 5000 + b"\r\n\r\n", "a chunk size line longer than 4096 bytes"),
        (CHUNKED + b"0\r\nX: " + b"l" * 70_000 + b"\r\n\r\n", "a trailer longer than 65536"),
        (CHUNKED + chunk(b"l" * 17_000_000 + b"\n") + END, "a line longer than"),
    ],
    ids=["head", "extension", "trailer", "line"],
)
def test_a_bound_holds_for_what_comes_in_one_piece_too(wire, said):
    with pytest.raises(BadResponse, match=said):
        Reader().feed(wire)


def test_a_folded_header_is_read_as_one():
    wire = head("X-Folded: one", " two", "\tthree", "Content-Length: 0")
    assert read([wire]).complete


def test_a_line_that_never_ends_is_refused_at_its_bound():
    reader = Reader()
    reader.feed(CHUNKED)
    piece = chunk(b"l" * 65536)
    with pytest.raises(BadResponse, match=r"a line longer than \d+ bytes"):
        for _ in range(400):
            reader.feed(piece)
