"""Runs a load test in the cluster: an Indexed Job, its workers' logs, one merged result.

k8s/load/job.yaml is the Job. Its Pods must begin at one moment that nobody knows before the last of
them runs, and they may ask nobody: they have no rights. So each warms up, says that it is ready,
and waits for a file; when all have said so, the moment is written into each by `kubectl exec`,
whose end proves that it arrived. A worker that began later all the same is told in the result.
"""

from __future__ import annotations

import json
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import NamedTuple

from labkit import inside, manifests, process, verdict, waiting
from labkit.bringup import bom
from labkit.errors import ApiSilent, CommandFailed, NotFound, PodFailed, TimedOut
from labkit.load import workers
from labkit.load.engine import Progress
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.session import Session
from labkit.workloads import MERGE

MANIFEST = "k8s/load/job.yaml"
IMAGE = "python"
LABEL = "app.kubernetes.io/name=labkit-load"
BY = "labkit/load"  # which process made it
CONTAINER = "load"
READY_S = 120.0
START_S = 1.0  # for Python to start in every Pod, once it knows the moment
LATE_S = 0.1
LAST_WORDS_S = 10.0
GONE_S = 30.0
POLL_S = 0.2

Tell = Callable[[str], None]


class News(NamedTuple):
    """A line of a worker's log; None: its log has ended."""

    worker: int
    line: str | None


def run(
    session: Session,
    plan: Plan,
    on_progress: Callable[[Progress], None],
    on_wait: Tell,
    *,
    pods: int,
) -> Result:
    """The merged result of `pods` workers that share the plan; Ctrl-C gives the partial one.

    Raises PodFailed and TimedOut (the workers do not come to run), Refused (quota, rights),
    CommandFailed (one ended without a result), LoadError (a worker would have nothing to do).
    """
    for index in range(pods):
        plan.share(index, pods)
    remove_leftovers(session)
    job = _make(session, plan, pods)
    try:
        return _Run(session, plan, job, pods).result(on_progress, on_wait)
    finally:
        _delete(session, job["metadata"]["name"])
        _wait_until_gone(session, job["metadata"]["name"])


def longest_s(plan: Plan) -> float:
    """Seconds after which the plan has surely ended, its last answer or time-out included.

    >>> longest_s(Plan(seconds=30.0, requests=None, timeout_s=20.0))
    50.0
    >>> longest_s(Plan(requests=10, clients=4, timeout_s=20.0, warmup=1))
    80.0
    """
    answer_s = plan.timeout_s or 3600.0
    warmup_s = plan.warmup * answer_s
    if plan.seconds is not None:
        return warmup_s + plan.seconds + answer_s
    if plan.rate:
        return warmup_s + plan.requests / plan.rate + answer_s
    return warmup_s + ceil(plan.requests / plan.clients) * answer_s


def remove_leftovers(session: Session) -> None:
    """Deletes the Jobs of clients on this machine that were killed."""
    path = session.api.resource("jobs").path(session.namespace)
    for job in session.api.request("GET", path, query={"labelSelector": LABEL})["items"]:
        if process.is_dead(job["metadata"]["labels"].get(BY, "")):
            _delete(session, job["metadata"]["name"])


