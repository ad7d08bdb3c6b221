"""The image registry: its port, and what is not ours."""

import pytest

from labkit.errors import NotOurs, Unsupported
from labkit.setup.build import registry
from labkit.setup.host import docker, paths


@pytest.mark.parametrize("text", ["abc", "99999", "80", "-1"])
def test_a_port_that_is_none_is_refused_in_three_lines(monkeypatch, text):
    monkeypatch.setenv("LAB_REGISTRY_PORT", text)
    with pytest.raises(Unsupported) as error:
        registry.port()
    assert f"LAB_REGISTRY_PORT={text}" in str(error.value)


def test_the_port_is_remembered_so_that_it_is_named_once():
    assert registry.port() == 5050
    paths.write_json(paths.state("registry.json"), {"port": 5055})
    assert registry.port() == 5055


@pytest.fixture
def engine_with(monkeypatch):
    """An engine that knows one container or volume, and records what is asked of it."""
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(docker, "docker", lambda *words, **_: asked.append(words) or "")

    def knows(kind: str, description: dict) -> list[tuple[str, ...]]:
        monkeypatch.setattr(
            docker, "inspect", lambda k, *names: {names[0]: description} if k == kind else {}
        )
        return asked

    return knows


def test_somebody_elses_container_or_volume_of_that_name_is_left_alone(engine_with):
    asked = engine_with("container", {"Config": {"Labels": {}}})
    with pytest.raises(NotOurs, match="a container lab-registry"):
        registry.remove()
    engine_with("volume", {"Labels": None})
    with pytest.raises(NotOurs, match="a volume lab-registry"):
        registry.purge()
    assert asked == []


def test_what_carries_the_labs_label_is_removed(engine_with):
    asked = engine_with("container", {"Config": {"Labels": {"lab": "labkit"}}})
    registry.remove()
    assert asked == [("rm", "-f", "lab-registry")]


def test_a_registry_on_another_port_is_not_taken_for_ours(engine_with):
    ports = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5055"}]}
    engine_with("container", {"State": {"Running": True}, "HostConfig": {"PortBindings": ports}})
    assert not registry.running()
