"""Figure 7: does a client in open loop send each request when it is due?

The server tells when each came; the earliest one, measured against the schedule, is on time.
"""

import clients
import measuring
from clients import REALTIME
from comparing import OURS, Figure, Goal, Options, complete, interleaved

RATES = (100, 2000)
SECONDS = 5
STREAMS = 64
LONGEST_MS = 0.5
NAMES = (OURS, REALTIME, "hey", "k6")


def deviations_ms(arrivals_ns: list[int], rate: float) -> list[float]:
    """How much later than on schedule each came.

    >>> deviations_ms([0, 10_000_000, 21_000_000], 100)
    [0.0, 0.0, 1.0]
    """
    late = [at - number * 1e9 / rate for number, at in enumerate(sorted(arrivals_ns))]
    return [(one - min(late)) / 1e6 for one in late]


def measure(options: Options) -> Figure:
    rows, goals, notes = [], [], []
    for rate in RATES:
        requests = rate * (1 if options.quick else SECONDS)

        def once(client: clients.Client, rate=rate, requests=requests) -> dict:
            with measuring.reference(ahead=True) as port:
                load = clients.Load(port, STREAMS, requests, tiny=True, rate=rate)
                run = measuring.run(client.words(load), env=client.env(load))
                late = deviations_ms(measuring.arrivals_ns(port), rate)
            seen = client.seen(run.output)
            complete(client, seen, requests)
            return {"true": clients.quantile(late, 0.99), "own": seen.deviation_p99_ms}

        values, more = interleaved(NAMES, options, once)
        notes += more
        rows += [(rate, name, *found.values()) for name, found in values.items()]
        for name in (OURS, REALTIME):
            true_ms = values.get(name, {}).get("true")
            goals.append(Goal(f"{name}'s deviation p99 at {rate}/s, ms", true_ms, LONGEST_MS))
    head = ("requests/s", "client", "p99 at the server, ms", "p99 it reports, ms")
    return Figure("7. Open loop", head, rows, goals, sorted(set(notes)))
