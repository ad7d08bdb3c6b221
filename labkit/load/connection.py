"""One connection and the request it carries: its socket, its reader, its times."""

from __future__ import annotations

import errno
import os
import socket
import sys

from labkit.load.bounds import Bounded
from labkit.load.events import Events
from labkit.load.wire import Reader

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from labkit.load.targets import Address

    Gaps = tuple[int, int, int, tuple[int, int]]  # what Bounded.between takes

# <asm-generic/socket.h>; Python's socket module does not name it
SO_TIMESTAMPNS = 35
CLOSED, CONNECTING, SENDING, READING, IDLE = range(5)


class Connection:
    """Times are nanoseconds of CLOCK_MONOTONIC.

    When a line came is known to the nanosecond if it was the last of its read, whose stamp that is.
    Else it came after the socket was seen empty and not after the stamp: Linux keeps the last stamp
    of what waits to be read, and no other.
    """

    __slots__ = (
        "address answered before begun chunks emptied events feed first first_low handed held "
        "last last_exact last_seen lump reader receive request rests_until reused sent slack "
        "socket start state steady together unread unsent"
    ).split()

    request: bytes
    unsent: bytes  # of the request: what the kernel has not taken yet

    def __init__(self, reader: Reader, events: Events | None = None) -> None:
        self.reader = reader
        self.events = events  # of an answer in OpenAI's dialect
        self.feed = reader.feed
        self.state = CLOSED
        self.reused = False  # has an answer come on this connection before?
        self.answered = False  # and has one that counts?
        # when it was begun, was due, when sending began, and when the kernel had all of it
        self.begun = self.start = self.sent = self.handed = 0
        self.rests_until = 0  # it could not connect: not before this
        self.begin()

    def begin(self) -> None:
        """Forget the last answer."""
        self.reader.reset()
        if self.events:
            self.events.reset()
        self.first = self.first_low = 0  # the ends of when the first line with content came
        self.last = self.last_seen = 0  # and of the latest line
        self.last_exact = False  # then both are `last`, which the engine's own loop moves on
        self.before = (0, 0)  # and of the one before that, when its gap is held
        self.held: Gaps | None = None  # its gap, counted when a line after it shows that it counts
        self.lump: Gaps | None = None  # gaps within the first read, counted unless it was a burst
        self.slack = 0  # how far apart the ends of `first` are, until a gap is counted
        self.steady = False  # will a regular chunk be one more line and one more gap, both exact?
        self.chunks = 0
        self.together = 0  # of them, in the first read
        self.emptied = 0  # then, or later, a read emptied the socket
        self.unread = 0  # a full read left some: it came after this

    @property
    def last_low(self) -> int:
        """The latest line did not come before this."""
        return self.last if self.last_exact else self.last_seen

    def took(
        self, lines: int, stamp: int, since: int, gaps: Bounded, *, exact: bool, more: bool
    ) -> None:
        """Count lines that came in one read, after `since` and not after `stamp`.

        `exact`: the last of them came at `stamp`. `more`: its text announces a next line.
        """
        if lines == 1 and exact and not self.first:  # as nearly all first reads are
            self.first = self.first_low = self.last = stamp
            self.last_exact, self.chunks, self.together = True, 1, 1
            self.steady = more and self.reader.regular
            return
        if lines > 1 and self.steady and exact and more:  # as nearly all are that hold several
            self._several(lines, stamp, since, gaps)
            return
        low = min(stamp, max(since, self.last_low or self.sent))
        last_low = stamp if exact else low
        self.count_held(gaps)
        slack, self.slack = self.slack, 0
        if self.first:
            self._gap_before(lines, stamp, low if lines > 1 else last_low, slack, gaps, more)
            slack = 0
        else:
            self.first, self.first_low = stamp, low if lines > 1 else last_low
            self.together = lines
            slack = stamp - self.first_low
            if lines == 1:
                self.slack = slack
        if lines > 1:
            self._gaps_within(lines, stamp, low, last_low, slack, gaps, more)
        self.last, self.last_seen, self.last_exact = stamp, last_low, exact
        self.chunks += lines
        self.steady = more and exact and self.reader.regular

    # The sums of gaps telescope: to the last chunk from the first, whatever was between them. What
    # a read adds to their low end is by how much that of the last chunk moved, to the high end
    # alike, and once the width of the first one's.

    def _several(self, lines: int, stamp: int, since: int, gaps: Bounded) -> None:
        """More regular lines after one that is known exactly: the two methods below, as one."""
        last = self.last
        low = min(stamp, max(since, last))
        wide, others = stamp - low, lines - 1
        lows, highs = gaps.lows, gaps.highs
        lows.record(low - last)
        lows.repeat(0, others)
        lows.total += wide
        highs.record(stamp - last)
        highs.repeat(wide, others)
        highs.total -= wide * others
        self.last = stamp
        self.chunks += lines
        self.steady = self.reader.regular

    def _gap_before(
        self, lines: int, stamp: int, low: int, slack: int, gaps: Bounded, more: bool
    ) -> None:
        """The gap from the last read to this one's first line, which came between low and stamp."""
        last_low, last = self.last_low, self.last
        if more and low == stamp and last_low == last:
            gaps.record(stamp - last)
            return
        gap = (low - last, stamp - last_low, 1, (low - last_low - slack, stamp - last + slack))
        if more or lines > 1:
            gaps.between(*gap)
        else:
            self.held, self.before = gap, (last_low, last)

    def _gaps_within(
        self, lines: int, stamp: int, low: int, last_low: int, slack: int, gaps: Bounded, more: bool
    ) -> None:
        """Those between the lines of one read: each can have been all of the time, or none."""
        wide, moved = stamp - low, last_low - low
        within: Gaps | None = None
        if more:
            within = (0, wide, lines - 1, (moved - slack, slack))
        elif lines == 2:
            self.held = (0, wide, 1, (moved - slack, slack))
        else:
            within = (0, wide, lines - 2, (-slack, slack))
            self.held = (0, wide, 1, (moved, 0))
        self.before = (low, stamp)
        if within and self.chunks:
            gaps.between(*within)
        elif within:
            self.lump = within

    def count_held(self, gaps: Bounded) -> None:
        """The latest line was a chunk."""
        if self.held:
            gaps.between(*self.held)
            self.held = None

    def count_lump(self, gaps: Bounded) -> None:
        """What came in the first read had not been held back."""
        if self.lump:
            gaps.between(*self.lump)
            self.lump = None

    def open(self, address: Address) -> int:
        """Begin to connect; 0, or the errno of what went wrong."""
        family, sockaddr = address
        self.address, self.reused, self.answered = address, False, False
        self.socket = sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            try:
                sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            except OSError as error:  # gVisor: reads without stamps say so in the verdict
                if error.errno not in (errno.ENOPROTOOPT, errno.EINVAL, errno.EOPNOTSUPP):
                    raise
        self.receive = sock.recvmsg
        code = sock.connect_ex(sockaddr)
        self.state = CONNECTING if code == errno.EINPROGRESS else IDLE
        return 0 if code == errno.EINPROGRESS else code

    def connected(self) -> str:
        """What kept it from connecting, or an empty text."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.state = IDLE
        return os.strerror(code) if code else ""

    def send(self) -> bool:
        """Hand the kernel what it takes of the request; is all of it gone? Raises OSError."""
        try:
            count = self.socket.send(self.unsent)
        except BlockingIOError:
            count = 0
        if count == len(self.unsent):
            self.state = READING
            return True
        self.unsent, self.state = self.unsent[count:], SENDING
        return False

    def close(self) -> None:
        """Close the socket; the next request opens another."""
        self.socket.close()
        self.state = CLOSED
