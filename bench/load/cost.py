"""Figures 2, 3 and 4: what a chunk costs when it is paced, when it is not, and a tiny request.

CPU is that of the client's whole process tree, its start included: runs are long enough to make
that small. Paced streams are spread over a gap, as those of many users are. From a server that does
not spread them a client that starts all in a moment gets their lines in step, and reads several for
each time it is woken: those rows are there too. Answers without delay are long ones: what an answer
costs beside its chunks is seen in the tiny requests.
"""

import clients
import measuring
from accuracy import PACE
from comparing import OURS, Figure, Goal, Options, complete, interleaved, peer_goals, ratio

PACED_ROUNDS = 6
PACED_LIMIT = ("C", "C, kernel stamps")  # the second does what ours does; the goals name the first
PACED_LIMITS = {256: 1.1, 1000: 1.3}  # × the C client
PACED_PEERS = {"hey": 1.5, "k6": 2.0, "vllm-style": 2.5, "locust": 3.0}

FAST = {"tokens": 1024, "lines_per_write": 16}
FAST_STREAMS, FAST_REQUESTS = 16, 4000
FAST_PEERS = {"hey": 2.0, "vllm-style": 10.0}

TINY_STREAMS, TINY_REQUESTS = 64, 100_000
TINY_PEERS = {"hey": 2.5, "k6": 4.0, "locust": 8.0}

# Who takes so much longer gets fewer requests: its cost for each is the same.
FEWER = {"vllm-style": 10, "locust": 3}


def paced(options: Options) -> Figure:
    rows, goals, notes = [], [], []
    for streams in options.streams or tuple(PACED_LIMITS):
        requests = streams * (1 if options.quick else PACED_ROUNDS)
        in_step, more = interleaved((OURS, *PACED_LIMIT), options, _paced(streams, requests, PACE))
        notes += more
        rows += [(f"{streams} in step", *row) for row in _rows(in_step, "cpu")]
        spread = _paced(streams, requests, {**PACE, "spread": True})
        values, more = interleaved((OURS, *PACED_LIMIT, *PACED_PEERS), options, spread)
        notes += more
        rows += [(streams, *row) for row in _rows(values, "cpu")]
        limit = PACED_LIMITS.get(streams)
        if limit is None:
            continue
        goals.append(Goal(f"CPU at {streams}, × C", ratio(values, OURS, "C", "cpu"), limit))
        if streams == min(PACED_LIMITS):
            goals += peer_goals(values, "cpu", f"CPU at {streams}", PACED_PEERS)
    head = ("streams", "client", "CPU-s per 100,000 chunks", "× ours")
    return Figure("2. CPU of paced chunks", head, rows, goals, sorted(set(notes)))


def _paced(streams: int, requests: int, pace: dict):
    def once(client: clients.Client) -> dict:
        cpu_s, truth = _spent(client, pace, streams, requests)
        return {"cpu": cpu_s / truth["lines"] * 1e5}

    return once


def fast(options: Options) -> Figure:
    def once(client: clients.Client) -> dict:
        requests = FAST_REQUESTS // FEWER.get(client.name, 1) // (10 if options.quick else 1)
        cpu_s, truth = _spent(client, FAST, FAST_STREAMS, requests)
        return {"cpu": cpu_s / truth["lines"] * 1e5, "chunks": truth["lines"] / cpu_s}

    values, notes = interleaved((OURS, "C", *FAST_PEERS), options, once)
    goals = [Goal("chunks/s/core, × C", ratio(values, OURS, "C", "chunks"), 0.7, at_most=False)]
    for name, limit in FAST_PEERS.items():
        more = ratio(values, OURS, name, "chunks")
        goals.append(Goal(f"chunks/s/core, × {name}", more, limit, at_most=False))
    rows = [(name, found["chunks"], times) for name, found, times in _times(values, "chunks")]
    head = ("client", "chunks per second of CPU", "× ours")
    return Figure("3. No delay, 16 chunks per write", head, rows, goals, notes)


def tiny(options: Options) -> Figure:
    def once(client: clients.Client) -> dict:
        requests = TINY_REQUESTS // FEWER.get(client.name, 1) // (10 if options.quick else 1)
        cpu_s, truth = _spent(client, {}, TINY_STREAMS, requests, tiny=True)
        return {"cpu": cpu_s / truth["requests"] * 1e3}

    values, notes = interleaved((OURS, "C", "wrk", *TINY_PEERS), options, once)
    goals = [Goal("CPU, × wrk", ratio(values, OURS, "wrk", "cpu"), 2.0)]
    goals += peer_goals(values, "cpu", "CPU", TINY_PEERS)
    head = ("client", "CPU-s per 1,000 requests", "× ours")
    return Figure("4. Tiny requests", head, list(_rows(values, "cpu")), goals, notes)


def _spent(
    client: clients.Client, pace: dict, streams: int, requests: int, *, tiny: bool = False
) -> tuple[float, dict]:
    with measuring.reference(**pace) as port:
        load = clients.Load(port, streams, requests, tiny)
        run = measuring.run(client.words(load), env=client.env(load))
        truth = measuring.stats(port)
    complete(client, client.seen(run.output), requests)
    return run.cpu_s, truth


def _rows(values: dict[str, dict], what: str):
    return [(name, found[what], times) for name, found, times in _times(values, what)]


def _times(values: dict[str, dict], what: str):
    return [(name, found, ratio(values, name, OURS, what)) for name, found in values.items()]
