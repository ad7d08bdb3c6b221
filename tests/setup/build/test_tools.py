"""Tools: a release, or a program on PATH whose version fits; linked in one step."""

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from labkit.errors import ChecksumWrong
from labkit.setup.build import catalog, tools
from labkit.setup.build.route import REGISTRY
from labkit.setup.host.progress import Reporter


def tool(name: str) -> catalog.Tool:
    return next(t for t in catalog.load().tools if t.name == name)


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
        ("kind", "kind v0.33.0 go1.26.8 linux/amd64"),
        ("kubectl", "Client Version: v1.37.2\nKustomize Version: v5.7.1"),
        ("helm", "v4.3.2+g3d8990f"),
    ],
)
def test_a_program_of_the_wanted_version_on_path_is_taken(program, name, said):
    file = program(name, said)
    assert tools.on_path(tool(name)) == file


@pytest.mark.parametrize("said", ["kind v0.33.01", "kind v0.32.0", "kind v10.33.0", ""])
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
    archive = tmp_path / "helm-v4.3.2-linux-amd64.tar.gz"
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
        sha256s={"-".join(catalog.target()): sha256},
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
        tool("helm"), url_template=packed.as_uri(), sha256s={"-".join(catalog.target()): "0" * 64}
    )
    with pytest.raises(ChecksumWrong):
        tools._from_release(pinned, Reporter())
    assert not tools.path("helm").exists()


# ---- what may be called pinned ---------------------------------------------------


def states(monkeypatch, *wanted: catalog.Tool) -> list[tools.State]:
    """What the registry route says of these tools."""
    materials = dataclasses.replace(catalog.load(), tools=wanted)
    monkeypatch.setattr(catalog, "load", lambda: materials)
    return tools.states(REGISTRY)


def with_sha256(name: str) -> catalog.Tool:
    return dataclasses.replace(tool(name), sha256s={"-".join(catalog.target()): "a" * 64})


def test_a_download_without_a_checksum_of_ours_is_not_pinned(monkeypatch):
    """Its publisher's checksum is of today, whatever today's file is."""
    bare = dataclasses.replace(tool("kind"), sha256s={})
    assert bare.publisher_sha256
    assert [state.pinned for state in states(monkeypatch, bare, with_sha256("kind"))] == [
        False,
        True,
    ]


def test_a_program_of_the_learners_own_is_not_pinned_and_is_named_as_the_source(
    program, monkeypatch
):
    wanted = with_sha256("kind")
    own = program("kind", f"kind v{wanted.version} go1.26.8 linux/amd64")
    tools.link("kind", tools._from_release(wanted, Reporter()))
    (state,) = states(monkeypatch, wanted)
    assert (state.path, state.source, state.pinned) == (str(own), str(own), False)


def test_a_download_of_before_its_checksum_was_known_is_fetched_and_compared(packed, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    bare = dataclasses.replace(
        tool("helm"), url_template=packed.as_uri(), publisher_template="", sha256s={}
    )
    before = tools._from_release(bare, Reporter())
    sha256 = hashlib.sha256(packed.read_bytes()).hexdigest()
    pinned = dataclasses.replace(bare, sha256s={"-".join(catalog.target()): sha256})
    after = tools._from_release(pinned, Reporter())
    assert before != after
    wrong = dataclasses.replace(bare, sha256s={"-".join(catalog.target()): "0" * 64})
    with pytest.raises(ChecksumWrong):
        tools._from_release(wrong, Reporter())
