"""One connection and the request it carries: its socket, its reader, its times."""

from __future__ import annotations

import errno
import os
import socket
import sys

from labkit.load.events import Events
from labkit.load.histogram import Histogram
from labkit.load.wire import Reader

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from labkit.load.targets import Address

# <asm-generic/socket.h>; Python's socket module does not name it
SO_TIMESTAMPNS = 35
CLOSED, CONNECTING, SENDING, READING, IDLE = range(5)


class Connection:
    """Times are nanoseconds of CLOCK_MONOTONIC."""

    __slots__ = (
        "address answered begun chunks events feed first held last reader receive request "
        "rests_until reused sent socket start state steady together unsent"
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
        self.begun = self.start = self.sent = 0  # when it was begun, was due, and was sent
        self.rests_until = 0  # it could not connect: not before this
        self.begin()

    def begin(self) -> None:
        """Forget the last answer."""
        self.reader.reset()
        if self.events:
            self.events.reset()
        self.first = 0  # when the first line with content came
        self.last = 0  # when the latest line came
        self.held: int | None = None  # its gap, counted when a line after it shows that it counts
        self.steady = False  # will a regular chunk be one more line and one more gap?
        self.chunks = 0
        self.together = 0  # of them, in the first read: nobody saw when the first of them came

    def took(self, lines: int, stamp: int, regular: bool, gaps: Histogram) -> None:
        """Count lines that came in one read; `regular`: the last of them says that more follow."""
        if not self.first:
            self.first = self.last = stamp
            self.chunks = self.together = lines
        else:
            if self.held is not None:
                gaps.record(self.held)
            gap = (stamp - self.last) // lines  # one stamp for all: they are taken to come evenly
            if lines > 1:
                gaps.repeat(gap, lines - 1)
            self.held, self.last = gap, stamp
            self.chunks += lines
        if regular and self.held is not None:
            gaps.record(self.held)
            self.held = None
        self.steady = regular and self.reader.regular

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
