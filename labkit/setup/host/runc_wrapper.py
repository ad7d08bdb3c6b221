"""An OCI runtime: runc without CAP_SYS_RESOURCE, for kernels that forbid it.

Docker asks for every capability when a container is privileged, and runc then fails
where the bounding set lacks one ("unable to apply caps"). This drops it from the
bundle's (for `exec`: the process file's) lists and becomes runc.
"""

import itertools
import json
import os
import shutil
import sys
from pathlib import Path

FORBIDDEN = "CAP_SYS_RESOURCE"


def drop(file: Path, within: str = "") -> None:
    """Rewrite one JSON file of the bundle without the forbidden capability."""
    spec = json.loads(file.read_text())
    process = spec.get(within, {}) if within else spec
    for granted in (process.get("capabilities") or {}).values():
        if FORBIDDEN in granted:
            granted.remove(FORBIDDEN)
    file.write_text(json.dumps(spec))


def main(words: list[str]) -> None:
    for option, value in itertools.pairwise(words):
        if option in ("--bundle", "-b"):
            drop(Path(value, "config.json"), "process")
        elif option in ("--process", "-p") and "exec" in words:
            drop(Path(value))
    runc = shutil.which("runc") or "/usr/sbin/runc"
    os.execv(runc, ["runc", *words])


if __name__ == "__main__":
    main(sys.argv[1:])
