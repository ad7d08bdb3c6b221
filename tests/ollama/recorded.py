"""What the two lines of Ollama answer, byte by byte: recorded/VERSION/, which record.py writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# the last of the line that runs models in itself, and one of the line that runs llama-server
VERSIONS = ("0.24.0", "0.34.2")
_FOLDER = Path(__file__).with_name("recorded")


def text(version: str, name: str) -> str:
    """A recorded answer, or what a server wrote."""
    return (_FOLDER / version / name).read_text(encoding="utf-8")


def lines(version: str, name: str) -> list[dict[str, Any]]:
    """The objects of a recorded stream."""
    return [json.loads(line) for line in text(version, name).splitlines()]


def value(version: str, name: str) -> dict[str, Any]:
    """A recorded answer of one object."""
    return json.loads(text(version, name))
