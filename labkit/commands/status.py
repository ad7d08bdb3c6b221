"""`./lab status` and `images`: what is there, said without changing anything."""

from __future__ import annotations

import os
import shlex
import threading
from dataclasses import asdict, dataclass

from labkit.errors import LabError
from labkit.jupyter import server
from labkit.setup.build import images, registry, tools
from labkit.setup.build.route import PACKAGES
from labkit.setup.cluster import kind as cluster
from labkit.setup.cluster import labs, local_ollama, model, monitoring, services
from labkit.setup.host import docker, lock, paths, speed, web
from labkit.ui import units

_NOTHING = "nothing to ask"  # of a part that another one has to be there for


@dataclass(frozen=True)
class Part:
    """One part of the lab; `works` is None when it could not be told."""

    name: str
    works: bool | None
    saw: str
    is_asked: bool = True  # False: another part has to be there for it, and is not


def route() -> str:
    """The route that the lab came up by; "packages" before the first time."""
    return paths.read_json(paths.state("route.json")).get("name", PACKAGES)


def parts(context: str = "") -> list[Part]:
    """Every part of the lab, in the order of `up`."""
    first = [Part("machine", True, speed.words()), *_at_work()]
    return [*first, *_cluster_parts(context), *_jupyter(context)]


def address() -> str:
    """The URL of the notebooks, with the token that lets in; empty when JupyterLab is not there."""
    running = server.known()
    return running.url if running and running.answers() else ""


def _at_work() -> list[Part]:
    """An `up` that has not ended: what it makes later is not there yet."""
    if not lock.is_held():
        return []
    return [Part("./lab", False, "another command is at work, and has more to make")]


def _cluster_parts(context: str) -> list[Part]:
    found = [] if context else _machine_parts()
    lab = labs.Lab(context)
    if not lab.kubeconfig.exists() or (found and not all(part.works for part in found)):
        works = None if exit_code(found) == 2 else False
        names = ("model mirror", "metrics", "namespace")
        return [*found, *(Part(name, works, _NOTHING, is_asked=False) for name in names)]
    return [
        *found,
        _asked("model mirror", lambda: _mirror(lab)),
        _asked("metrics", lambda: _metrics(lab)),
        _asked("namespace", lambda: _namespace(lab)),
    ]


def _machine_parts() -> list[Part]:
    threading.Thread(target=web.load, daemon=True).start()  # while the engine is asked
    version = _asked("container engine", lambda: (True, f"Docker {docker.version()}"))
    if not version.works:
        return [version]
    return [
        version,
        _asked("tools", _tools),
        _asked("images", _images),
        _asked("image registry", _registry),
        _asked("cluster", _cluster),
        _asked("local Ollama", _ollama),
    ]


def _jupyter(context: str) -> list[Part]:
    running = server.known()
    if not running:
        is_wanted = server.wanted(context)
        return [Part("JupyterLab", False, "it does not run")] if is_wanted else []
    works = running.answers()
    address = f"http://127.0.0.1:{running.port}"
    return [Part("JupyterLab", works, address if works else "it does not answer")]


def _asked(name: str, ask) -> Part:
    try:
        return Part(name, *ask())
    except LabError as error:
        return Part(name, None if error.exit_code == 2 else False, f"{error.happened}: {error.saw}")


def _tools() -> tuple[bool, str]:
    states = tools.states(route())
    missing = [state.name for state in states if not state.path]
    return not missing, _summary(states, missing)


def _images() -> tuple[bool, str]:
    states = images.states(route())
    missing = [state.name for state in states if not state.present]
    return not missing, _summary(states, missing)


def _summary(states: list, missing: list[str]) -> str:
    return f"missing: {', '.join(missing)}" if missing else f"{len(states)} here"


def _registry() -> tuple[bool, str]:
    runs = registry.running()
    return runs, f"127.0.0.1:{registry.port()}, {len(registry.images_held())} names" if runs else (
        "it does not run"
    )


def _cluster() -> tuple[bool, str]:
    trouble = cluster.trouble()
    return not trouble, trouble or f"{units.count(len(cluster.nodes()), 'node')} Ready"


def _ollama() -> tuple[bool, str]:
    works = local_ollama.answers()
    return works, f"http://127.0.0.1:{local_ollama.port()}" if works else "it does not answer"


def _mirror(lab: labs.Lab) -> tuple[bool, str]:
    full = model.chosen(lab)
    path, tag = model.parts(full.removeprefix(f"{services.HOST}/"))
    held = tag in services.tags(lab, path)
    return held, full if held else f"it lacks {full}"


def _metrics(lab: labs.Lab) -> tuple[bool, str]:
    missing = monitoring.missing(lab)
    return not missing, f"not ready: {', '.join(missing)}" if missing else monitoring.HOST


def _namespace(lab: labs.Lab) -> tuple[bool, str]:
    """The learner's: there, the lab's, and not on its way out."""
    name = os.environ.get("LAB_NAMESPACE") or labs.LEARNER
    found = lab.get("namespace", name)
    if not found:
        return False, f"there is no {name}"
    label, value = labs.LABEL
    if found["metadata"].get("labels", {}).get(label) != value:
        return False, f"{name} lacks the label {label}={value}"
    if "deletionTimestamp" in found["metadata"]:
        return False, f"{name} is being removed"
    return True, name


def readiness(found: list[Part], context: str = "") -> str:
    """Could a workshop without internet begin now? One line, which names what is missing.

    >>> readiness([Part("tools", True, "6 here"), Part("cluster", False, "no node is Ready")])
    'Not ready for the workshop: cluster (no node is Ready); try ./lab up'
    >>> readiness([Part("tools", True, "6 here")])
    'Ready for the workshop.'
    """
    code = exit_code(found)
    if code == 0:
        return "Ready for the workshop."
    wrong = [part for part in found if part.works is (False if code == 1 else None)]
    named = [part for part in wrong if part.is_asked] or wrong
    said = ", ".join(f"{part.name} ({' '.join(part.saw.split())})" for part in named)
    if code == 1:
        wanted = f" --context {shlex.quote(context)}" if context else ""
        return f"Not ready for the workshop: {said}; try ./lab up{wanted}"
    return f"Could not tell whether it is ready for the workshop: {said}"


def exit_code(found: list[Part]) -> int:
    """0 the lab works, 1 it does not, 2 it could not be told."""
    if any(part.works is False for part in found):
        return 1
    return 2 if any(part.works is None for part in found) else 0


def materials() -> dict[str, list[dict]]:
    """The bill of materials and what is present, as plain data."""
    try:
        docker.version()
        found = [asdict(state) for state in images.states(route())]
    except LabError:  # nobody to ask: neither present nor missing
        found = [asdict(images.state(i, route(), None)) for i in images.wanted()]
        found = [{**row, "present": None} for row in found]
    return {"tools": [asdict(state) for state in tools.states(route())], "images": found}
