"""What a client of a registry compares by default: whose checksum a Go build is held against."""

from __future__ import annotations

import fnmatch
import functools
import json

from labkit.errors import LabError
from labkit.setup.build import catalog, go
from labkit.setup.host import shell


def by_go(build: catalog.Build) -> bool:
    """Does Go compare what this is built of with a checksum that another party keeps?

    With the go.sum beside its go.mod, or with the checksum database, unless this machine's
    settings leave the module out of that. False where there is no Go to ask.
    """
    if not build.module:
        return (go.source() / "go.sum").is_file()
    elements = build.module.split("/")
    return not any(
        fnmatch.fnmatchcase("/".join(elements[: pattern.count("/") + 1]), pattern)
        for pattern in _left_out()
    )


@functools.cache
def _left_out() -> tuple[str, ...]:
    """Patterns of the modules that are not looked up in the checksum database."""
    try:
        words = ("go", "env", "-json", "GOSUMDB", "GONOSUMDB")
        told = json.loads(shell.output(*words, timeout_s=20))
    except (LabError, ValueError):
        return ("*",)
    if told["GOSUMDB"] == "off":
        return ("*",)
    return tuple(filter(None, told["GONOSUMDB"].split(",")))
