"""Folders of models: shared by several Ollamas, read-only, empty, or left by a cut pull."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import Facts, container_of, mains, status_of
from labkit.diagnosis.mistake import LOGGED, SHOWN, Mistake
from labkit.diagnosis.programs import failing, last_message
from labkit.diagnosis.symptoms import named
from labkit.ui import units

# what `ollama pull` of 0.34.2 ends with when another server moved or removed its partial file
_PARTIAL = re.compile(
    r"(?P<what>rename|remove) (?P<file>\S+-partial(?:-\d+)?)(?: \S+)?: no such file or directory"
)
_PULL = re.compile(r'\| 200 \|\s*(\S+) \|[^|\n]*\|\s*POST\s+"/api/pull"')
_TIDIES_S = 3600.0  # a server that starts removes what is older: layerPruneGracePeriod of 0.34.2
_EMPTY = re.compile(r"(?:mkdir \S+/blobs|(?:remove|mkdir) \S+/manifests\S*): read-only file system")
_READ_ONLY = re.compile(r"open \S+/blobs/sha256-\S+: read-only file system")
_BEGINS = re.compile(r'time=(\S+) level=INFO [^\n]*msg="downloading (\w+) in (\d+) [^"\n]*part')
_KILLED = 128 + 9
_AT_ONCE_S = 60.0  # from a start until the pull that is part of it


def _told(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """Who was told what, and the log of its server: containers that fail, hooks, clients."""
    for pod, container, log in failing(facts):
        said = f"{last_message(pod, container['name'])}\n{log}"
        yield f"{named(pod)}, container {container['name']}", said, facts.log(pod)
    for pod in symptoms.hooks_failed(facts):
        said = "\n".join(facts.said(pod, "FailedPostStartHook"))
        yield f"the hook of {named(pod)}", said, facts.log(pod)
    for said, _ in symptoms.clients(facts):
        yield "a pull", said, said


def _lost(facts: Facts) -> Iterator[tuple[str, re.Match, float]]:
    """Who lost a partial file in a pull, and for how many seconds that pull had run."""
    for who, said, log in _told(facts):
        if found := _PARTIAL.search(said):
            lasted = [units.duration_s(one) for one in _PULL.findall(log)]
            yield who, found, max(lasted, default=0.0)


def _file(found: re.Match) -> str:
    return f"{found['what']} …/{found['file'].rpartition('/')[2]}: no such file or directory"


def two_pulls(facts: Facts) -> str:
    for who, found, lasted_s in _lost(facts):
        if lasted_s < _TIDIES_S:
            return f"{who} was told: {_file(found)}"
    return ""


def tidied(facts: Facts) -> str:
    for who, found, lasted_s in _lost(facts):
        if lasted_s >= _TIDIES_S:
            return f"{who} was told after {lasted_s / 3600:.1f} h: {_file(found)}"
    return ""


def empty(facts: Facts) -> str:
    for pod, container, log in failing(facts):
        if found := _EMPTY.search(f"{last_message(pod, container['name'])}\n{log}"):
            return f"{named(pod)}, container {container['name']}: {symptoms.end_of(found[0])}"
    return ""


def read_only(facts: Facts) -> str:
    for who, said, _ in _told(facts):
        if found := _READ_ONLY.search(said):
            return f"{who} was told: {symptoms.end_of(found[0])}"
    return ""


def begins_again(facts: Facts) -> str:
    """A pull as part of a start, after the server was ended by SIGKILL."""
    for pod in facts.pods:
        container = container_of(pod) or {}
        status = status_of(pod, container.get("name", ""))
        begun = status.get("state", {}).get("running", {}).get("startedAt")
        last = status.get("lastState", {}).get("terminated", {})
        if not begun or last.get("exitCode") != _KILLED or container not in mains(pod):
            continue
        log = facts.log_of(pod, container["name"])
        for found in _BEGINS.finditer(log):
            after_s = (units.moment_of(found[1]) - units.moment_of(begun)).total_seconds()
            if 0 <= after_s <= _AT_ONCE_S and not _PULL.search(log[found.end() :]):
                parts = units.count(int(found[3]), "part")
                return f"{named(pod)} was ended by SIGKILL, and fetches {found[2]} ({parts}) again"
    return ""


ROWS = (
    Mistake(
        "store-two-pulls",
        "a pull fetches everything, then fails: rename …-partial …: no such file or directory",
        "two Ollamas pulled the same model into one folder at the same time; one of them finished"
        " it, and the partial file of the other was gone",
        "pull once more: it succeeds at once; let one Job pull, and the servers only read"
        " (k8s/steps/05-store)",
        "kubectl get pods --output=jsonpath={..claimName}",
        "logs of containers that fail, hooks, clients, the error",
        two_pulls,
        sure=SHOWN,
        unless="each Pod has a folder of its own",
        rules_out=("misspelt-model", "hook-misspelt-model", "hook-before-server"),
    ),
    Mistake(
        "store-tidied-in-a-pull",
        "a pull of more than an hour fails: remove …-partial-0: no such file or directory",
        "another Ollama started on the same folder, and at its start removed partial files that"
        " are older than an hour",
        "OLLAMA_NOPRUNE=1 in the servers that share the folder (k8s/steps/05-store); pull again",
        "kubectl get pods --output=yaml",
        "logs of containers that fail, hooks, clients, the error; how long the pull took",
        tidied,
        sure=SHOWN,
        unless="no other server uses the folder",
        rules_out=("misspelt-model", "hook-misspelt-model", "hook-before-server"),
    ),
    Mistake(
        "store-empty-and-read-only",
        "the server ends at once: mkdir …/blobs, or remove …/manifests/…: read-only file system",
        "the folder of models is mounted read-only, and the server has to create or to tidy"
        " something there at its start",
        "fill the folder first (a Job), let an init container wait for that, and set"
        " OLLAMA_NOPRUNE=1: k8s/steps/05-store",
        "kubectl logs deployment/ollama --previous",
        "the last words of containers that end",
        empty,
        unless="the mount is not readOnly",
        rules_out=("home-not-writable", "misspelt-command", "background-server"),
    ),
    Mistake(
        "store-read-only",
        "a pull fails: open …/blobs/sha256-…-partial-0: read-only file system",
        "the folder of models is mounted read-only: this server can read models, and not pull any",
        "pull where the folder is writable, as the Job of k8s/steps/05-store does; the servers see"
        " the model at once",
        "kubectl get deployment/ollama --output=jsonpath={..volumeMounts}",
        "logs of containers that fail, hooks, clients, the error",
        read_only,
        sure=SHOWN,
        unless="the mount is not readOnly",
        rules_out=("home-not-writable", "misspelt-model", "hook-misspelt-model"),
    ),
    Mistake(
        "pull-begins-again",
        "a pull never ends: each restart of the container begins it again",
        "the server was ended by SIGKILL in the middle of a pull, and then each part that was not"
        " whole (100 MB to 1 GB) begins from its first byte; after SIGTERM it continues",
        "find what kills it (memory limit, liveness probe, kubectl delete --force); leave it until"
        " the pull is done",
        "kubectl describe pods",
        "how its container ended, its log",
        begins_again,
        sure=LOGGED,
        unless="the folder of models is not on a volume: then all of it is lost at each restart",
    ),
)
