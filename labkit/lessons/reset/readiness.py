"""Waits until all that a namespace should run is ready, or one of it never will be."""

from __future__ import annotations

import time
from typing import Any

from labkit.errors import PodFailed, TimedOut
from labkit.kube.conditions import Until, usual
from labkit.kube.session import Session
from labkit.kube.wait import look
from labkit.setup.host.poll import Poll
from labkit.ui.live import Live

PAUSE_S = 0.3
_RUNNING = {"Pod", "Deployment", "Job"}  # kinds that take their time to be ready


def until_ready(here: Session, items: list[dict[str, Any]], deadline: float) -> None:
    """Wait until what runs is ready. Raise PodFailed, TimedOut."""
    since: dict[tuple[str, str], float] = {}
    poll, shown = Poll(deadline - time.monotonic(), every_s=PAUSE_S), False
    with Live("wait") as live:
        while True:
            now, late, seen_now = time.monotonic(), [], {}
            for item in items:
                if item["kind"] not in _RUNNING:
                    continue
                resource = here.api.resource(item["kind"])
                name = item["metadata"]["name"]
                there = here.api.request("GET", resource.path(here.namespace, name))
                is_workload = item["kind"] == "Deployment"
                goal = Until("rollout") if is_workload else usual(item["kind"], there)
                if goal.met(there):
                    continue
                seen = look(here, resource, there)
                target = f"{item['kind'].lower()}/{name}"
                late.append(f"{target} {seen.doing}")
                if seen.trouble:
                    key = target, seen.trouble.reason
                    seen_now[key] = since.get(key, now)
                    if now - seen_now[key] >= seen.trouble.holds_s:
                        raise PodFailed(
                            f"{target} in namespace {here.namespace} will not be ready",
                            f"{seen.of}{seen.trouble.reason}: {seen.trouble.message}",
                            seen.trouble.hint,
                            reason=seen.trouble.reason,
                        )
            if not late:
                if shown:
                    live.done(f"ready after {poll.waited_s:.1f} s")
                return
            if poll.is_over:
                raise TimedOut(
                    f"what runs in namespace {here.namespace} is not ready yet",
                    "; ".join(late),
                    "once more: it continues from here",
                )
            since = seen_now
            shown = True
            live.show(f"waiting: {'; '.join(late)}")
            poll.pause()
