"""Images: which may be called pinned, and when one that is there is not the one that is wanted."""

import pytest

from labkit.setup.build import catalog, images
from labkit.setup.build.route import PACKAGES, REGISTRY
from labkit.setup.host import paths

DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
THERE = {"Id": "sha256:1", "Config": {"Labels": {}}, "Size": 1}


def image(digest: str) -> catalog.Image:
    return catalog.Image("prom/prometheus", ("v1.0.0",), "prometheus", digest=digest)


def pulled(source: str) -> dict:
    """The image in the engine, pulled so."""
    record = {"id": THERE["Id"], "source": source, "had": False}
    paths.write_json(images.pulled_record(image("")), record)
    return THERE


@pytest.mark.parametrize(("digest", "pinned"), [("", False), (DIGEST, True)])
def test_what_a_pull_would_bring_is_pinned_by_its_digest_alone(digest, pinned):
    assert images.state(image(digest), REGISTRY, None).pinned is pinned


def test_the_package_route_pins_no_image_of_debians_packages():
    assert not images.state(image(DIGEST), PACKAGES, None).pinned


def test_what_comes_from_a_classrooms_registry_is_not_pinned(monkeypatch):
    monkeypatch.setenv("LAB_REGISTRY", "127.0.0.1:5000")
    assert not images.state(image(DIGEST), REGISTRY, None).pinned


@pytest.mark.parametrize(
    ("source", "pinned"),
    [
        (f"prom/prometheus@{DIGEST}", True),
        ("prom/prometheus:v1.0.0", False),  # before the digest was known
        ("127.0.0.1:5000/prom/prometheus:v1.0.0", False),
    ],
)
def test_an_image_that_is_there_is_pinned_when_it_was_pulled_by_that_digest(source, pinned):
    state = images.state(image(DIGEST), REGISTRY, pulled(source))
    assert (state.present, state.pinned) == (True, pinned)


def test_an_image_of_another_digest_than_the_pinned_one_is_pulled_again():
    state = images.state(image(OTHER), REGISTRY, pulled(f"prom/prometheus@{DIGEST}"))
    assert (state.present, state.pinned) == (False, True)


def test_every_image_of_the_lab_without_a_digest_says_so():
    for one in images.wanted():
        assert images.state(one, REGISTRY, None).pinned is bool(one.digest)
        assert not images.state(one, PACKAGES, None).pinned
