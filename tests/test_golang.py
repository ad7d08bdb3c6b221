"""Go builds: refused in three lines where they cannot work, never half a build."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from labkit.bringup import bom, golang
from labkit.errors import BuildFailed, ToolMissing

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="compiles, and no Go is on PATH")
TINY = bom.Build("tiny", ("tiny",))


@pytest.fixture
def fake_go(tmp_path, monkeypatch):
    """Puts a `go` of the given shell lines first on PATH."""

    def put(lines: str) -> Path:
        folder = tmp_path / "path"
        folder.mkdir(exist_ok=True)
        go = folder / "go"
        go.write_text(f"#!/bin/sh\n{textwrap.dedent(lines)}\n")
        go.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return go

    return put


@pytest.fixture
def tiny_module(tmp_path, monkeypatch) -> Path:
    """A real Go module of one file that needs nothing."""
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module tiny\n\ngo 1.21\n")
    (folder / "main.go").write_text('package main\n\nfunc main() { println("tiny") }\n')
    monkeypatch.setattr(golang, "source", lambda build: folder)
    return folder


def test_without_go_the_package_route_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing) as error:
        golang.require()
    assert "https://go.dev/dl" in str(error.value)
    assert "registry route" in str(error.value)


def test_a_go_too_old_to_fetch_its_toolchain_is_refused(fake_go):
    fake_go("echo go version go1.19.8 linux/amd64")
    with pytest.raises(ToolMissing, match=r"go1\.19\.8"):
        golang.require()
    fake_go("echo go version go1.21.0 linux/amd64")
    assert golang.require() == "go1.21"


@needs_go
def test_a_mirror_that_refuses_a_version_is_quoted_and_the_log_named(serve, monkeypatch):
    monkeypatch.setenv("GOPROXY", serve({}))
    build = bom.Build("x", ("x",), "example.com/x", "9.9.9")
    with pytest.raises(BuildFailed) as error:
        golang.make(build)
    assert "example.com/x@v9.9.9" in str(error.value)
    assert "403 Forbidden" in str(error.value)
    assert "build-x.log" in str(error.value)
    assert not golang.made(build)
    assert list(golang.folder(build).parent.iterdir()) == []


@needs_go
def test_a_build_is_made_once_and_anew_when_its_source_changes(tiny_module):
    golang.make(TINY)
    assert golang.made(TINY)
    said = subprocess.run([golang.folder(TINY) / "tiny"], capture_output=True, check=True)
    assert said.stderr == b"tiny\n"
    (tiny_module / "main.go").write_text("package main\n\nfunc main() {}\n")
    assert not golang.made(TINY)


def test_a_build_killed_in_the_middle_is_not_taken_for_a_whole_one(fake_go, tiny_module):
    """SIGKILL while half of the output is there; the next call makes it whole."""
    go = fake_go(
        'for out in "$@"; do case $out in */) printf half > "$out/tiny";; esac; done; sleep 60'
    )
    code = textwrap.dedent(f"""
        from pathlib import Path
        from labkit.bringup import bom, golang
        golang.source = lambda build: Path({str(tiny_module)!r})
        golang.make(bom.Build("tiny", ("tiny",)))
    """)
    process = subprocess.Popen([sys.executable, "-c", code])
    builds = golang.folder(TINY).parent
    deadline = time.monotonic() + 20
    while not list(builds.glob(".tiny-*/tiny")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert not golang.made(TINY)
    go.write_text(
        '#!/bin/sh\nfor o in "$@"; do case $o in */) echo whole > "$o/tiny";; esac; done\n'
    )
    golang.make(TINY)
    assert (golang.folder(TINY) / "tiny").read_text() == "whole\n"
