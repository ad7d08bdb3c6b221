"""Runs one plan: one epoll loop that connects, sends, reads and counts."""

from __future__ import annotations

import os
import time
from collections import deque, namedtuple
from collections.abc import Callable
from heapq import heappop, heappush
from struct import Struct
from time import monotonic_ns

from labkit.load import descriptors, trust
from labkit.load.answer import Answers, parsed
from labkit.load.clock import Clock
from labkit.load.connection import CLOSED, CONNECTING, IDLE, READING, SENDING, Connection
from labkit.load.interrupts import interrupts
from labkit.load.nap import LONGEST_NS, Nap
from labkit.load.plan import Plan
from labkit.load.polling import READ, WRITE, poller
from labkit.load.request import encode, speaks_ollama
from labkit.load.result import Result
from labkit.load.schedule import arrivals
from labkit.load.targets import Targets
from labkit.load.wire import EXCERPT, REGULAR, BadResponse, Reader

ROOM = 64 * 1024  # of one read; more would have malloc map pages for each
TICK_NS = 50_000_000  # time-outs, clock steps, folding and the nap are looked at so often
# Connecting takes 0.1 ms: a thousand in one go would leave the first answers unread, and several
# lines in one read have one stamp.
START_AT_ONCE = 32
LATE_NS = 100_000_000  # later than this, or early: was the clock set?
IDLE_CLOSE_NS = 100_000_000  # a close under way when a request was sent comes within a round trip
RETRY_NS = 50_000_000  # a client that cannot connect waits so long before its next try

# What a watcher sees while the run goes on; the quantiles are None before the first value.
Progress = namedtuple(
    "Progress",
    "elapsed_s in_flight succeeded failed chunks tokens ttft_p50_ms ttft_p95_ms",
)
_timespec = Struct("qq").unpack_from


def run(
    plan: Plan,
    on_progress: Callable[[Progress], None] | None = None,
    every_s: float = 0.25,
    *,
    on_end: Callable[[Connection, int, str], None] | None = None,
    start_at: float | None = None,
) -> Result:
    """Run the plan; Ctrl-C gives the partial result, `interrupted`.

    `on_end` sees each request that ended: connection, when (ns), kind of failure or "".
    `start_at` is when to send the first one, in seconds since 1970. Raises LoadError.
    """
    descriptors.ensure(plan.clients)
    engine = Engine(plan, on_progress, every_s)
    try:
        with interrupts(engine), descriptors.punctual():
            if plan.warmup:
                engine.phase(plan.replace(requests=plan.warmup, seconds=None, rate=None))
            engine.answers.on_end = on_end  # of what counts
            while start_at and time.time() < start_at and not engine.interrupted:
                time.sleep(min(0.05, max(0.0, start_at - time.time())))
            return engine.phase(plan)
    finally:
        engine.close()


