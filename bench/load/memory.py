"""Figure 5: memory at 1000 streams, and whether it stays flat for ten minutes."""

import clients
import measuring
from accuracy import PACE
from comparing import ALL, OURS, Figure, Goal, Options, complete, interleaved, peer_goals

STREAMS, ROUNDS = 1000, 3
LARGEST_MB = 25
PEERS = {"hey": 2.0, "guidellm": 50.0}
SLOW = {"tokens": 64, "first_us": 50_000, "gap_us": 200_000, "ahead": True}  # 5,000 chunks a second
ANSWER_S = 0.05 + 64 * 0.2
WARM_S = 60  # the size that the rest is held against
GROWTH = 1.02


def measure(options: Options) -> Figure:
    requests = STREAMS if options.quick else ROUNDS * STREAMS

    def once(client: clients.Client) -> dict:
        with measuring.reference(**PACE) as port:
            load = clients.Load(port, STREAMS, requests)
            run = measuring.run(client.words(load), env=client.env(load), memory=True)
        complete(client, client.seen(run.output), requests)
        return {"mb": run.memory_mb}

    values, notes = interleaved(ALL, options, once)
    ours = values.get(OURS, {}).get("mb")
    rows = [
        (name, found["mb"], found["mb"] / ours if ours else None) for name, found in values.items()
    ]
    goals = [Goal("MB at 1000 streams", ours, LARGEST_MB)]
    goals += peer_goals(values, "mb", "memory", PEERS)
    if options.minutes:
        goals.append(_long(options.minutes))
    head = ("client", "MB at 1000 streams", "× ours")
    return Figure("5. Memory", head, rows, goals, notes)


def _long(minutes: float) -> Goal:
    """Our size at the end of a long run over that after a minute."""
    requests = int(STREAMS * minutes * 60 / ANSWER_S)
    client = clients.OWN[OURS]()
    with measuring.reference(**SLOW) as port:
        words = client.words(clients.Load(port, STREAMS, requests))
        run = measuring.run(words, memory=True, timeout_s=minutes * 60 + 120)
    complete(client, client.seen(run.output), requests)
    warm = run.memory_over_time_mb[: int(WARM_S / measuring.SAMPLE_S)]
    growth = run.memory_mb / max(warm)
    text = (
        f"peak of {run.duration_s / 60:.1f} minutes ({run.memory_mb:.1f} MB), × that of the first"
    )
    return Goal(text, growth, GROWTH)
