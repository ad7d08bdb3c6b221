"""`lab.plant`: an Ollama with one classic mistake in it, for the hunt of notebook 10."""

from __future__ import annotations

import copy
import random
import secrets
from typing import Any

from labkit.diagnosis import ranking
from labkit.kube import apply, deletion
from labkit.kube.results import Done, told
from labkit.kube.session import Session, current
from labkit.lessons import desired_objects, steps
from labkit.setup.host import speed
from labkit.setup.host.poll import Poll
from labkit.ui.live import Live, describe

WELL = steps.one("10-troubleshoot/hunt").state
SHOWS_S, LOOK_EVERY_S = 40.0, 1.0
_SHUFFLE = 3  # so that seeds in a row have nothing to do with each other
_HOOK = """\
until ollama list > /dev/null 2>&1; do sleep 0.2; done
exec ollama pull --insecure """
_ENV = [{"name": "HOME", "value": "/ollama"}, {"name": "OLLAMA_NO_CLOUD", "value": "1"}]


def _hook(script: str) -> dict[str, Any]:
    return {"postStart": {"exec": {"command": ["sh", "-c", script]}}}


def _probe(path: str, port: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1}


def _ports(port: int, target: int) -> list[dict[str, Any]]:
    return [{"name": str(port), "port": port, "targetPort": target}]


# id of the mistake → what it changes in the container, and in the Service; None takes it away
PLANTS: dict[str, dict[str, dict[str, Any]]] = {
    "unknown-tag": {"container": {"image": "ollama/ollama:0.0.1"}},
    "misspelt-image": {"container": {"image": "ollama/olama"}},
    "misspelt-command": {"container": {"command": ["ollama", "srve"]}},
    "hook-misspelt-model": {"container": {"lifecycle": _hook(f"{_HOOK}$MODEL-nosuch")}},
    "hook-before-server": {
        "container": {
            # longer than the grace period: else a slow machine's hook comes late enough to succeed
            "command": ["sh", "-c", "sleep 10; exec ollama serve"],
            "lifecycle": _hook("ollama pull --insecure $MODEL"),
        }
    },
    "memory-limit": {"container": {"resources": {"limits": {"memory": "6Mi"}}}},
    "request-fits-no-node": {"container": {"resources": {"requests": {"cpu": "300"}}}},
    "ollama-host-loopback": {
        "container": {"env": [*_ENV, {"name": "OLLAMA_HOST", "value": "127.0.0.1"}]}
    },
    "probe-wrong-port": {"container": {"readinessProbe": _probe("/", 11343)}},
    "pods-not-ready": {"container": {"readinessProbe": _probe("/healthz", 11434)}},
    "selector-matches-nothing": {"service": {"selector": {"app": "olama"}}},
    "wrong-target-port": {"service": {"ports": _ports(11434, 11343)}},
    "wrong-service-port": {"service": {"ports": _ports(11343, 11343)}},
    "model-not-pulled": {"container": {"lifecycle": None}},
}


def plant(seed: int | None = None) -> Done:
    """Create an Ollama with a mistake in it, chosen by the seed, for you to find.

        lab.plant(seed=1)

    Equals `kubectl apply` of k8s/steps/05-model, 05-hook and 03-service, with one change, and a
    wait until that shows. The same seed makes the same mistake; without one, any. It replaces
    Deployment and Service `ollama` in your namespace. Raises what `lab.apply` raises.
    """
    session = current()
    seed = secrets.randbelow(1000) if seed is None else seed
    for target in ("deployment/ollama", "service/ollama"):
        deletion.delete(target, ignore_not_found=True)
    describe("kubectl apply of k8s/steps/05-model, 05-hook and 03-service, with one change")
    for item in changed(desired_objects.objects(session, WELL), PLANTS[chosen(seed)]):
        apply.applied(session, [item])
    _until_it_shows(session, chosen(seed))
    return told(f"Something is wrong here now (seed {seed}). Service ollama should answer.")


def chosen(seed: int) -> str:
    """The mistake of a seed; as many seeds in a row as there are mistakes make all of them.

    >>> len({chosen(seed) for seed in range(7, 7 + len(PLANTS))}) == len(PLANTS)
    True
    """
    shuffled = random.Random(_SHUFFLE).sample(sorted(PLANTS), len(PLANTS))
    return shuffled[seed % len(PLANTS)]


def changed(
    objects: list[dict[str, Any]], change: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """The objects with a mistake in the Deployment's container, or in the Service."""
    objects = copy.deepcopy(objects)
    for item in objects:
        if item["kind"] == "Deployment":
            _change(item["spec"]["template"]["spec"]["containers"][0], change.get("container", {}))
        if item["kind"] == "Service":
            _change(item["spec"], change.get("service", {}))
    return objects


def _until_it_shows(session: Session, id_: str) -> None:
    """Who looks at once sees Pods that begin, and nothing wrong with them."""
    poll = Poll(speed.deadline(SHOWS_S), every_s=LOOK_EVERY_S)
    with Live("plant") as live:
        while not poll.is_over:
            found = ranking.likely(session)
            if found and found.id == id_:
                break
            waited = f"{poll.waited_s:.0f} s of {poll.limit_s:.0f} s at most"
            live.show(f"waiting until it shows, {waited}")
            poll.pause()
        live.done("planted")


def _change(part: dict[str, Any], change: dict[str, Any]) -> None:
    part.update(change)
    for name in [name for name, value in change.items() if value is None]:
        del part[name]
