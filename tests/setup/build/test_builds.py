"""What is compiled: made once for its inputs, never half a build."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from labkit.errors import BuildFailed
from labkit.setup.build import builds, catalog, go

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="compiles, and no Go is on PATH")
TINY = catalog.Build("tiny", ("tiny",), (".",))


@pytest.fixture
def tiny_module(tmp_path, monkeypatch) -> Path:
    """A real Go module of one file that needs nothing."""
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module tiny\n\ngo 1.21\n")
    (folder / "main.go").write_text('package main\n\nfunc main() { println("tiny") }\n')
    monkeypatch.setattr(go, "source", lambda: folder)
    return folder


@needs_go
def test_a_mirror_that_refuses_a_version_is_quoted_and_the_log_named(serve, monkeypatch):
    monkeypatch.setenv("GOPROXY", serve({}))
    build = catalog.Build("x", ("x",), module="example.com/x", version="9.9.9")
    with pytest.raises(BuildFailed) as error:
        builds.make(build)
    assert "example.com/x@v9.9.9" in str(error.value)
    assert "403 Forbidden" in str(error.value)
    assert "build-x.log" in str(error.value)
    assert not builds.made(build)
    assert list(builds.folder(build).parent.iterdir()) == []


@needs_go
def test_a_build_is_made_once_and_anew_when_its_source_changes(tiny_module):
    builds.make(TINY)
    assert builds.made(TINY)
    said = subprocess.run([builds.folder(TINY) / "tiny"], capture_output=True, check=True)
    assert said.stderr == b"tiny\n"
    (tiny_module / "main.go").write_text("package main\n\nfunc main() {}\n")
    assert not builds.made(TINY)


def test_a_build_killed_in_the_middle_is_not_taken_for_a_whole_one(fake_go, tiny_module):
    """SIGKILL while half of the output is there; the next call makes it whole."""
    program = fake_go(
        'for out in "$@"; do case $out in */) printf half > "$out/tiny";; esac; done; sleep 60'
    )
    code = textwrap.dedent(f"""
        from pathlib import Path
        from labkit.setup.build import builds, catalog, go
        go.source = lambda: Path({str(tiny_module)!r})
        builds.make(catalog.Build("tiny", ("tiny",), (".",)))
    """)
    process = subprocess.Popen([sys.executable, "-c", code])
    parent = builds.folder(TINY).parent
    deadline = time.monotonic() + 60
    while not list(parent.glob(".tiny-*/tiny")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert not builds.made(TINY)
    program.write_text(
        '#!/bin/sh\nfor o in "$@"; do case $o in */) echo whole > "$o/tiny";; esac; done\n'
    )
    builds.make(TINY)
    assert (builds.folder(TINY) / "tiny").read_text() == "whole\n"
