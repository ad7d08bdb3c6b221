"""What the checks of 08 and 08b look at: what Prometheus has of the Pods that are there now."""

from __future__ import annotations

import json

import labkit
from labkit.kube import pod_logs, refs
from labkit.kube.session import Session
from labkit.lessons import deployment_probes, pod_probes, service_probes
from labkit.lessons.seen import Seen
from labkit.measure import prometheus
from labkit.ollama import client
from labkit.ollama.model_name import same
from labkit.setup.cluster import slow_model
from labkit.ui import units

NOW_S = 4  # two scrapes: one may be late
BURSTS = 0.1  # throttled in more than this share of its periods: a limit that is felt
RECENT_S = 15  # as long as a check that waits for Prometheus may take
_LIMITS = "kubectl describe deployment/ollama shows the limits of its container `ollama`"
_ASK = 'lab.load_test("service/ollama")'


def scraped(session: Session) -> Seen:
    """Service `ollama` answers, and Prometheus reads proxy and exporter of each of its Pods."""
    answers = service_probes.service_answers(session)
    if not answers.passed:
        return answers
    up = 'sum by (pod) (up{NS, container=~"haproxy|exporter"})'
    short = {pod: count for pod, count in _each(session, up) if count != 2}
    if short:
        saw = ", ".join(f"{pod}: {count or 0:g} of 2" for pod, count in short.items())
        hint = "lab.metrics('up') shows the port that does not answer; 08-proxy has both"
        return Seen(False, f"Prometheus reads too little: {saw}", hint)
    return Seen(True, f"{answers.saw}, and Prometheus reads proxy and exporter")


def counted(session: Session) -> Seen:
    """The same; the proxies pass on what the Service is asked, and each Pod has both models."""
    read = scraped(session)  # it asks, by /api/chat
    if not read.passed:
        return read
    recent = {"sinceSeconds": RECENT_S}
    if not any(_passed_on(session, pod, "/api/chat", **recent) for pod in _pods(session)):
        saw = "service/ollama answers, and no proxy has passed the question on"
        return Seen(False, saw, 'lab.apply("k8s/steps/03-service"): its port is the proxy\'s')
    both = deployment_probes.every_pod_has_both(session)
    return Seen(True, f"{read.saw}; {both.saw}") if both.passed else both


def both_scraped(session: Session) -> Seen:
    """Deployment `ollama` has two ready Pods that answer, and Prometheus reads both."""
    two = deployment_probes.deployment_ready(2)(session)
    return scraped(session) if two.passed else two


def front_spreads(session: Session) -> Seen:
    """Service `front` answers, and its proxy finds two Pods of Deployment `ollama` healthy."""
    two = deployment_probes.deployment_ready(2)(session)
    if not two.passed:
        return two
    healthy = _now(
        session, 'max by (proxy) (haproxy_backend_active_servers{NS, proxy="pods"})', "proxy"
    )
    count = healthy.get("pods", 0)
    saw = f"the front proxy sends to {units.count(count, 'Pod')}"
    if count != 2:
        return Seen(False, saw, 'lab.apply("k8s/steps/08-front"), lab.rollout("deployment/front")')
    answers = pod_probes.answers("service/front")
    return Seen(answers.passed, f"{saw}; {answers.saw}", answers.hint)


def both_serve(session: Session) -> Seen:
    """Both Pods have their model, and each has answered a client."""
    two = deployment_probes.deployment_ready(2)(session)
    if not two.passed:
        return two
    has = 'sum by (pod) (haproxy_backend_active_servers{NS, proxy="inference"})'
    for pod, count in _each(session, has):
        if not count:
            return Seen(False, f"the proxy of {pod} finds no model", f'lab.pull(at="pod/{pod}")')
    answered = _answered(session, 1)
    if not answered.passed:
        return answered
    for one in deployment_probes.pod_models(session):
        since = {"sinceTime": one.had_at.isoformat()} if one.had_at else {}
        if not _passed_on(session, one.name, "/api/generate", **since):
            saw = f"{one.name} has its model again, and no client has asked it since"
            return Seen(False, saw, _ASK)
    return answered


