"""A `go` of the tests' own."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def fake_go(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Puts a `go` of the given shell lines first on PATH."""

    def put(lines: str) -> Path:
        folder = tmp_path / "path"
        folder.mkdir(exist_ok=True)
        program = folder / "go"
        program.write_text(f"#!/bin/sh\n{textwrap.dedent(lines)}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return program

    return put
