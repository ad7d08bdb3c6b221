"""Figure 6: from the start of the program until the server has its first request."""

import clients
import measuring
from comparing import ALL, OURS, Figure, Goal, Options, interleaved

LONGEST_MS = 40


def measure(options: Options) -> Figure:
    def once(client: clients.Client) -> dict:
        with measuring.reference(ahead=True) as port:
            load = clients.Load(port, 1, 1)
            run = measuring.run(client.words(load), env=client.env(load))
            first_ns = measuring.arrivals_ns(port)[0]
        return {"first_ms": (first_ns - run.began_ns) / 1e6, "exit_ms": run.duration_s * 1000}

    values, notes = interleaved(ALL, options, once)
    rows = [(name, *found.values()) for name, found in values.items()]
    goals = [Goal("start to first request, ms", values.get(OURS, {}).get("first_ms"), LONGEST_MS)]
    head = ("client", "to the first request, ms", "to the exit, ms")
    return Figure("6. Start", head, rows, goals, notes)
