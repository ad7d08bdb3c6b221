"""`lab.diagnose()`: what is wrong in a namespace, of the lab's cluster or of any other."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labkit.diagnosis import evidence, gathering, ranking
from labkit.diagnosis.facts import Facts
from labkit.diagnosis.mistake import SURE, Mistake
from labkit.errors import ContextUnknown, NotFound, NotUp, Refused
from labkit.kube import pod_status, session
from labkit.kube.discovery import require_name
from labkit.kube.session import Session
from labkit.setup.cluster import labs
from labkit.ui import units
from labkit.ui.notebook import Shown


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown):
    """The causes that fit a namespace, the surest first, and what was looked at.

    `found`: each with `id`, `saw`, `cause`, `fix`, `look`, `sure` (3 the cluster reports it, 2 its
    objects show it, 1 a log suggests it) and `unless`, what would refute it. `ruled_out`: names
    that the same facts could get, wrongly. `troubles`: what is not well and has no name here.
    """

    namespace: str
    found: list[Mistake]
    looked: str
    ruled_out: list[str]
    troubles: list[str]
    context: str = ""

    def plain(self) -> dict[str, Any]:
        """For programs."""
        names = ("id", "saw", "cause", "fix", "look", "unless")
        found = [
            {**{name: getattr(one, name) for name in names}, "sure": SURE[one.sure]}
            for one in self.found
        ]
        more = {"ruled_out": self.ruled_out, "troubles": self.troubles, "looked": self.looked}
        return {"namespace": self.namespace, "found": found, **more}

    def __str__(self) -> str:
        if not self.found:
            lines = [f"namespace {self.namespace}: no known cause seen"]
        else:
            order = ", the surest first" if len(self.found) > 1 else ""
            count = units.count(len(self.found), "cause")
            lines = [f"namespace {self.namespace}: {count}{order}"]
        for one in self.found:
            lines += [f"{one.id} ({SURE[one.sure]})"]
            parts = {"saw": one.saw, "cause": one.cause, "try": self._placed(one.fix)}
            parts |= {"look": self._placed(one.look), "not if": one.unless}
            lines += [f"  {name}: {text}" for name, text in parts.items() if text]
        if self.ruled_out:
            lines.append(f"ruled out: {', '.join(self.ruled_out)}")
        lines += [f"not well, for a reason that has no name here: {one}" for one in self.troubles]
        return "\n".join([*lines, f"looked at: {self.looked}"])

    __repr__ = __str__

    def _placed(self, line: str) -> str:
        """A line to look with, for the place that was looked at."""
        if "--namespace" in line or "--all-namespaces" in line:
            return line
        where = f"kubectl --context={self.context} " if self.context else "kubectl "
        is_usual = not self.context and self.namespace == labs.LEARNER
        where += "" if is_usual else f"--namespace={self.namespace} "
        return line.replace("kubectl ", where)


def diagnose(namespace: str | None = None, *, context: str | None = None) -> Diagnosis:
    """Return the causes of what does not work in a namespace, the surest first; none is a result.

        lab.diagnose()

    Reads Pods and what makes them, Services, events, volumes, policies, and the logs of containers
    that matter; changes nothing, and needs no more than the right to read. Without `namespace` it
    is yours; `context` is one of your kubeconfig, of a cluster that need not have a lab:
    `lab.diagnose("team-a", context="company")`. Equals
    `./lab diagnose -n NAMESPACE --context CTX`. Raises NotFound for a namespace that is not there,
    ContextUnknown, NotUp, ApiSilent.
    """
    here = place(namespace, context)
    facts = gathering.gather(here.session, outside=here.outside)
    silent = [one for one in facts.unread if one.startswith("pods: ")]
    if silent:
        hint = f"kubectl auth can-i list pods --namespace={facts.namespace}"
        raise Refused(f"the Pods of namespace {facts.namespace} cannot be read", silent[0], hint)
    return of(facts, here.context)


@dataclass(frozen=True)
class Place:
    """Where to look; `outside` of the workshop no lesson's model or mirror says anything."""

    session: Session
    outside: bool
    context: str = ""  # of the user's own kubeconfig; "" for the lab's


