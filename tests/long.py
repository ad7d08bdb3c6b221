"""goto from any step to any other, and random walks with faults between: `./lab test long`.

    .venv/bin/python tests/long.py --pairs 100 --walks 10 --minutes 10 --seed 7

All pairs of different starts take an hour, 40 walks half of one. `--share 1/3` takes every third
pair, so that three can run beside each other, each in a namespace of its own. Each goto is
verified; what fails is named with its seed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from labkit.errors import LabError
from labkit.jupyter import namespace
from labkit.kube import session
from labkit.lessons import steps
from labkit.lessons.reset import goto
from labkit.setup.cluster import environment, labs

ANY_POD = "$(kubectl get pods -o name | shuf -n 1)"
FAULTS = (
    "kubectl create deployment ollama --image ollama/ollama -- ollama srve",
    "kubectl create deployment mine --image ollama/ollama --replicas 2",
    "kubectl create configmap held; kubectl patch configmap held --type merge"
    """ -p '{"metadata": {"finalizers": ["example.com/hold"]}}'"""
    "; kubectl delete configmap held --wait=false",
    "kubectl create quota none --hard pods=0",
    "kubectl create service clusterip ollama --tcp 11343",
    "kubectl delete deployment ollama --cascade=orphan",
    "kubectl delete namespace $LAB_NAMESPACE --wait=false",
    "kubectl delete service ollama",
    f"kubectl delete {ANY_POD} --now --wait=false",
    f"kubectl exec {ANY_POD} -- ollama pull --insecure $MODEL",
    f"kubectl exec {ANY_POD} -- ollama rm $MODEL",
    f"kubectl label {ANY_POD} app=mine --overwrite",
    "kubectl label namespace $LAB_NAMESPACE"
    " pod-security.kubernetes.io/enforce=restricted --overwrite",
    "kubectl run bare --image ollama/nosuch",
    "kubectl scale deployment ollama --replicas 0",
    "kubectl set env deployment/ollama OLLAMA_HOST=127.0.0.1",
    "kubectl set image deployment/ollama ollama=ollama/olama",
    "kubectl set resources deployment ollama --limits memory=16Mi",
    "helm install second ollama --repo $CHARTS",
    "helm uninstall ollama",
    "timeout --signal KILL 1.5 helm upgrade --install ollama ollama --repo $CHARTS --wait",
    "KILLED",  # a goto, by kill -9
)


def main() -> int:
    options = _options()
    chance = random.Random(options.seed)
    name = namespace.make(Path("long"))
    _enter(name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    deadline = time.monotonic() + options.minutes * 60
    seconds: list[float] = []
    failed: list[str] = []
    try:
        _pairs(chance, options.pairs, options.share, deadline, seconds, failed)
        for walk in range(options.walks):
            if time.monotonic() > deadline:
                print(f"time is up after {walk} walks")
                break
            _walk(random.Random(f"{options.seed} {walk}"), walk, options.length, seconds, failed)
    finally:
        namespace.remove(name)
    slowest = f", median {statistics.median(seconds):.1f} s, slowest {max(seconds):.1f} s"
    print(f"{len(seconds)} gotos{slowest if seconds else ''}; seed {options.seed}")
    print("\n".join(["failed:", *failed]) if failed else "none failed")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=10**6, help="of different starts (all)")
    parser.add_argument("--share", type=_share, default=(1, 1), help="of the pairs: 1/3, 2/3, 3/3")
    parser.add_argument("--walks", type=int, default=40)
    parser.add_argument("--length", type=int, default=4, help="gotos of a walk (4)")
    parser.add_argument("--minutes", type=float, default=240.0, help="begin nothing after these")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _share(text: str) -> tuple[int, int]:
    part, whole = (int(word) for word in text.split("/"))
    if not 1 <= part <= whole:
        raise ValueError(text)
    return part, whole


def _pairs(
    chance: random.Random,
    count: int,
    share: tuple[int, int],
    deadline: float,
    seconds: list,
    failed: list,
) -> None:
    """Each goto leaves the start of the next pair; those that were not yet are preferred."""
    starts = {str(steps.before(step)): step.id for step in steps.STEPS}  # one step for each state
    names = list(starts.values())
    pairs = [(a, b) for a in names for b in names if a != b]
    left = set(pairs[share[0] - 1 :: share[1]])
    total = len(left)
    here = chance.choice(names)
    goto.goto(here)
    done = 0
    while left and done < count and time.monotonic() < deadline:
        onward = sorted(b for a, b in left if a == here) or sorted({a for a, _ in left})
        there = chance.choice(onward)
        left.discard((here, there))
        _goto(there, f"{here} → {there}", seconds, failed)
        here, done = there, done + 1
    print(f"{total - len(left)} of {total} pairs of {len(names)} different starts")


def _walk(chance: random.Random, walk: int, length: int, seconds: list, failed: list) -> None:
    for place in range(length):
        step = chance.choice(steps.STEPS).id
        faults = chance.sample(FAULTS, chance.randint(1, 4))
        for fault in faults:
            if fault == "KILLED":
                _killed(chance)
            else:  # most of them fail in most states
                words = ["bash", "-c", fault]
                subprocess.run(words, capture_output=True, timeout=60, check=False)
        _goto(step, f"walk {walk}.{place}: {faults} → {step}", seconds, failed)


def _killed(chance: random.Random) -> None:
    words = [sys.executable, "-P", "-m", "labkit", "goto", chance.choice(steps.STEPS).id, "--yes"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(chance.uniform(0.3, 4))
        process.kill()


def _goto(step: str, what: str, seconds: list, failed: list) -> None:
    begun = time.monotonic()
    try:
        goto.goto(step)
        left = goto.planned(session.current(), steps.before(steps.one(step)))
        assert not left, left
    except (LabError, AssertionError) as error:
        failed.append(f"{what}: {error}")
    seconds.append(time.monotonic() - begun)
    print(f"{seconds[-1]:6.1f} s  {what}", flush=True)


def _enter(name: str) -> None:
    values = environment.variables()
    config = labs.Lab().kubeconfig_in(name)
    values["PATH"] = os.pathsep.join([values["PATH"], os.environ["PATH"]])
    os.environ.update(values, KUBECONFIG=str(config), LAB_NAMESPACE=name)
    session.enter(name)


if __name__ == "__main__":
    sys.exit(main())
