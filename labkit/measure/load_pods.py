"""Runs a load test in Pods: all begin at one moment, are followed by their logs, and merged.

That moment is unknown before the last Pod runs, and Pods may query no server: they have no rights.
So each says in its log that it is ready and waits for a file; when all have said so, the moment is
written into each by `kubectl exec`, whose end proves that it arrived. One that began later all the
same is told in the result; nodes are taken to agree on the time, as Kubernetes wants them to.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from labkit.errors import ApiSilent, CommandFailed, NotFound, PodFailed, Refused, TimedOut
from labkit.kube import exec as kubectl_exec
from labkit.kube import pod_status, wait
from labkit.kube.session import Session
from labkit.load import workers
from labkit.load.plan import Plan
from labkit.load.progress import Progress
from labkit.load.result import Result
from labkit.measure import load_job
from labkit.setup.cluster.outage import asked_again
from labkit.setup.host import speed
from labkit.setup.host.poll import Poll
from labkit.ui import units

START_S = 1.0  # for the moment to reach every Pod
LAST_WORDS_S = 10.0
POLL_S = 0.2
PAUSE_S = 1.0  # before a log that could not be read is read anew
REFUSALS = 30  # of one log, a second apart


class News(NamedTuple):
    """A line of a worker's log; None: its log has ended."""

    worker: int
    line: str | None


def run(
    session: Session,
    plan: Plan,
    on_progress: Callable[[Progress], None],
    on_wait: Callable[[str], None],
    *,
    pods: int,
) -> Result:
    """The merged result of `pods` workers that share the plan; Ctrl-C gives the partial one.

    Raises PodFailed and TimedOut (the workers do not come to run), Refused (quota, rights),
    CommandFailed (one ended without a result), LoadError (a worker would have nothing to do).
    """
    for index in range(pods):
        plan.share(index, pods)
    load_job.remove_leftovers(session)
    job = load_job.make(session, plan, pods)
    try:
        return _Run(session, plan, job, pods).result(on_progress, on_wait)
    finally:
        load_job.delete(session, job["metadata"]["name"])
        load_job.wait_until_gone(session, job["metadata"]["name"])