class Engine:
    """The connections of one run and the loop over them."""

    def __init__(self, plan: Plan, on_progress, every_s: float) -> None:
        self.plan = plan
        self.on_progress, self.every_ns = on_progress, int(every_s * 1e9)
        self.request = encode(plan)
        self.targets = Targets(plan)
        self.ollama = speaks_ollama(plan)
        self.answers = Answers(plan)
        self.interrupted = False
        self.made = 0  # connections, open or not
        self.poller = poller()
        self.connections: dict[int, Connection] = {}  # by descriptor
        self.heads: dict = {}
        self.prepare(plan)

    def prepare(self, plan: Plan) -> None:
        """Nothing sent, nothing counted; connections stay."""
        self.phase_plan = plan
        self.result = Result(self.plan)
        self.answers.count_into(self.result)
        self.free = deque(c for c in self.connections.values() if c.state == IDLE)
        # Their request ended. The next ones go out together after a batch of reads: calls do not
        # nest when a target refuses, and a server that waits is woken once, not for each.
        self.ready: deque[Connection] = deque()
        self.backlog: deque[int] = deque()  # open loop: arrivals for which no connection was free
        self.never_sent = 0  # of them, when time was over
        self.waiting: list[tuple] = []  # closed loop: (until, …, connection) of paused clients
        self.in_flight = self.connecting = 0
        self.clock, self.nap = Clock(), Nap()
        self.fresh = 0  # closed loop: clients that have not begun
        self.due: int | None = None  # open loop: the next arrival
        self.left = float("inf") if plan.requests is None else plan.requests
        self.cpu_start = time.process_time()
        self.origin = monotonic_ns()
        self.ends = float("inf") if plan.seconds is None else self.origin + plan.seconds * 1e9

    def phase(self, plan: Plan) -> Result:
        """Run one plan to its end on the connections that are there."""
        self.prepare(plan)
        self.result.started_at = time.time()
        self.next_tick, self.next_progress = self.origin + TICK_NS, self.origin
        if plan.rate:
            self.arrivals = arrivals(plan)
            self._next_arrival()
        else:
            self.fresh = int(min(plan.clients, self.left))
        self._loop()
        return self.stop()

    def stop(self) -> Result:
        """The result so far."""
        result = self.result
        result.interrupted = self.interrupted
        result.clock_steps = self.clock.steps
        result.duration_s = (monotonic_ns() - self.origin) / 1e9
        result.cpu_s = time.process_time() - self.cpu_start
        result.max_rss_bytes = descriptors.max_rss_bytes()
        result.unfinished = result.started - result.succeeded - result.failed
        trust.judge(result, late_arrivals=self.never_sent + len(self.backlog))
        return result

    def close(self) -> None:
        """Close every descriptor."""
        for connection in self.connections.values():
            connection.close()
        self.poller.close()

    # -- starting requests ------------------------------------------------------------------

    def _connection(self) -> Connection:
        self.made += 1
        reader = Reader(
            wants_lines=self.ollama,
            bodyless=self.plan.method == "HEAD",
            content=self.answers.content,
            heads=self.heads,
        )
        return Connection(self.request, reader)

    def _next_arrival(self) -> None:
        offset = next(self.arrivals, None)
        self.due = None if offset is None else self.origin + offset

    def _arrive(self, now: int) -> None:
        """Open loop: send what is due."""
        while self.due is not None and self.due <= now:
            self.backlog.append(self.due)
            self._next_arrival()
        for _ in range(min(START_AT_ONCE, len(self.backlog))):
            if now >= self.ends:
                self.never_sent += len(self.backlog)
                self.backlog.clear()
                return
            # each address gets a connection, as far as there are clients, and they take turns
            wanted = min(len(self.targets.addresses), self.plan.clients)
            if self.free and self.made >= wanted:
                connection = self.free.popleft()
            elif len(self.connections) < self.plan.clients:
                connection = self._connection()
            else:
                return
            self._start(connection, self.backlog.popleft())

    def _go_on(self, connection: Connection) -> None:
        """This client is free: its next request, if there is one."""
        now = monotonic_ns()
        if self.phase_plan.rate or self.left <= 0 or now >= self.ends:
            self.free.append(connection)
            return
        if self.plan.client_rate and connection.start:
            due = connection.start + int(1e9 / self.plan.client_rate)
            if due > now:
                self._pause(connection, due)
                return
        self.left -= 1
        self._start(connection, 0)

    def _pause(self, connection: Connection, until: int) -> None:
        heappush(self.waiting, (until, id(connection), connection))

    def _start(self, connection: Connection, start: int) -> None:
        """Send a request; `start` is when it should have gone out, 0 for now."""
        self.result.started += 1
        self.in_flight += 1
        connection.start, connection.begun = start, monotonic_ns()
        moves = self.targets.changed and connection.state == IDLE
        if moves and self.targets.leave(connection.address):
            self._hang_up(connection)
        if connection.state == CLOSED:
            self._connect(connection)
        else:
            self._send(connection)

    def _connect(self, connection: Connection) -> None:
        connection.sent = monotonic_ns()  # until it is sent: when connecting began
        address = self.targets.take()
        try:
            code = connection.open(address)
        except OSError as error:
            self.targets.release(address)
            self._failed(connection, "connect", error.strerror or str(error))
            return
        self.connections[connection.socket.fileno()] = connection
        if code:
            self._failed(connection, "connect", os.strerror(code))
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
        connection.begin()
        connection.reader.reset()
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
        except OSError as error:
            self._broken(connection, error)

    # -- ending requests --------------------------------------------------------------------

    def _hang_up(self, connection: Connection) -> None:
        if connection.state == CONNECTING:
            self.connecting -= 1
        del self.connections[connection.socket.fileno()]
        connection.close()  # which also takes it out of the epoll set
        self.targets.release(connection.address)

    def _failed(self, connection: Connection, kind: str, example: str) -> None:
        if connection.state != CLOSED:
            self._hang_up(connection)
        now = monotonic_ns()
        self.in_flight -= 1
        self.answers.failed(connection, kind, example, now)
        if kind == "connect" and not self.phase_plan.rate:
            self._pause(connection, now + RETRY_NS)
        else:
            self.ready.append(connection)

    def _broken(self, connection: Connection, error: OSError | None) -> None:
        """The peer closed or reset the connection, or the network did."""
        if connection.state == IDLE:
            self._hang_up(connection)
            return
        reader = connection.reader
        if error is None and connection.state == READING and reader.eof():
            self._ended(connection, monotonic_ns())
            return
        at_once = monotonic_ns() - connection.sent < IDLE_CLOSE_NS
        if connection.reused and not reader.started and at_once:
            # closed by the server while it was idle, as any server may: no answer is lost; one
            # that took the request and died later has failed
            self.result.reconnects += 1
            self._hang_up(connection)
            self._connect(connection)
            return
        if "error" in (parsed(reader.error_line) or ()):  # the server said why
            said = reader.error_line[:EXCERPT].decode(errors="replace")
            self._failed(connection, "in_band_error", said)
            return
        how = "closed" if error is None else error.strerror or str(error)
        seen = f"after {connection.chunks} chunks" if reader.started else "before any answer"
        self._failed(connection, "stream_cut", f"{how} {seen}")

    def _ended(self, connection: Connection, stamp: int) -> None:
        """The response is whole."""
        self.in_flight -= 1
        self.answers.ended(connection, stamp)
        # an answer that came before the whole request was sent: the rest of it would follow
        is_sent = connection.state == READING
        if is_sent and connection.reader.keep_alive and self.plan.keep_alive:
            connection.state, connection.reused = IDLE, True
        else:
            self._hang_up(connection)
        self.ready.append(connection)

    # -- the loop ---------------------------------------------------------------------------

    def _ready(self, connection: Connection) -> None:
        """An event on a connection that does not read an answer."""
        if connection.state == CONNECTING:
            self.connecting -= 1
            saw = connection.connected()
            if saw:
                self._failed(connection, "connect", saw)
            else:
                self.poller.modify(connection.socket, READ)
                self._connected(connection)
        elif connection.state == SENDING:
            self._push(connection)
        elif connection.state == IDLE:
            self._hang_up(connection)  # closed, or sends what nobody asked for

    def _loop(self) -> None:
        # Each line here is run for each chunk of each answer: names are local, calls are few.
        poll, get = self.poller.poll, self.connections.get
        result = self.result
        gaps, delay = result.metrics["gap_ms"], result.delay
        gap = gaps.record
        while self._goes_on():
            batch = poll(self._rest(), 1024)
            ahead = self.clock.ahead()  # the kernel stamps by the realtime clock
            realtime = monotonic_ns() + ahead
            earliest, latest = realtime - LATE_NS, realtime + LATE_NS
            oldest = latest
            reads = coalesced = unstamped = 0
            for descriptor, events in batch:
                connection = get(descriptor)
                if connection is None:
                    continue  # closed while this batch was worked on
                if connection.state != READING and not (
                    connection.state == SENDING and events & READ
                ):
                    self._ready(connection)
                    continue
                try:
                    receive = connection.receive
                    data, stamps, _, _ = receive(ROOM, 64)
                    if stamps:
                        seconds, nanoseconds = _timespec(stamps[0][2])
                        stamp = seconds * 1_000_000_000 + nanoseconds
                        if earliest < stamp < latest or self.clock.trusts(stamp):
                            if stamp < oldest:
                                oldest = stamp
                            stamp -= ahead
                        else:
                            unstamped += 1
                            stamp = monotonic_ns()
                    elif data:
                        unstamped += 1
                        stamp = monotonic_ns()
                    else:
                        self._broken(connection, None)
                        continue
                    reads += 1
                    if connection.steady and data.endswith(REGULAR) and data.count(b"\n") == 3:
                        # One chunk more, as nearly all are: what `feed` and the lines below would
                        # do with it, but calling costs as much as the work.
                        gap(stamp - connection.last)
                        connection.last = stamp
                        connection.chunks += 1
                        continue
                    feed = connection.feed
                    lines = feed(data)
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._broken(connection, error)
                    continue
                except BadResponse as error:
                    self._failed(connection, "bad_http", str(error))
                    continue
                if lines:
                    coalesced += lines > 1
                    connection.took(lines, stamp, data.endswith(REGULAR), gaps)
                if connection.reader.complete:
                    self._ended(connection, stamp)
            result.reads += reads
            result.coalesced_reads += coalesced
            result.unstamped_reads += unstamped
            if reads > unstamped:  # the longest of the batch stands for all: never less than it was
                delay.repeat(max(0, monotonic_ns() + ahead - oldest), reads - unstamped)
            for _ in range(min(START_AT_ONCE, len(self.ready))):
                self._go_on(self.ready.popleft())
            for _ in range(min(START_AT_ONCE, self.fresh)):
                self.fresh -= 1
                self._go_on(self.free.popleft() if self.free else self._connection())
            now = monotonic_ns()
            if self.due is not None or self.backlog:
                self._arrive(now)
            while self.waiting and self.waiting[0][0] <= now:
                self._go_on(heappop(self.waiting)[2])
            if now >= self.next_tick:
                self._tick(now)

    def _goes_on(self) -> bool:
        if self.interrupted:
            return False
        if self.in_flight or self.due is not None or self.fresh:
            return True
        if self.phase_plan.rate:
            return bool(self.backlog) and monotonic_ns() < self.ends
        pending = self.ready or (self.waiting and self.waiting[0][0] < self.ends)
        return bool(pending) and self.left > 0 and monotonic_ns() < self.ends

    def _rest(self) -> float:
        """Nap, or sleep until a request is due; how long the poll may wait then, in seconds."""
        if self.ready or self.fresh or (self.backlog and self.free):
            return 0
        due = self.waiting[0][0] if self.waiting else self.due
        exactly = due is not None
        left = (min(due, self.next_tick) if exactly else self.next_tick) - monotonic_ns()
        nap = min(self.nap.ns, left)
        if exactly and left < LONGEST_NS and self.result.timestamps == "kernel":
            nap = left  # a poll waits whole milliseconds; what comes meanwhile is stamped
        if nap > 0 and not self.connecting:
            time.sleep(nap / 1e9)
            left -= nap
        return max(0, left // 1_000_000 + (not exactly)) / 1e3

    # -- now and then -----------------------------------------------------------------------

    def _tick(self, now: int) -> None:
        self.next_tick = now + TICK_NS
        result = self.result
        # one of them each time: together they would hold up an open loop
        fullest = max((*result.metrics.values(), result.delay), key=lambda one: len(one.values))
        fullest.fold()
        self.clock.step()
        result.clock_steps = self.clock.steps
        if self.plan.timeout_s:
            limit = now - int(self.plan.timeout_s * 1e9)
            for connection in [c for c in self.connections.values() if c.begun < limit]:
                if connection.state in (CONNECTING, SENDING, READING):
                    example = f"not whole after {self.plan.timeout_s:g} s"
                    self._failed(connection, "timeout", example)
        self.targets.ask_again()
        self.nap.choose(result, now - self.origin)
        if self.on_progress and now >= self.next_progress:
            self.next_progress = now + self.every_ns
            self.on_progress(self.progress(now))

    def progress(self, now: int) -> Progress:
        """What a watcher sees now."""
        result, ttft = self.result, self.result.metrics["ttft_ms"]
        return Progress(
            round((now - self.origin) / 1e9, 3),
            self.in_flight,
            result.succeeded,
            result.failed,
            result.chunks,
            result.generated_tokens,
            ttft.quantile(0.5) if ttft.count else None,
            ttft.quantile(0.95) if ttft.count else None,
        )
