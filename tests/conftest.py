"""Keeps unit tests away from the user's own lab: its caches, its state, its environment."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)
