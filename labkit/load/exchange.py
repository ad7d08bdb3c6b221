"""The exchanges of one run: a request, and its answer to the end, on connections that stay."""

from __future__ import annotations

import os
from collections import deque
from time import monotonic_ns

from labkit.load.answer import Answers
from labkit.load.connection import CLOSED, CONNECTING, IDLE, READING, SENDING, Connection
from labkit.load.events import Events
from labkit.load.head import Head
from labkit.load.nouns import count
from labkit.load.plan import Plan
from labkit.load.polling import READ, WRITE, poller
from labkit.load.result import Result
from labkit.load.targets import Targets, place
from labkit.load.varied import requests
from labkit.load.wire import Reader

TYPE_CHECKING = False  # typing's own would cost 5 ms of the start
if TYPE_CHECKING:
    from labkit.load.targets import Address

IDLE_CLOSE_NS = 100_000_000  # a close under way when a request was sent comes within a round trip
RETRY_NS = 50_000_000  # a client that cannot connect waits so long before its next try


class Exchanges:
    """Opens, sends, and says what became of it; `ended` are those whose next request may follow.

    They continue after a batch of reads, together: calls do not nest when a target refuses, and a
    server that waits is woken once, not for each.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = requests(plan)
        self.targets = Targets(plan)
        self.answers = Answers(plan)
        self.poller = poller()
        self.connections: dict[int, Connection] = {}  # by descriptor
        self.made = 0  # connections, open or not
        self.heads: dict[bytes, Head] = {}
        self.count_into(Result(plan))

    def count_into(self, result: Result) -> None:
        """Another phase begins: nothing is under way, connections stay."""
        self.result = result
        self.answers.count_into(result)
        for connection in self.connections.values():
            connection.answered = False
        self._know_addresses()
        self.ended: deque[Connection] = deque()
        self.in_flight = self.connecting = 0

    def look_again(self) -> None:
        """Now and then: does the target's name have other addresses?"""
        self.targets.ask_again()
        if self.targets.changed:
            self._know_addresses()

    def _know_addresses(self) -> None:
        """An address that gives no answer has its 0 in the result."""
        for address in self.targets.addresses:
            self.result.addresses.setdefault(place(address), 0)

    def close(self) -> None:
        """Close every descriptor."""
        for connection in self.connections.values():
            connection.close()
        self.poller.close()

    def connection(self) -> Connection:
        """A new one, not open yet."""
        self.made += 1
        answers = self.answers
        events = Events() if answers.openai else None
        reader = Reader(
            wants_lines=answers.ollama or events is not None,
            bodyless=self.plan.method == "HEAD",
            content=events.line if events else answers.content,
            each=events is not None,
            heads=self.heads,
        )
        return Connection(reader, events)

    def begin(self, connection: Connection, start: int) -> None:
        """Send a request; `start` is when it should have gone out, 0 for now."""
        self.result.started += 1
        self.in_flight += 1
        connection.begin()
        connection.request = next(self.requests)
        connection.start, connection.begun = start, monotonic_ns()
        moves = self.targets.changed and connection.state == IDLE
        if moves and self.targets.leave(connection.address):
            self._hang_up(connection)
        if connection.state == CLOSED:
            self._connect(connection)
        else:
            self._send(connection)

    def go_on(self, connection: Connection) -> None:
        """An event on a connection that does not read an answer."""
        if connection.state == CONNECTING:
            self.connecting -= 1
            saw = connection.connected()
            if saw:
                self.failed(connection, "connect", saw)
            else:
                self.poller.modify(connection.socket, READ)
                self._connected(connection)
        elif connection.state == SENDING:
            self._push(connection)
        elif connection.state == IDLE:
            self._hang_up(connection)  # closed, or sends what nobody asked for

    def failed(self, connection: Connection, kind: str, example: str) -> None:
        """No whole answer comes of this one."""
        if connection.state != CLOSED:
            _count(self.result.address_failures, connection.address)
            self._hang_up(connection)
        now = monotonic_ns()
        self.in_flight -= 1
        self.answers.failed(connection, kind, example, now)
        connection.rests_until = now + RETRY_NS if kind == "connect" else 0
        self.ended.append(connection)

    def broken(self, connection: Connection, error: OSError | None) -> None:
        """The peer closed or reset the connection, or the network did."""
        if connection.state == IDLE:
            self._hang_up(connection)
            return
        reader = connection.reader
        if error is None and connection.state == READING and reader.eof():
            # nothing stamps an end: it came after the last line, or after the request was sent
            self.whole(connection, monotonic_ns(), connection.last_low or connection.sent)
            return
        at_once = monotonic_ns() - connection.sent < IDLE_CLOSE_NS
        if connection.reused and not reader.started and at_once:
            # closed by the server while it was idle, as any server may: no answer is lost; one
            # that took the request and died later has failed
            self.result.reconnects += 1
            self._hang_up(connection)
            self._connect(connection)
            return
        how = "closed" if error is None else error.strerror or str(error)
        seen = (
            f"after {count(connection.chunks, 'chunk')}" if reader.started else "before any answer"
        )
        self.failed(connection, "stream_cut", f"{how} {seen}")

    def whole(self, connection: Connection, stamp: int, low: int) -> None:
        """The answer has come to its end, after `low` and not after `stamp`."""
        self.in_flight -= 1
        self.answers.ended(connection, stamp, low)
        self.result.connections += not connection.answered
        connection.answered = True
        _count(self.result.addresses, connection.address)
        # an answer that came before the whole request was sent: the rest of it would follow
        is_sent = connection.state == READING
        if is_sent and connection.reader.keep_alive and self.plan.keep_alive:
            connection.state, connection.reused = IDLE, True
        else:
            self._hang_up(connection)
        self.ended.append(connection)

    def time_out(self, limit: int) -> None:
        """Those that were begun before `limit` have failed."""
        for connection in [c for c in self.connections.values() if c.begun < limit]:
            if connection.state in (CONNECTING, SENDING, READING):
                self.failed(connection, "timeout", f"not whole after {self.plan.timeout_s:g} s")

    def _connect(self, connection: Connection) -> None:
        connection.sent = monotonic_ns()  # until it is sent: when connecting began
        address = self.targets.take()
        try:
            code = connection.open(address)
        except OSError as error:
            self.targets.release(address)
            self.failed(connection, "connect", error.strerror or str(error))
            return
        self.connections[connection.socket.fileno()] = connection
        if code:
            self.failed(connection, "connect", os.strerror(code))
        elif connection.state == CONNECTING:
            self.connecting += 1
            self.poller.register(connection.socket, WRITE)
        else:
            self.poller.register(connection.socket, READ)
            self._connected(connection)

    def _connected(self, connection: Connection) -> None:
        self.result.metrics["connect_ms"].record(monotonic_ns() - connection.sent)
        self._send(connection)

    def _send(self, connection: Connection) -> None:
        connection.unsent = connection.request
        connection.sent = monotonic_ns()
        if not connection.start:
            connection.start = connection.sent
        self._push(connection)

    def _push(self, connection: Connection) -> None:
        began = connection.state == IDLE
        connection.state = SENDING  # also when the first piece fails: its request is under way
        try:
            if connection.send():
                if not began:
                    self.poller.modify(connection.socket, READ)
            elif began:
                self.poller.modify(connection.socket, WRITE)
            connection.handed = monotonic_ns()
        except OSError as error:
            self.broken(connection, error)

    def _hang_up(self, connection: Connection) -> None:
        if connection.state == CONNECTING:
            self.connecting -= 1
        del self.connections[connection.socket.fileno()]
        connection.close()  # which also takes it out of the epoll set
        self.targets.release(connection.address)


def _count(counts: dict[str, int], address: Address) -> None:
    name = place(address)
    counts[name] = counts.get(name, 0) + 1