def _make(session: Session, plan: Plan, pods: int) -> dict:
    """The Job, suspended until the ConfigMap is there, which goes with it."""
    (job,) = manifests.load(MANIFEST)
    name = f"load-{secrets.token_hex(3)}"
    deadline_s = ceil(longest_s(plan) + READY_S)
    job["metadata"] |= {"name": name}
    job["metadata"]["labels"][BY] = process.name()
    job["spec"] |= {"parallelism": pods, "completions": pods, "activeDeadlineSeconds": deadline_s}
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    container["image"] = bom.load().image(IMAGE).reference
    next(one for one in container["env"] if one["name"] == "WORKERS")["value"] = str(pods)
    files = {f"{file.name}": file.read_text() for file in sorted(_engine().glob("*.py"))}
    volume = next(one for one in spec["volumes"] if one["name"] == "engine")["configMap"]
    volume["name"] = name
    plans = {"plan.json": plan.replace(warmup=0).to_json()}
    if plan.warmup:
        first = {"requests": plan.warmup, "seconds": None, "rate": None, "warmup": 0}
        plans["warmup.json"] = plan.replace(**first).to_json()
    volume["items"] = [
        *({"key": key, "path": f"labkit/load/{key}"} for key in files),
        *({"key": key, "path": key} for key in plans),
    ]
    path = session.api.resource("jobs").path(session.namespace)
    made = session.api.request("POST", path, query={"fieldManager": "labkit"}, body=job)
    try:
        _make_files(session, made, files | plans)
        body = {"spec": {"suspend": False}}
        return session.api.request("PATCH", f"{path}/{name}", body=body, content_type=MERGE)
    except BaseException:  # Ctrl-C too
        _delete(session, name)
        raise


def _make_files(session: Session, job: dict, data: dict[str, str]) -> None:
    meta = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": meta["name"], "ownerReferences": [owner]},
        "immutable": True,
        "data": data,
    }
    path = session.api.resource("configmaps").path(session.namespace)
    session.api.request("POST", path, query={"fieldManager": "labkit"}, body=item)


def _engine() -> Path:
    from labkit import load

    return Path(load.__file__).parent


