"""Runs one plan: one epoll loop that says who asks next, reads, and counts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from struct import Struct
from time import monotonic_ns

from labkit.load import descriptors, machine, trust
from labkit.load.clock import Clock
from labkit.load.connection import IDLE, READING, SENDING, Connection
from labkit.load.exchange import Exchanges
from labkit.load.head import BadResponse
from labkit.load.interrupts import interrupts
from labkit.load.nap import LONGEST_NS, Nap
from labkit.load.plan import Plan
from labkit.load.polling import READ
from labkit.load.progress import Progress, seen
from labkit.load.result import Result
from labkit.load.schedule import arrivals
from labkit.load.wire import REGULAR

ROOM = 64 * 1024  # of one read; more would have malloc map pages for each
MOST = 1024  # sockets of one poll
TICK_NS = 50_000_000  # time-outs, clock steps, folding and the nap are looked at so often
# Connecting takes 0.1 ms: a thousand in one go would leave the first answers unread, and several
# lines in one read have one stamp.
START_AT_ONCE = 32
LATE_NS = 100_000_000  # later than this, or early: was the clock set?
# After Ctrl-C no request is sent, and answers are read to their end for so long: an Ollama 0.24
# whose client leaves in the middle of one can be blocked for good (ollama/ollama#17131).
LAST_ANSWERS_NS = 1_000_000_000

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
            engine.exchanges.answers.on_end = on_end  # of what counts
            while start_at and time.time() < start_at and not engine.interrupted:
                time.sleep(min(0.05, max(0.0, start_at - time.time())))
            return engine.phase(plan)
    finally:
        engine.exchanges.close()


class Engine:
    """Who asks next and when, and the loop over what comes."""

    def __init__(
        self, plan: Plan, on_progress: Callable[[Progress], None] | None, every_s: float
    ) -> None:
        self.plan = plan
        self.on_progress, self.every_ns = on_progress, int(every_s * 1e9)
        self.exchanges = Exchanges(plan)
        self.interrupted = False
        self.prepare(plan)

    def prepare(self, plan: Plan) -> None:
        """Nothing sent, nothing counted; connections stay."""
        self.phase_plan = plan
        self.result = Result(self.plan)
        self.exchanges.count_into(self.result)
        idle = (c for c in self.exchanges.connections.values() if c.state == IDLE)
        self.free: deque[Connection] = deque(idle)
        self.backlog: deque[int] = deque()  # open loop: arrivals for which no connection was free
        self.never_sent = 0  # of them, when time was over
        self.waiting: list[
            tuple[int, int, Connection]
        ] = []  # closed loop: (until, …, connection) of paused clients
        self.clock, self.nap = Clock(), Nap()
        self.fresh = 0  # closed loop: clients that have not begun
        self.due: int | None = None  # open loop: the next arrival
        self.left = float("inf") if plan.requests is None else plan.requests
        self.cpu_start = time.process_time()
        self.origin = self.result.sample.origin_ns = monotonic_ns()
        self.ends = float("inf") if plan.seconds is None else self.origin + plan.seconds * 1e9
        self.last_answers: int | None = None  # after Ctrl-C: when not to read on

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
        now = monotonic_ns()
        result.duration_s = (now - self.origin) / 1e9
        result.noticing_s = self._noticing(now) / 1e9
        result.blocks.close(result, now - self.origin)
        result.machine = machine.here()
        result.cpu_s = time.process_time() - self.cpu_start
        result.max_rss_bytes = descriptors.max_rss_bytes()
        result.unfinished = result.started - result.succeeded - result.failed
        trust.judge(result, late_arrivals=self.never_sent + len(self.backlog))
        return result

    def _noticing(self, now: int) -> int:
        """How much of the time may have passed after the run's end, before it was noticed."""
        last = self.exchanges.answers.last_end
        if self.phase_plan.seconds:
            last = max(last, int(self.ends))
        return max(0, now - last) if last and not self.interrupted else 0

    # -- who asks next ----------------------------------------------------------------------

    def _next_arrival(self) -> None:
        offset = next(self.arrivals, None)
        self.due = None if offset is None else self.origin + offset

    def _arrive(self, now: int) -> None:
        """Open loop: send what is due."""
        exchanges = self.exchanges
        while self.due is not None and self.due <= now:
            self.backlog.append(self.due)
            self._next_arrival()
        for _ in range(min(START_AT_ONCE, len(self.backlog))):
            if now >= self.ends:
                self.never_sent += len(self.backlog)
                self.backlog.clear()
                return
            # each address gets a connection, as far as there are clients, and they take turns
            wanted = min(len(exchanges.targets.addresses), self.plan.clients)
            if self.free and exchanges.made >= wanted:
                connection = self.free.popleft()
            elif len(exchanges.connections) < self.plan.clients:
                connection = exchanges.connection()
            else:
                return
            exchanges.begin(connection, self.backlog.popleft())

    def _go_on(self, connection: Connection) -> None:
        """This client is free: its next request, if there is one."""
        now = monotonic_ns()
        if self.phase_plan.rate or self.left <= 0 or now >= self.ends or self.interrupted:
            self.free.append(connection)
            return
        due = connection.rests_until
        if self.plan.client_rate and connection.start:
            due = max(due, connection.start + int(1e9 / self.plan.client_rate))
        if due > now:
            heappush(self.waiting, (due, id(connection), connection))
            return
        self.left -= 1
        self.exchanges.begin(connection, 0)

    def _goes_on(self) -> bool:
        if self.interrupted:
            return self._reads_on()
        if self.exchanges.in_flight or self.due is not None or self.fresh:
            return True
        if self.phase_plan.rate:
            return bool(self.backlog) and monotonic_ns() < self.ends
        pending = self.exchanges.ended or (self.waiting and self.waiting[0][0] < self.ends)
        return bool(pending) and self.left > 0 and monotonic_ns() < self.ends

    def _reads_on(self) -> bool:
        """Ctrl-C: nothing more is sent; is there an answer to wait for?"""
        if self.last_answers is None:
            self.last_answers = monotonic_ns() + LAST_ANSWERS_NS
            self.never_sent += len(self.backlog)
            self.fresh, self.due = 0, None
            self.backlog.clear()
            self.waiting.clear()
        return self.exchanges.in_flight > 0 and monotonic_ns() < self.last_answers

    # -- the loop ---------------------------------------------------------------------------

    def _loop(self) -> None:
        # Each line here is run for each chunk of each answer: names are local, calls are few.
        exchanges = self.exchanges
        poll, get, ended = exchanges.poller.poll, exchanges.connections.get, exchanges.ended
        result = self.result
        gaps, delay = result.metrics["gap_ms"], result.delay
        gap = gaps.record
        since = called = monotonic_ns()
        left_out = False
        while self._goes_on():
            rest = self._rest()
            if not left_out:
                since = called  # what is read now was not there at the last poll
            called = monotonic_ns()
            batch = poll(rest, MOST)
            left_out = len(batch) == MOST
            ahead = self.clock.ahead()  # the kernel stamps by the realtime clock
            polled = monotonic_ns()
            realtime = polled + ahead
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
                    exchanges.go_on(connection)
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
                            stamp, stamps, connection.steady = monotonic_ns(), [], False
                    elif data:
                        unstamped += 1
                        stamp, connection.steady = monotonic_ns(), False
                    else:
                        exchanges.broken(connection, None)
                        continue
                    reads += 1
                    if (
                        connection.steady
                        and data.endswith(REGULAR)
                        and data.count(b"\n") == 3
                        and len(data) < ROOM
                    ):
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
                    exchanges.broken(connection, error)
                    continue
                except BadResponse as error:
                    exchanges.failed(connection, "bad_http", str(error))
                    continue
                low = connection.unread or max(since, connection.emptied)
                exact, connection.emptied, connection.unread = bool(stamps), polled, 0
                if len(data) >= ROOM:  # there may be more, of the same stamp
                    exact, connection.unread, connection.steady = False, low, False
                if lines:
                    coalesced += lines > 1
                    more = data.endswith(REGULAR)
                    ends = exact and (more or connection.reader.at_line_end)
                    connection.took(lines, stamp, low, gaps, exact=ends, more=more)
                if connection.reader.complete:
                    exchanges.whole(connection, stamp, stamp if exact else min(low, stamp))
            result.reads += reads
            result.coalesced_reads += coalesced
            result.unstamped_reads += unstamped
            if reads > unstamped:  # the longest of the batch stands for all: never less than it was
                delay.repeat(max(0, monotonic_ns() + ahead - oldest), reads - unstamped)
            for _ in range(min(START_AT_ONCE, len(ended))):
                self._go_on(ended.popleft())
            for _ in range(min(START_AT_ONCE, self.fresh)):
                self.fresh -= 1
                self._go_on(self.free.popleft() if self.free else exchanges.connection())
            now = monotonic_ns()
            if self.due is not None or self.backlog:
                self._arrive(now)
            while self.waiting and self.waiting[0][0] <= now:
                self._go_on(heappop(self.waiting)[2])
            if now >= self.next_tick:
                self._tick(now)

    def _rest(self) -> float:
        """Nap, or sleep until a request is due; how long the poll may wait then, in seconds."""
        if self.exchanges.ended or self.fresh or (self.backlog and self.free):
            return 0
        due = self.waiting[0][0] if self.waiting else self.due
        exactly = due is not None
        left = (self.next_tick if due is None else min(due, self.next_tick)) - monotonic_ns()
        nap = min(self.nap.ns, left)
        if exactly and left < LONGEST_NS and self.result.timestamps == "kernel":
            nap = left  # a poll waits whole milliseconds; what comes meanwhile is stamped
        if nap > 0 and not self.exchanges.connecting:
            time.sleep(nap / 1e9)
            left -= nap
        if self.nap.looks and not self.exchanges.connecting:
            return 0
        return max(0, left // 1_000_000 + (not exactly)) / 1e3

    # -- now and then -----------------------------------------------------------------------

    def _tick(self, now: int) -> None:
        self.next_tick = now + TICK_NS
        result = self.result
        # one of them each time: together they would hold up an open loop
        fullest = max((*result.metrics.values(), result.delay), key=lambda one: one.waiting)
        fullest.fold()
        if now - self.origin >= result.blocks.due_ns:
            result.blocks.close(result, now - self.origin)
        self.clock.step()
        result.clock_steps = self.clock.steps
        if self.plan.timeout_s:
            self.exchanges.time_out(now - int(self.plan.timeout_s * 1e9))
        self.exchanges.look_again()
        self.nap.choose(result, now - self.origin)
        if self.on_progress and now >= self.next_progress:
            self.next_progress = now + self.every_ns
            self.on_progress(self.progress(now))

    def progress(self, now: int) -> Progress:
        """What a watcher sees now."""
        return seen(self.result, self.exchanges.in_flight, now - self.origin)