class _Run:
    """One Job while it runs: what is known of each worker."""

    def __init__(self, session: Session, plan: Plan, job: dict, pods: int) -> None:
        self.session, self.plan, self.pods = session, plan, pods
        self.name = job["metadata"]["name"]
        self.path = session.api.resource("jobs").path(session.namespace, self.name)
        self.news: queue.Queue[News] = queue.Queue()
        self.ready: set[int] = set()
        self.ended: set[int] = set()  # their logs
        self.states: dict[int, Progress] = {}
        self.results: dict[int, Result] = {}
        self.said = dict.fromkeys(range(pods), "nothing")  # last line that was no JSON
        self.start_at = 0.0
        self.stopped = False

    def result(
        self, on_progress: Callable[[Progress], None], on_wait: Callable[[str], None]
    ) -> Result:
        """The merged result, once every worker has given its own."""
        names = self._started(on_wait)
        for index, pod in names.items():
            threading.Thread(target=self._follow, args=(index, pod), daemon=True).start()
        try:
            self._hear(names, on_progress, load_job.limit_s(self.plan))
        except KeyboardInterrupt:
            if not self.start_at:
                raise
            # to be deleted is how a worker is told to end: it then gives what it has
            self.stopped = True
            load_job.delete(self.session, self.name)
            self._hear(names, on_progress, LAST_WORDS_S)
            if not self.results:
                raise
        return self._merged()

    def _started(self, on_wait: Callable[[str], None]) -> dict[int, str]:
        """Worker → Pod, once all of them run."""
        poll = Poll(speed.deadline(load_job.READY_S), every_s=POLL_S)
        since: dict[str, float] = {}
        while True:
            pods = self._list("pods", labelSelector=f"batch.kubernetes.io/job-name={self.name}")
            running = [pod for pod in pods if _has_started(pod)]
            if len(running) == self.pods:
                return {_index(pod): pod["metadata"]["name"] for pod in running}
            waited_s = poll.waited_s
            job = self.session.api.request("GET", self.path)
            seen = wait.look(self.session, self.session.api.resource("jobs"), job)
            found = seen.trouble or self._not_made(job)
            since = {found.reason: since.get(found.reason, waited_s)} if found else {}
            if found and waited_s - since[found.reason] >= found.holds_s:
                hint = found.hint
                if found.reason == "ImagePullBackOff":
                    hint = "./lab up brings the image to the lab's registry; ./lab images"
                raise PodFailed(
                    f"a worker of the load test in namespace {self.session.namespace} will not run",
                    f"{seen.of}{found.reason}: {found.message}",
                    hint,
                    reason=found.reason,
                )
            seen_now = f"{len(running)} of {units.count(self.pods, 'worker')} running"
            on_wait(seen_now)
            poll.not_yet(
                f"{seen_now} after {poll.limit_s:g} s",
                seen.doing,
                "fewer pods; lab.events() says what happens",
            )

    def _not_made(self, job: dict) -> pod_status.Trouble | None:
        """A quota can let some of the Pods be made, and the others not."""
        fields = f"involvedObject.uid={job['metadata']['uid']}"
        events = self._list("events", fieldSelector=fields)
        return pod_status.workload_trouble({**job, "spec": {"replicas": self.pods}}, events)

    def _list(self, plural: str, **query: str) -> list[dict]:
        path = self.session.api.resource(plural).path(self.session.namespace)
        return self.session.api.request("GET", path, query=query)["items"]

    def _follow(self, index: int, pod: str) -> None:
        """Put a worker's log into the news; in a thread of its own."""
        path = f"{self.session.api.resource('pods').path(self.session.namespace, pod)}/log"
        deadline = time.monotonic() + load_job.limit_s(self.plan)
        refusals = 0

        def read() -> None:  # each time the whole log: nothing counts twice
            left_s = max(deadline - time.monotonic(), 0.0)
            for line in self.session.api.lines(path, query={"follow": "true"}, timeout_s=left_s):
                if line is not None:
                    self.news.put(News(index, line))

        while True:
            try:
                asked_again(read, deadline, on_wait=lambda text: None)
                break
            except (ApiSilent, NotFound):
                break
            except Refused:  # what the API server says too while a node is out of reach
                refusals += 1
                if refusals > REFUSALS:
                    break
                time.sleep(PAUSE_S)
        self.news.put(News(index, None))

    def _hear(
        self, names: dict[int, str], on_progress: Callable[[Progress], None], limit_s: float
    ) -> None:
        """Read the news until every log has ended or has its result."""
        deadline = time.monotonic() + limit_s
        while len(self.results.keys() | self.ended) < self.pods:
            left_s = deadline - time.monotonic()
            if left_s <= 0 and not self.stopped:
                silent = sorted(set(names) - self.results.keys())
                raise TimedOut(
                    f"the load test had not ended after {limit_s:.0f} s",
                    f"no result of worker {', '.join(map(str, silent))}",
                    "fewer requests, or a shorter time for each",
                )
            if left_s <= 0:
                return
            with suppress(queue.Empty):
                self._take(self.news.get(timeout=min(left_s, 1.0)), names)
            if self.states:
                on_progress(workers.together(list(self.states.values())))
            if not self.start_at and len(self.ready) == self.pods:
                self._start(names)

    def _take(self, news: News, names: dict[int, str]) -> None:
        if news.line is None:
            self.ended.add(news.worker)
            if news.worker not in self.results and not self.stopped:
                raise self._without_result(news.worker, names[news.worker])
            return
        try:
            told = json.loads(news.line)
        except ValueError:
            self.said[news.worker] = news.line
            return
        if "ready" in told:
            self.ready.add(news.worker)
        elif "progress" in told:
            self.states[news.worker] = Progress(**told["progress"])
        else:
            self.results[news.worker] = Result.from_json(told)

    def _start(self, names: dict[int, str]) -> None:
        """Send every worker the moment to begin."""
        # one needs to wait for nobody
        self.start_at = time.time() + (START_S if self.pods > 1 else 0.0)
        command = ("sh", "-c", f"echo {self.start_at!r} > /start/at")
        with ThreadPoolExecutor(self.pods) as pool:
            list(pool.map(lambda pod: kubectl_exec.ran(self.session, pod, command), names.values()))

    def _without_result(self, index: int, name: str) -> CommandFailed | PodFailed:
        path = self.session.api.resource("pods").path(self.session.namespace, name)
        happened = f"worker {index} of the load test, pod/{name}, ended without a result"
        with suppress(NotFound):
            found = pod_status.trouble(self.session.api.request("GET", path))
            if found and found.reason not in ("Error", "Completed"):
                return PodFailed(happened, found.message, found.hint, reason=found.reason)
        return CommandFailed(happened, f"its last words: {self.said[index]}", "once more")

    def _merged(self) -> Result:
        found = [self.results[index] for index in sorted(self.results)]
        if self.pods == 1:
            return found[0]
        whole = Result.merge(found, self.start_at)
        whole.plan = self.plan
        if len(found) < self.pods:
            whole.interrupted = True
            whole.reasons.append(
                f"no result from {self.pods - len(found)} of {units.count(self.pods, 'worker')}"
            )
        return whole


def _has_started(pod: dict) -> bool:
    return any(
        "running" in status["state"] or "terminated" in status["state"]
        for status in pod_status.statuses(pod, init=False)
    )


def _index(pod: dict) -> int:
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])