def place(namespace: str | None, context: str | None) -> Place:
    """The namespace to look at. Raises NotFound, ContextUnknown, NotUp."""
    require_name(namespace or "")
    context = context or os.environ.get("LAB_CONTEXT", "")
    own = labs.Lab(context).kubeconfig
    if own.exists():
        current = session._current
        usual = current.namespace if current and current.context == context else ""
        name = namespace or usual or os.environ.get("LAB_NAMESPACE") or labs.LEARNER
        here = Session(name, context, own)
        return Place(here, outside=not _is_workshops(here))
    if not context:
        hint = "./lab up; or another cluster: ./lab diagnose --context CTX"
        raise NotUp("the lab is not up", "no cluster of its own", hint)
    file, usual = _file_with(context)
    here = Session(namespace or usual, context, file, is_users=True)
    here.api._says_ready = False  # many do not let a token's user ask that without it
    _is_workshops(here)  # raises where there is no such namespace
    return Place(here, outside=True, context=context)


def _is_workshops(here: Session) -> bool:
    """Does the namespace carry the lab's label? Raises NotFound where it is not there."""
    try:
        found = here.api.request("GET", f"/api/v1/namespaces/{here.namespace}")
    except NotFound as error:
        happened = f"there is no namespace {here.namespace}"
        raise NotFound(happened, error.saw, "kubectl get namespaces") from None
    except Refused:  # one may read what is in it, and not the namespace itself
        return False
    return labs.ours(found) and here.namespace != labs.SYSTEM


def _file_with(context: str) -> tuple[Path, str]:
    """The user's kubeconfig that has this context, and the namespace that it names there."""
    told = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    seen = []
    for file in [*(Path(one) for one in told if one), Path.home() / ".kube" / "config"]:
        with suppress(OSError, yaml.YAMLError, AttributeError):
            for one in (yaml.safe_load(file.read_text()) or {}).get("contexts") or []:
                seen.append(one["name"])
                if one["name"] == context:
                    return file, (one.get("context") or {}).get("namespace") or "default"
    saw = f"contexts: {', '.join(dict.fromkeys(seen)) or 'none'}"
    raise ContextUnknown(
        f"no kubeconfig has a context {context}", saw, "kubectl config get-contexts"
    )


def of(facts: Facts, context: str = "") -> Diagnosis:
    """The diagnosis of recorded facts: a pure function."""
    weighed = ranking.weighed(facts)
    counted = evidence.now(facts)
    named = " ".join(one.saw for one in weighed.found)
    troubles = [text for text in _troubles(counted) if text.partition(":")[0] not in named]
    return Diagnosis(
        facts.namespace,
        weighed.found,
        _looked(counted),
        weighed.ruled_out,
        troubles if not weighed.found else [],
        context,
    )


def _troubles(facts: Facts) -> list[str]:
    """What keeps Pods and workloads from being ready, in the cluster's own words."""
    found = []
    for pod in facts.pods:
        trouble = pod_status.trouble(pod, facts.told(pod))
        if trouble and trouble.reason != "Completed":
            found.append(f"pod/{pod['metadata']['name']}: {trouble.reason}: {trouble.message}")
    for kind, one in facts.workloads:
        if trouble := pod_status.workload_trouble(one, facts.told(one)):
            found.append(f"{kind}/{one['metadata']['name']}: {trouble.reason}: {trouble.message}")
    return found


def _looked(facts: Facts) -> str:
    """In numbers, and what the user may not read."""
    counts = {
        "Pod": len(facts.pods),
        "workload": sum(1 for _ in facts.workloads),
        "Service": len(facts.services),
        "event": len(facts.events),
        "claim": len(facts.claims),
        "node": len(facts.nodes),
        "log": len(facts.logs),
    }
    said = ", ".join(units.count(number, name) for name, number in counts.items())
    if facts.unread:
        said += f"; not readable: {', '.join(one.partition(':')[0] for one in facts.unread)}"
    return said
