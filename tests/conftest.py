"""Keeps unit tests away from the user's own lab: its caches, its state, its environment."""

import pytest


@pytest.fixture(autouse=True)
def own_world(request, tmp_path_factory, monkeypatch):
    """Folders of its own for each test, and none of the lab's variables; not in tests/cluster."""
    if request.node.get_closest_marker("cluster"):
        return
    folder = tmp_path_factory.mktemp("home")
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder / name.removeprefix("XDG_").lower()))
    monkeypatch.setenv("KUBECONFIG", str(folder / "no-kubeconfig"))
    for name in ("MODEL", "LAB_PYTHON", "LAB_VENV_SECONDS"):
        monkeypatch.delenv(name, raising=False)
