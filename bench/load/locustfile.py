"""What each of locust's users does: its quickest client, streaming, one answer after the other.

Run by clients.py with the environment REQUESTS (when to stop) and TINY; prints one JSON object.
"""

import json
import os
import time

import gevent
from locust import FastHttpUser, constant, events, task

REQUESTS = int(os.environ["REQUESTS"])
TINY = bool(os.environ.get("TINY"))
BODY = json.dumps({"model": "reference", "prompt": "Why?", "stream": not TINY})
ttft_s: list[float] = []
gaps_s: list[float] = []
begun = answered = 0


class Learner(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self) -> None:
        global begun, answered
        if begun == REQUESTS:
            self.stop()
            return
        begun += 1
        began = time.perf_counter()
        if TINY:
            self.client.post("/api/generate", data=BODY)
        else:
            self.stream(began)
        answered += 1
        if answered == REQUESTS:
            gevent.spawn(self.environment.runner.quit)  # it ends this very greenlet

    def stream(self, began: float) -> None:
        response = self.client.post("/api/generate", data=BODY, stream=True)
        latest = 0.0
        # iter_lines() waits for a whole kilobyte: lines would seem to come in bunches
        for line in iter(lambda: response.stream.readline(b"\n"), b""):
            at = time.perf_counter()
            event = json.loads(line)
            if latest:
                gaps_s.append(at - latest)
            else:
                ttft_s.append(at - began)
            latest = at
        assert event["done"]


def p99_ms(values_s: list[float]) -> float | None:
    return sorted(values_s)[int((len(values_s) - 1) * 0.99)] * 1000 if values_s else None


@events.quitting.add_listener
def report(**_: object) -> None:
    seen = {"requests": answered, "ttft_p99_ms": p99_ms(ttft_s), "gap_p99_ms": p99_ms(gaps_s)}
    print(json.dumps(seen), flush=True)
