"""The route: probed in seconds, forced by a word, remembered by a lab that came up."""

import socket
import time
from collections.abc import Iterator

import pytest

from labkit.errors import RouteUnavailable
from labkit.setup.build import route


@pytest.fixture
def registry(serve) -> str:
    return serve({"/v2/": 401}) + "/v2/"


@pytest.fixture
def silent() -> Iterator[str]:
    """A host that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_a_registry_that_wants_a_token_has_answered(registry):
    chosen = route.choose("auto", {"the image registry": registry})
    assert chosen == route.Route("registry", "the image registry and the release downloads answer")


def test_a_host_that_never_answers_costs_a_few_seconds_and_is_named(registry, silent):
    begun = time.monotonic()
    probes = {"the image registry": registry, "the release downloads": silent}
    chosen = route.choose("auto", probes)
    assert chosen.name == "packages"
    assert chosen.reason == "the release downloads did not answer within 4 s"
    assert time.monotonic() - begun < 8


def test_a_word_forces_the_route_without_a_probe(silent):
    assert route.choose("packages", {"x": silent}) == route.Route("packages", "asked for")
    assert route.choose("registry", {"x": silent}).name == "registry"


def test_a_lab_that_came_up_keeps_its_route(silent):
    route.remember(route.Route("registry", "asked for"))
    chosen = route.choose("auto", {"x": silent})
    assert chosen.name == "registry"
    assert "last time" in chosen.reason


def test_a_classrooms_registry_decides_for_the_registry_route(monkeypatch, silent):
    monkeypatch.setenv("LAB_REGISTRY", "127.0.0.1:5000")
    assert route.choose("auto", {"x": silent}).name == "registry"


def test_an_unknown_route_is_refused():
    with pytest.raises(RouteUnavailable, match="no route is called magic"):
        route.choose("magic")