class _Run:
    """One Job while it runs: what is known of each worker."""

    def __init__(self, session: Session, plan: Plan, job: dict, pods: int) -> None:
        self.session, self.plan, self.pods = session, plan, pods
        self.name = job["metadata"]["name"]
        self.path = session.api.resource("jobs").path(session.namespace, self.name)
        self.news: queue.Queue[News] = queue.Queue()
        self.ready: set[int] = set()
        self.states: dict[int, Progress] = {}
        self.results: dict[int, Result] = {}
        self.said = dict.fromkeys(range(pods), "nothing")  # last line that was no JSON
        self.start_at = 0.0

    def result(self, on_progress: Callable[[Progress], None], on_wait: Tell) -> Result:
        """The merged result, once every worker has given its own."""
        names = self._started(on_wait)
        for index, pod in names.items():
            threading.Thread(target=self._follow, args=(index, pod), daemon=True).start()
        deadline = time.monotonic() + longest_s(self.plan) + READY_S
        interrupted = False
        while len(self.results) < self.pods:
            try:
                for news in self._heard(deadline):
                    self._take(news, names, lenient=interrupted)
                    if self.states:
                        on_progress(workers.together(list(self.states.values())))
                    if not self.start_at and len(self.ready) == self.pods:
                        self._start(names)
                break
            except KeyboardInterrupt:
                if interrupted or not self.start_at:
                    raise
                # to be deleted is how the workers are told to end, and each gives what it has
                interrupted, deadline = True, time.monotonic() + LAST_WORDS_S
                _delete(self.session, self.name)
        if not self.results:
            raise KeyboardInterrupt
        return self._merged()

    def _started(self, on_wait: Tell) -> dict[int, str]:
        """Worker → Pod, once all of them run."""
        begun = time.monotonic()
        since: dict[str, float] = {}
        while True:
            pods = self._list("pods", labelSelector=f"batch.kubernetes.io/job-name={self.name}")
            running = [pod for pod in pods if _has_started(pod)]
            if len(running) == self.pods:
                return {_index(pod): pod["metadata"]["name"] for pod in running}
            waited_s = time.monotonic() - begun
            job = self.session.api.request("GET", self.path)
            seen = waiting.look(self.session, self.session.api.resource("jobs"), job)
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
            if waited_s > READY_S:
                raise TimedOut(
                    f"{len(running)} of {self.pods} workers run after {READY_S:g} s",
                    seen.doing,
                    "fewer pods; lab.events() says what happens",
                )
            on_wait(f"{len(running)} of {self.pods} workers run")
            time.sleep(POLL_S)

    def _not_made(self, job: dict) -> verdict.Trouble | None:
        """A quota can let some of the Pods be made, and the others not."""
        fields = f"involvedObject.uid={job['metadata']['uid']}"
        events = self._list("events", fieldSelector=fields)
        return verdict.workload_trouble({**job, "spec": {"replicas": self.pods}}, events)

    def _list(self, plural: str, **query: str) -> list[dict]:
        path = self.session.api.resource(plural).path(self.session.namespace)
        return self.session.api.request("GET", path, query=query)["items"]

    def _follow(self, index: int, pod: str) -> None:
        """Puts a worker's log into the news; in a thread of its own."""
        path = f"{self.session.api.resource('pods').path(self.session.namespace, pod)}/log"
        deadline = time.monotonic() + longest_s(self.plan) + READY_S
        while True:
            try:
                left_s = max(deadline - time.monotonic(), 0.0)
                for line in self.session.api.lines(path, query={"follow": "true"}, timeout_s=left_s):
                    if line is not None:
                        self.news.put(News(index, line))
                break
            except ApiSilent:  # it restarts; the log is read anew, and nothing counts twice
                if time.monotonic() > deadline:
                    break
                time.sleep(1)
            except NotFound:
                break
        self.news.put(News(index, None))

    def _heard(self, deadline: float) -> Iterator[News]:
        """The news until every worker has given its result, or the time is up."""
        while len(self.results) < self.pods:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            with suppress(queue.Empty):
                yield self.news.get(timeout=min(left_s, 1.0))

    def _take(self, news: News, names: dict[int, str], *, lenient: bool) -> None:
        if news.line is None:
            if news.worker not in self.results and not lenient:
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
        """Tells every worker when to begin."""
        # one needs to wait for nobody
        self.start_at = time.time() + (START_S if self.pods > 1 else 0.0)
        command = ("sh", "-c", f"echo {self.start_at!r} > /start/at")
        with ThreadPoolExecutor(self.pods) as pool:
            list(pool.map(lambda pod: inside.ran(self.session, pod, command), names.values()))

    def _without_result(self, index: int, name: str) -> CommandFailed | PodFailed:
        path = self.session.api.resource("pods").path(self.session.namespace, name)
        happened = f"worker {index} of the load test, pod/{name}, ended without a result"
        with suppress(NotFound):
            found = verdict.trouble(self.session.api.request("GET", path))
            if found and found.reason not in ("Error", "Completed"):
                return PodFailed(happened, found.message, found.hint, reason=found.reason)
        return CommandFailed(happened, f"its last words: {self.said[index]}", "once more")

    def _merged(self) -> Result:
        found = [self.results[index] for index in sorted(self.results)]
        whole = Result.merge(found)
        whole.plan = self.plan
        if self.pods > 1:
            for result in found:
                late_s = result.started_at - self.start_at
                if late_s > LATE_S:
                    index = result.plan.worker
                    whole.reasons.append(f"worker {index} began {late_s:.1f} s after the others")
        if len(found) < self.pods:
            whole.interrupted = True
            whole.reasons.append(f"{self.pods - len(found)} of {self.pods} workers gave no result")
        return whole


def _has_started(pod: dict) -> bool:
    return any(
        "running" in status["state"] or "terminated" in status["state"]
        for status in pod.get("status", {}).get("containerStatuses", [])
    )


def _index(pod: dict) -> int:
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])


def _delete(session: Session, name: str) -> None:
    path = session.api.resource("jobs").path(session.namespace, name)
    with suppress(NotFound):
        session.api.request("DELETE", path, body={"propagationPolicy": "Foreground"})


def _wait_until_gone(session: Session, name: str) -> None:
    """With its Pods, which would disturb the next one; one that stays longer goes by itself."""
    path = session.api.resource("jobs").path(session.namespace, name)
    deadline = time.monotonic() + GONE_S
    while time.monotonic() < deadline:
        try:
            session.api.request("GET", path)
        except NotFound:
            return
        time.sleep(POLL_S)
