"""`lab.try_way` and `lab.ways`: how a new Pod comes by its model, tried and compared."""

from __future__ import annotations

import difflib
import re
import time
import urllib.parse
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import labkit
from labkit.errors import LabError
from labkit.kube import apply, deletion, doing, refs, wait
from labkit.kube.session import Session, current
from labkit.ollama import local_models, mirror_log
from labkit.ollama.lanes import Moment
from labkit.ollama.timeline import Timeline, timeline
from labkit.setup.host import paths
from labkit.ui.table import FRAME, Table

DEPLOYMENT = "deployment/ollama"
_PULLED = re.compile(r'pulled image "([^"]+)".*Image size: (\d+) bytes')


class Way(NamedTuple):
    """A way: its folder in k8s/steps, and what is seen when the model cannot be pulled."""

    folder: str
    without: str


WAYS = {
    "baked": Way("05-baked", "a build that fails, before a Pod runs"),
    "by-hand": Way("05-plain", "nothing: Pods that are Ready and reject prompts"),
    "hook": Way("05-hook", "FailedPostStartHook, restarts, no log"),
    "init": Way("05-init", "Init:Error, and a log"),
    "sidecar": Way("05-sidecar", "a Pod that is not Ready, and a log that continues"),
    "store": Way("05-store", "a Job that fails, and a log; the servers wait"),
}


@dataclass(frozen=True)
class Trial:
    """One way, tried: seconds until Pods were Ready with their model, bytes, and the moments.

    `image_bytes` is the image as a node fetches it; None where no event names its size.
    """

    way: str
    seconds: float
    sent_bytes: int
    image_bytes: int | None
    timeline: Timeline

    @property
    def _said(self) -> str:
        image = f", image of {self.image_mb} MB" if self.image_bytes else ""
        ready = f"{self.way}: Ready with its model after {self.seconds:.0f} s"
        return f"{ready}; {self.sent_mb} MB from the mirror{image}"

    @property
    def sent_mb(self) -> str:
        return f"{self.sent_bytes / 1e6:.1f}"

    @property
    def image_mb(self) -> str:
        return f"{self.image_bytes / 1e6:.1f}" if self.image_bytes else "–"

    def __repr__(self) -> str:
        return f"{self._said}\n{self.timeline!r}"

    def _repr_html_(self) -> str:
        return f'<div style="{FRAME}">{escape(self._said)}</div>{self.timeline._repr_html_()}'


class Ways:
    """All ways in one table, with what was measured of those that were tried."""

    def __init__(self, trials: dict[str, Trial]) -> None:
        self.trials = trials
        columns = ["WAY", "SECONDS TO READY", "MB FROM MIRROR", "IMAGE MB", "WITHOUT THE MODEL"]
        self.table = Table(columns, [self._row(name) for name in WAYS])

    def _row(self, name: str) -> Sequence[str]:
        trial = self.trials.get(name)
        if trial is None:
            return [name, "–", "–", "–", "–"]
        seconds = f"{trial.seconds:.0f}"
        return [name, seconds, trial.sent_mb, trial.image_mb, WAYS[name].without]

    def beside(self, one: str, other: str) -> Timeline:
        """The timelines of two ways in one picture. Raises LabError for one not yet tried."""
        for name in (one, other):
            if _known(name) not in self.trials:
                tried = ", ".join(self.trials) or "none"
                hint = f'lab.try_way("{name}")'
                raise LabError(f"way {name!r} has not been tried", f"tried: {tried}", hint)
        return self.trials[one].timeline.beside(self.trials[other].timeline, one, other)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def try_way(way: str) -> Trial:
    """Bring the model to a new Pod in one way, and measure it; `lab.ways()` compares them all.

        lab.try_way("hook")

    Deletes Deployment `ollama`, applies k8s/steps/05-WAY (05-plain for by-hand, and pulls), and
    waits for it. `way` is baked, by-hand, hook, init, sidecar or store. Equals the lines that it
    prints. Raises LabError (no such way; a Pod that is not Ready with its model in the end), and
    what `lab.delete`, `lab.apply` and `lab.rollout` raise.
    """
    name = _known(way)
    session = current()
    is_store = name == "store"
    more = ("job/fill-models", "pvc/models") if is_store else ()
    deletion.delete(DEPLOYMENT, *more, ignore_not_found=True)
    begun = time.time()
    apply.apply(f"k8s/steps/{WAYS[name].folder}")
    if is_store:
        wait.wait("job/fill-models")
    wait.rollout(DEPLOYMENT)
    if name == "by-hand":
        for pod in _pods(session):
            local_models.pull(at=f"pod/{pod['metadata']['name']}")
    trial = _measured(session, name, begun)
    _keep(session, {**_kept(session), name: trial})
    return trial


