"""Reads HTTP/1.1 responses from bytes that are cut anywhere: a strict parser and a fast path.

The strict parser knows chunked bodies (extensions, trailers), Content-Length, bodies that end with
the connection, 1xx and HTTP/1.0. The fast path counts what a streaming Ollama sends almost always:
whole chunks of one line each. What it does not recognise is passed to the strict parser.
"""

from __future__ import annotations

from collections.abc import Callable

from labkit.load.head import BadResponse, Head, parse_head
from labkit.load.json_line import is_error

MAX_HEAD = 64 * 1024
MAX_SIZE_LINE = 4096
MAX_LINE = 4 * 1024 * 1024
EXCERPT = 300

HEAD, SIZE, DATA, DATA_END, TRAILERS, LENGTH, UNTIL_CLOSE, COMPLETE = range(8)

# How every line of Ollama's answers ends but the last. JSON has no raw CR or LF inside a value, so
# a chunk of one such line has exactly three LFs: after its size, in it, and after it.
REGULAR = b'"done":false}\n\r\n'


class Reader:
    """One response after the other on one connection.

    `feed()` takes what was received and returns how many lines of the body it completed. After it:
    `complete` says that the response is whole, `last_line` is the last line that the strict parser
    saw (the fast path never takes a last one).

    `content` tells of each line whether it carries any of the answer (None: it is flawed) until one
    does; only from that one on lines are counted. With `each` it is asked of every line, and those
    are counted that do. Without `content` all are counted, and kept in `lines`.
    """

    __slots__ = (
        "bodyless complete content each error_line excerpt head heads keep_lines last_counts "
        "last_line line_bytes lines missing pending regular rest started state surplus wants_lines"
    ).split()

    def __init__(
        self,
        *,
        wants_lines: bool = True,
        bodyless: bool = False,
        content: Callable[[bytes], bool | None] | None = None,
        each: bool = False,
        heads: dict[bytes, Head] | None = None,
    ) -> None:
        self.wants_lines = wants_lines
        self.bodyless = bodyless  # answers to HEAD have a length and no body
        self.content, self.each = content, each
        # Heads repeat within a second (Date): readers of one run share what they have parsed.
        self.heads = {} if heads is None else heads
        self.reset()

    def reset(self) -> None:
        """Ready for the next response on the same connection."""
        self.state = HEAD
        self.head: Head | None = None
        self.rest = b""  # an incomplete head, size line or trailer
        self.pending: list[bytes] = []  # an incomplete line of the body
        self.line_bytes = 0  # its bytes
        self.missing = 0  # bytes until the end of the chunk or body
        self.lines: list[bytes] = []
        self.keep_lines = True  # no content yet: lines are looked at, not only counted
        self.regular = False  # may the next bytes take the fast path?
        self.last_line = b""
        self.last_counts = True  # does it carry any of the answer? Asked with `each` only
        self.error_line = b""  # one that says an error, else the first that `content` found flawed
        self.excerpt = b""
        self.started = False  # has any byte of this response come?
        self.complete = False
        self.surplus = False  # did bytes follow the end of the response?

    @property
    def status(self) -> int:
        """The HTTP status, 0 before the head is whole."""
        return self.head.status if self.head else 0

    @property
    def keep_alive(self) -> bool:
        """May the connection carry another request?"""
        return self.head is not None and self.complete and self.head.keep_alive and not self.surplus

    @property
    def until_close(self) -> bool:
        """Is the end of the body where the connection ends?"""
        return self.head is not None and not self.head.chunked and self.head.length is None

    @property
    def at_line_end(self) -> bool:
        """Was the last line that was counted also the last that came?"""
        if self.pending or self.rest or self.surplus or not self.last_counts:
            return False
        state = self.state
        if state == COMPLETE:  # behind the last chunk comes an empty one
            return self.head is not None and not self.head.chunked
        return HEAD < state != TRAILERS

    def feed(self, data: bytes) -> int:
        """Read what was received; the number of lines that ended in it."""
        if self.regular:
            if data.endswith(REGULAR):
                feeds = data.count(b"\n")
                if feeds == 3 or feeds == 3 * data.count(REGULAR):
                    return feeds // 3
            else:
                end = data.rfind(REGULAR) + len(REGULAR)
                if end > len(REGULAR):
                    count = data.count(REGULAR, 0, end)
                    if data.count(b"\n", 0, end) == 3 * count:
                        return count + self._strictly(data[end:])
        elif self.state == HEAD and not self.rest:
            whole = self._at_once(data)
            if whole is not None:
                return whole
        return self._strictly(data)

    def eof(self) -> bool:
        """The peer closed the connection: is the response whole now?"""
        if self.state == UNTIL_CLOSE:
            self._finish()
        return self.complete

    def _at_once(self, data: bytes) -> int | None:
        """A short answer in one read, with a head that was seen before; None: it is another."""
        end = data.find(b"\r\n\r\n")
        head = self.heads.get(data[:end]) if end > 0 else None
        if head is None or head.length != len(data) - end - 4 or head.status != 200:
            return None
        if self.bodyless or len(data) > MAX_LINE:
            return None
        self.head, self.state, self.started, self.complete = head, COMPLETE, True, True
        if not self.wants_lines:
            return 0
        line = data[end + 4 :].rstrip()
        if not line or b"\n" in line:
            return self._take(line.split(b"\n"))
        self.last_line = line
        return self._keep([line])

    def _strictly(self, data: bytes) -> int:
        count = self._parse(data)
        if not self.keep_lines:
            self.regular = self.state == SIZE and not self.rest and not self.pending
        return count

    def _parse(self, data: bytes) -> int:
        if not data:
            return 0
        self.started = True
        if self.complete:
            self.surplus = True
            return 0
        tried = self.state == SIZE and not self.rest and not self.keep_lines  # the fast path
        if self.rest:
            data, self.rest = self.rest + data, b""
        count, at, size = 0, 0, len(data)
        while at < size and not self.complete:
            state = self.state
            if state in (DATA, LENGTH):
                end = min(size, at + self.missing)
                self.missing -= end - at
                count += self._body(data[at:end])
                at = end
                if not self.missing:
                    if state == LENGTH:
                        count += self._finish()
                    else:
                        self.state = DATA_END
            elif state == SIZE and not (tried or self.keep_lines or self.pending):
                self.regular = True  # what follows begins with a chunk: it may take the fast path
                return count + self.feed(data[at:])
            elif state == SIZE:
                at = self._chunk_size(data, at)
            elif state == DATA_END:
                if size - at < 2:
                    self.rest, at = data[at:], size
                elif data[at : at + 2] != b"\r\n":
                    raise BadResponse("a chunk is longer than its size says")
                else:
                    self.state, at = SIZE, at + 2
            elif state == HEAD:
                at = self._read_head(data, at)
                if self.complete:
                    count += self._finish()
            elif state == UNTIL_CLOSE:
                count += self._body(data[at:])
                at = size
            else:
                at = self._trailer(data, at)
                if self.complete:
                    count += self._finish()
        if at < size:
            self.surplus = True
        return count

    def _read_head(self, data: bytes, at: int) -> int:
        end = _find(data, b"\r\n\r\n", at, MAX_HEAD, "head")
        if end < 0:
            if not b"HTTP/1."[: len(data) - at] == data[at : at + 7]:
                raise BadResponse(f"no HTTP/1.1 response: {data[at : at + 40]!r}")
            self.rest = data[at:]
            return len(data)
        raw = data[at:end]
        head = self.heads.get(raw)
        if head is None:
            head = parse_head(raw)
            if len(self.heads) >= 64:
                self.heads.clear()
            self.heads[raw] = head
        if head.status >= 200:  # 1xx announces the real head
            self.head = head
            if self.bodyless or head.length == 0:
                self.complete = True
            elif head.chunked:
                self.state = SIZE
            elif head.length is None:
                self.state = UNTIL_CLOSE
            else:
                self.state, self.missing = LENGTH, head.length
        return end + 4

    def _chunk_size(self, data: bytes, at: int) -> int:
        end = _find(data, b"\r\n", at, MAX_SIZE_LINE, "chunk size line")
        if end < 0:
            self.rest = data[at:]
            return len(data)
        digits = data[at:end].partition(b";")[0].rstrip(b" \t")
        wrong = not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF")
        if wrong or data.find(b"\n", at, end) >= 0:
            raise BadResponse(f"no chunk size: {data[at:end][:40]!r}")
        self.missing = int(digits, 16)
        self.state = DATA if self.missing else TRAILERS
        return end + 2

    def _trailer(self, data: bytes, at: int) -> int:
        end = _find(data, b"\r\n", at, MAX_HEAD, "trailer")
        if end < 0:
            self.rest = data[at:]
            return len(data)
        if end == at:
            self.complete = True
        elif data.find(b":", at, end) < 0 or data.find(b"\n", at, end) >= 0:
            raise BadResponse(f"no trailer: {data[at:end][:40]!r}")
        return end + 2

    def _body(self, piece: bytes) -> int:
        """Take a piece of the body; the number of lines that ended in it."""
        self._excerpt(piece)
        if not self.wants_lines:
            return 0
        self.pending.append(piece)
        self.line_bytes += len(piece)
        end = piece.rfind(b"\n")
        if end < 0:
            if len(self.pending) > 64:  # many small objects hold more than their bytes
                self.pending = [b"".join(self.pending)]
            longest, lines = self.line_bytes, []
        else:
            *lines, rest = b"".join(self.pending).split(b"\n")
            longest = max(map(len, lines)) if self.line_bytes > MAX_LINE else 0
            self.pending, self.line_bytes = [rest] if rest else [], len(rest)
        if max(longest, self.line_bytes) > MAX_LINE:
            raise BadResponse(f"a line longer than {MAX_LINE} bytes")
        return self._take(lines)

    def _excerpt(self, piece: bytes) -> None:
        if self.status >= 300 and len(self.excerpt) < EXCERPT:
            self.excerpt += piece[: EXCERPT - len(self.excerpt)]

    def _take(self, lines: list[bytes]) -> int:
        full = [line for line in lines if line.strip()]
        if full:
            self.last_line = full[-1]
            for line in full:
                if b'"error"' in line and is_error(line):
                    self.error_line = line
            if self.keep_lines:
                return self._keep(full)
        return len(full)

    def _keep(self, lines: list[bytes]) -> int:
        if self.content is None:
            self.lines += lines
            return len(lines)
        count = 0
        for index, line in enumerate(lines):
            verdict = self.content(line)
            self.last_counts = not self.each or bool(verdict)
            if verdict:
                if not self.each:
                    self.keep_lines = False
                    return len(lines) - index
                count += 1
            elif verdict is None:
                self.error_line = self.error_line or line
        return count

    def _finish(self) -> int:
        """The response is whole; a last line needs no LF."""
        self.state, self.complete = COMPLETE, True
        line, self.pending = b"".join(self.pending), []
        return self._take([line])


def _find(data: bytes, mark: bytes, at: int, most: int, what: str) -> int:
    """Where `mark` is, -1 before it came; raises BadResponse when that is too far, come or not."""
    end = data.find(mark, at)
    if (len(data) - len(mark) + 1 if end < 0 else end) - at > most:
        raise BadResponse(f"a {what} longer than {most} bytes")
    return end
