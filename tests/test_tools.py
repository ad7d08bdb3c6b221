"""Tools: a release, or a program on PATH whose version fits; linked in one step."""

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from labkit.bringup import bom, tools
from labkit.bringup.progress import Reporter
from labkit.errors import ChecksumWrong


def tool(name: str) -> bom.Tool:
    return next(t for t in bom.load().tools if t.name == name)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program that says `text` on PATH."""

    def put(name: str, text: str) -> Path:
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\necho '{text}'\n")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return file

    return put


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kind", "kind v0.30.0 go1.26.8 linux/amd64"),
        ("kubectl", "Client Version: v1.34.0\nKustomize Version: v5.7.1"),
        ("helm", "v3.19.0+g3d8990f"),
    ],
)
def test_a_program_of_the_wanted_version_on_path_is_taken(program, name, said):
    file = program(name, said)
    assert tools.on_path(tool(name)) == file


@pytest.mark.parametrize("said", ["kind v0.30.01", "kind v0.29.0", "kind v10.30.0", ""])
def test_a_program_of_another_version_is_not(program, said):
    program("kind", said)
    assert tools.on_path(tool("kind")) is None


def test_a_link_is_replaced_in_one_step(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
        tools.link("kind", tmp_path / name)
        assert tools.path("kind").read_text() == name
    assert [file.name for file in tools.path("kind").parent.iterdir()] == ["kind"]


@pytest.fixture
def packed(tmp_path) -> Path:
    """A release archive as helm's publisher packs it."""
    archive = tmp_path / "helm-v3.19.0-linux-amd64.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("linux-amd64/helm")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"helm"))
    return archive


def test_a_packed_release_is_checked_unpacked_and_executable(packed, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    sha256 = hashlib.sha256(packed.read_bytes()).hexdigest()
    pinned = dataclasses.replace(
        tool("helm"),
        url_template=packed.as_uri(),
        publisher_template="",
        sha256s={"-".join(bom.target()): sha256},
    )
    found = tools._from_release(pinned, Reporter())
    assert found.read_bytes() == b"helm"
    assert found.stat().st_mode & 0o111
    assert [file.name for file in found.parent.iterdir()] == ["helm"]
    packed.unlink()
    assert tools._from_release(pinned, Reporter()) == found, "the second time nothing is fetched"


def test_a_release_with_a_wrong_checksum_is_not_installed(packed, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    pinned = dataclasses.replace(
        tool("helm"), url_template=packed.as_uri(), sha256s={"-".join(bom.target()): "0" * 64}
    )
    with pytest.raises(ChecksumWrong):
        tools._from_release(pinned, Reporter())
    assert not tools.path("helm").exists()
