"""Figure 8: do two processes do twice the work of one?

Two processes and the server want three cores. So that two are enough, what counts is the work
that a second of CPU does, times the processes: what they would do with a core each.
"""

import clients
import measuring
from comparing import OURS, Figure, Goal, Options, complete, interleaved
from cost import FAST, FAST_REQUESTS, FAST_STREAMS

LEAST = 1.8
ROUNDS = 4  # three Pythons begin where one did: longer runs, so that it is small


def measure(options: Options) -> Figure:
    requests = FAST_REQUESTS // 10 if options.quick else FAST_REQUESTS * ROUNDS
    both = (measuring.SERVER_CORE, measuring.CLIENT_CORE)

    def once(client: clients.Client) -> dict:
        chunks_per_s = {}
        for processes, cores in ((1, both[1:]), (2, both)):
            with measuring.reference(**FAST) as port:
                load = clients.Load(port, FAST_STREAMS, requests, processes=processes)
                run = measuring.run(client.words(load), cores=cores)
                lines = measuring.stats(port)["lines"]
            complete(client, client.seen(run.output), requests)
            chunks_per_s[processes] = processes * lines / run.cpu_s
        return {**chunks_per_s, "ratio": chunks_per_s[2] / chunks_per_s[1]}

    values, notes = interleaved((OURS,), options, once)
    ours = values.get(OURS, {})
    rows = [(processes, ours.get(processes)) for processes in (1, 2)]
    goals = [Goal("two processes, × one", ours.get("ratio"), LEAST, at_most=False)]
    head = ("processes", "chunks/s, a core each")
    return Figure("8. Two processes", head, rows, goals, notes)
