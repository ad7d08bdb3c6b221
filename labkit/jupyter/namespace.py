"""A namespace of its own for each notebook: made before its kernel, gone after it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from pathlib import Path

from labkit.errors import LabError, NotUp
from labkit.kube import refs
from labkit.setup.cluster import labs
from labkit.setup.host import paths, pid

RUN = "labkit/run"  # which pytest made it
REMOVE_S = 120


def lab() -> labs.Lab:
    """The lab that the notebooks run in. Raises NotUp."""
    found = labs.Lab(os.environ.get("LAB_CONTEXT", ""))
    if not found.kubeconfig.exists():
        raise NotUp("there is no lab for the notebooks", f"no {found.kubeconfig}", "./lab up")
    return found


def make(notebook: Path) -> str:
    """A new namespace, labelled as the learner's is; its name."""
    short = re.sub(r"[^a-z0-9]+", "-", notebook.stem.lower()).strip("-")[:30]
    name = f"lab-nb-{short}-{secrets.token_hex(3)}"
    level = "pod-security.kubernetes.io"
    labels = {
        labs.LABEL[0]: labs.LABEL[1],
        RUN: run_id(),
        f"{level}/enforce": "baseline",
        f"{level}/audit": "restricted",
        f"{level}/warn": "baseline",
    }
    item = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }
    lab().kubectl("create", "--filename", "-", stdin=json.dumps(item))
    return name


def remove(*names: str) -> None:
    """Order them gone, without waiting; forget the kubeconfig that pointed there."""
    if names:
        words = ("delete", "namespace", *names, "--wait=false", "--ignore-not-found")
        lab().kubectl(*words)
    for name in names:
        shutil.rmtree(paths.state("namespaces", name), ignore_errors=True)


def wait_until_gone() -> None:
    """Until no namespace of this run is left; raises CommandFailed after two minutes."""
    chosen = ("namespaces", "--selector", f"{RUN}={run_id()}")
    limit = f"--timeout={REMOVE_S}s"
    lab().kubectl("wait", "--for=delete", *chosen, limit, timeout_s=REMOVE_S + 20)


def remove_leftovers() -> list[str]:
    """Order away what killed runs on this machine left behind; their names."""
    found = lab().get("namespaces", "--selector", RUN).get("items", [])
    dead = [
        item["metadata"]["name"]
        for item in filter(refs.stays, found)
        if pid.is_dead(item["metadata"]["labels"][RUN])
    ]
    remove(*dead)
    return dead


def describe(name: str) -> list[tuple[str, str]]:
    """Title and text of what a failure wants to be read with: events, Pods, logs."""
    here = ("--namespace", name)
    wanted = (
        ("events", ("get", "events", "--sort-by=.lastTimestamp")),
        ("Pods", ("get", "pods", "--output", "wide")),
    )
    found = [(f"{title} of {name}", _said(*words, *here)) for title, words in wanted]
    names = _said("get", "pods", "--output", "name", *here).splitlines()
    for pod in [name for name in names if name.startswith("pod/")]:  # else it is an error's text
        text = _said("logs", pod, "--all-containers", "--tail=30", *here)
        found.append((f"logs of {pod}", text))
    return found


def run_id() -> str:
    """This pytest, or the one that started it: machine, process, and when that began."""
    return pid.name(int(os.environ.get("LAB_PROVING_PID") or os.getpid()))


def _said(*words: str) -> str:
    try:
        return lab().kubectl(*words, timeout_s=30)
    except LabError as error:  # an API server that is silent too: the failure itself is told
        return str(error)