def ways(*, forget: bool = False) -> Ways:
    """Return the ways of `lab.try_way` in a table: seconds, megabytes, what a failure looks like.

        lab.ways()

    Only those that were tried have figures. They are kept in a file of this namespace, so a
    restart of the kernel loses none; `forget` begins with an empty table. `.beside("hook",
    "sidecar")` shows two timelines in one picture.
    """
    session = current()
    if forget:
        _keep(session, {})
    return Ways(_kept(session))


def _known(way: str) -> str:
    if way in WAYS:
        return way
    near = difflib.get_close_matches(str(way), WAYS, 1, 0.0)[0]
    raise LabError(f"{way!r} is not a way", f"ways: {', '.join(WAYS)}", f'lab.try_way("{near}")')


def _pods(session: Session) -> list[dict[str, Any]]:
    found = refs.pods_of(session, refs.parsed(session, DEPLOYMENT))
    return [pod for pod in found if refs.stays(pod)]


def _measured(session: Session, name: str, begun: float) -> Trial:
    moments = timeline(DEPLOYMENT)
    ready, had = moments.seconds("ready"), moments.seconds("model")
    pods = [pod["metadata"]["name"] for pod in _pods(session)]
    lacks = [f"{pod} is not Ready" for pod in pods if pod not in ready]
    lacks += [f"{pod} has no {labkit.model}" for pod in pods if pod in ready and pod not in had]
    if lacks or not pods:
        hint = f'lab.events(), then lab.try_way("{name}") again'
        saw = "; ".join(lacks) or f"{DEPLOYMENT} has no Pod"
        raise LabError(f"way {name!r} could not be measured", saw, hint)
    seconds = max(max(ready[pod], had[pod]) for pod in pods)
    sent = mirror_log.sent(session, begun)
    return Trial(name, seconds, sent.bytes, _image_bytes(session), moments)


def _image_bytes(session: Session) -> int | None:
    """The size of the server's image, from the latest event of a pull; it may be of a Pod before.

    A node that has the image already pulls nothing, and no event of this Pod names the size.
    """
    image = _pods(session)[0]["spec"]["containers"][0]["image"]
    path = session.api.resource("events").path(session.namespace)
    found = session.api.request("GET", path, query={"fieldSelector": "reason=Pulled"})["items"]
    sizes = [
        (doing.last_seen(event), int(size))
        for event in found
        for name, size in _PULLED.findall(event.get("message", ""))
        if name == image
    ]
    return max(sizes)[1] if sizes else None


def _file(session: Session) -> Path:
    context = urllib.parse.quote(session.context, safe="")  # empty: the lab's own cluster
    name = f"ways-{context}.json" if context else "ways.json"
    return paths.state("namespaces", session.namespace, name)


def _kept(session: Session) -> dict[str, Trial]:
    """What the file has; an entry that cannot be read is left out."""
    found = {}
    for name, kept in paths.read_json(_file(session)).items():
        if name in WAYS:
            with suppress(KeyError, TypeError, ValueError):
                found[name] = _read(name, kept)
    return found


def _read(name: str, kept: dict[str, Any]) -> Trial:
    """Raises KeyError, TypeError, ValueError for what `_keep` has not written."""
    moments = [
        Moment(str(pod), float(at_s), str(kind), str(what), float(span_s))
        for pod, at_s, kind, what, span_s in kept["moments"]
    ]
    shown = Timeline(f"Timeline of {DEPLOYMENT}", moments)
    image = kept["image_bytes"]
    sizes = int(kept["sent_bytes"]), None if image is None else int(image)
    return Trial(name, float(kept["seconds"]), *sizes, shown)


def _keep(session: Session, trials: dict[str, Trial]) -> None:
    value = {
        name: {
            "seconds": trial.seconds,
            "sent_bytes": trial.sent_bytes,
            "image_bytes": trial.image_bytes,
            "moments": [list(moment) for moment in trial.timeline.moments],
        }
        for name, trial in trials.items()
    }
    paths.write_json(_file(session), value)
