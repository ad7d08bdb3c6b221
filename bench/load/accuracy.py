"""Figure 1: how far are a client's time to first token and its gaps from the truth?

Error is the client's own p99 minus the server's p99 of the same run. Streams: first line after
50 ms, 64 more every 20 ms.
"""

import contextlib

import clients
import measuring
from clients import REALTIME
from comparing import ALL, OURS, Figure, Goal, Options, complete, interleaved

PACE = {"tokens": 64, "first_us": 50_000, "gap_us": 20_000, "ahead": True}
STREAMS = (64, 256, 1000)
FEWEST_REQUESTS = 320  # below it a p99 is the luck of three answers
ROUNDS = 3
TTFT_MS, GAP_MS = 0.2, 0.1


def measure(options: Options) -> Figure:
    rows, goals, notes = [], [], []
    for beside in ("", "hog"):
        names = ALL if not beside else (OURS, REALTIME, "C", "hey")
        for streams in options.streams or STREAMS:
            values, more = interleaved(names, options, _once(streams, options, beside))
            notes += more
            setting = f"{streams}{', CPU hog' if beside else ''}"
            rows += [(setting, name, *found.values()) for name, found in values.items()]
            ours = values.get(OURS, {})
            goals.append(Goal(f"TTFT error at {setting}, ms", _size(ours, "ttft_ms"), TTFT_MS))
            goals.append(Goal(f"gap error at {setting}, ms", _size(ours, "gap_ms"), GAP_MS))
    head = ("streams", "client", "TTFT p99 error, ms", "gap p99 error, ms")
    return Figure("1. Accuracy", head, rows, goals, sorted(set(notes)))


def _size(values: dict, name: str) -> float | None:
    return None if values.get(name) is None else abs(values[name])


def _once(streams: int, options: Options, beside: str):
    requests = streams if options.quick else max(FEWEST_REQUESTS, ROUNDS * streams)

    def once(client: clients.Client) -> dict:
        with measuring.reference(**PACE) as port:
            load = clients.Load(port, streams, requests)
            with measuring.hog() if beside else contextlib.nullcontext():
                run = measuring.run(client.words(load), env=client.env(load))
            truth, seen = measuring.stats(port), client.seen(run.output)
        complete(client, seen, requests)
        return {
            "ttft_ms": _apart(seen.ttft_p99_ms, truth["ttft_ms"]["p99"]),
            "gap_ms": _apart(seen.gap_p99_ms, truth["gap_ms"]["p99"]),
        }

    return once


def _apart(seen_ms: float | None, true_ms: float) -> float | None:
    return None if seen_ms is None else seen_ms - true_ms