def unthrottled(session: Session) -> Seen:
    """The one Pod has answered eight prompts, and no limit has stopped its processor meanwhile."""
    one = deployment_probes.deployment_ready(1)(session)
    answered = _answered(session, 8) if one.passed else one
    if not answered.passed:
        return answered
    # memory: that cAdvisor has seen the container at all; without a limit there are no periods
    here = 'NS, container="ollama"'
    for pod, memory in _each(
        session, f"sum by (pod) (container_memory_working_set_bytes{{{here}}})"
    ):
        if memory is None:
            return Seen(False, f"cAdvisor has not seen {pod} yet", "it looks every 10 s")
    stopped = (
        f"sum by (pod) (container_cpu_cfs_throttled_periods_total{{{here}}})"
        f" / sum by (pod) (container_cpu_cfs_periods_total{{{here}}})"
    )
    limits = _cpu_limits(session)
    for pod, share in _each(session, stopped):
        if limits.get(pod) and share is None:
            saw = f"{pod} has a CPU limit, {limits[pod]}, and cAdvisor has not counted it yet"
            return Seen(False, saw, _LIMITS)
        if (share or 0) > BURSTS:
            saw = f"{pod} was paused by its CPU limit in {share:.0%} of its periods"
            return Seen(False, saw, _LIMITS)
    return Seen(True, f"{answered.saw}, and no CPU limit has paused it")


def both_models_stay(session: Session) -> Seen:
    """The one Pod has two models in memory at once."""
    one = deployment_probes.deployment_ready(1)(session)
    if not one.passed:
        return one
    loaded = _each(session, "sum by (pod) (ollama_loaded_models{NS})")
    saw = ", ".join(
        f"{pod} has {units.count(count or 0, 'model')} in memory" for pod, count in loaded
    )
    hint = "ask the one, then the other: kubectl exec deployment/ollama -- ollama ps has both"
    if not all(count == 2 for _, count in loaded):
        return Seen(False, saw, hint)
    wanted = (labkit.model, slow_model.NAME)
    for pod in _pods(session):
        with client.server(f"pod/{pod}") as server:
            held = [one["name"] for one in server.get("/api/ps")["models"] or []]
        if not all(any(same(name, model) for name in held) for model in wanted):
            return Seen(False, f"{pod} has {' and '.join(held)} in memory", hint)
    return Seen(True, saw)


def _answered(session: Session, least: int) -> Seen:
    query = 'sum by (pod) (ollama_answers_total{NS, path="/api/generate", outcome="ok"})'
    found = [(pod, count or 0) for pod, count in _each(session, query)]
    saw = ", ".join(f"{pod} has answered {count:g}" for pod, count in found)
    return Seen(all(count >= least for _, count in found), saw, f"no requests yet? {_ASK}")


def _each(session: Session, query: str) -> list[tuple[str, float | None]]:
    """The value now of each Pod of Deployment `ollama`; None of one that Prometheus does not know.

    Pods that are about to go are left out, and those that are gone, of which it knows yet.
    """
    found = _now(session, query, "pod")
    return [(name, found.get(name)) for name in _pods(session)]


def _pods(session: Session) -> list[str]:
    return [pod["metadata"]["name"] for pod in filter(refs.stays, deployment_probes.pods(session))]


def _cpu_limits(session: Session) -> dict[str, str]:
    """Pod → the CPU limit of its container `ollama`, where it has one."""
    return {
        pod["metadata"]["name"]: one["resources"]["limits"]["cpu"]
        for pod in deployment_probes.pods(session)
        for one in pod.get("spec", {}).get("containers", [])
        if one["name"] == "ollama" and "cpu" in one.get("resources", {}).get("limits", {})
    }


def _passed_on(session: Session, pod: str, path: str, **query: object) -> bool:
    """Has the proxy of this Pod had a whole answer to such a request? By its log, a line each."""
    log = pod_logs.written(session, pod, container="haproxy", **query)
    records = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return any((one["path"], one["status"]) == (path, 200) for one in records)


def _now(session: Session, query: str, by: str) -> dict[str, float]:
    query = query.replace("NS", f'namespace="{session.namespace}"')
    found = prometheus.queried(session, prometheus.asking(query, minutes=NOW_S / 60))
    return {one.labels[by]: one.points[-1][1] for one in found.series}
