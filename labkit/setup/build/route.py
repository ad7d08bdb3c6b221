"""Chooses where artefacts come from: public registries, or package mirrors alone."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from labkit.errors import RouteUnavailable
from labkit.setup.host import paths, web

REGISTRY, PACKAGES = "registry", "packages"
BUNDLE = "bundle"  # one file, which `./lab up --bundle` names
PROBES = {
    "the image registry": "https://registry-1.docker.io/v2/",
    "the release downloads": "https://dl.k8s.io/",
}
PROBE_S = 4.0


@dataclass(frozen=True)
class Route:
    name: str
    reason: str


def image_source() -> str:
    """A registry that stands in front of all public ones (a classroom's cache); or empty.

    Given as LAB_REGISTRY=HOST:PORT; it serves every image under its public path.
    """
    return os.environ.get("LAB_REGISTRY", "")


def choose(asked: str = "auto", probes: dict[str, str] | None = None) -> Route:
    """The route and the reason for it; `asked` is "auto", "registry" or "packages"."""
    if asked in (REGISTRY, PACKAGES):
        return Route(asked, "asked for")
    if asked != "auto":
        raise RouteUnavailable(f"no route is called {asked}", asked, "auto, registry or packages")
    if image_source():
        return Route(REGISTRY, f"LAB_REGISTRY names {image_source()}")
    last = paths.read_json(paths.state("route.json")).get("name")
    if last in (REGISTRY, PACKAGES, BUNDLE):
        return Route(last, "as the last time; --route changes it")
    silent = unreachable(probes)
    if silent:
        return Route(PACKAGES, f"{' and '.join(silent)} did not answer within {PROBE_S:.0f} s")
    return Route(REGISTRY, "the image registry and the release downloads answer")


def remember(route: Route) -> None:
    """Keep the route of a lab that came up, so that the next `up` need not probe."""
    paths.write_json(paths.state("route.json"), {"name": route.name})


def unreachable(probes: dict[str, str] | None = None) -> list[str]:
    """What the registry route needs and what does not answer within PROBE_S seconds."""
    probes = probes or PROBES
    answered: set[str] = set()

    def ask(name: str, url: str) -> None:
        code = web.status(url, timeout_s=PROBE_S)
        # a registry answers 401 to whoever has no token yet
        if 200 <= code < 300 or code in (401, 404):
            answered.add(name)

    web.load()
    # Threads, because a resolver that never answers ignores the timeout of the request.
    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in probes.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PROBE_S)
    return [name for name in probes if name not in answered]
