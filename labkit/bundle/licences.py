"""Under which licence each part of a bundle may be handed on."""

from __future__ import annotations

import email
import zipfile
from pathlib import Path

DEBIAN = "with Debian's packages under their own (/usr/share/common-licenses)"
OF_TOOLS = dict.fromkeys(("kind", "kubectl", "helm", "hey"), "Apache-2.0")
OF_IMAGES = {
    "ollama/ollama": "MIT",
    "alpine/httpie": "BSD-3-Clause",
    "nixery.dev/hey": "Apache-2.0",
    "registry": "Apache-2.0",
    "haproxy": "GPL-2.0-or-later AND LGPL-2.1-or-later",
    "prom/prometheus": "Apache-2.0",
    "registry.k8s.io/metrics-server/metrics-server": "Apache-2.0",
    "python": "PSF-2.0",
    "kindest/node": "Apache-2.0",
}


def of_image(name: str, base: str) -> str:
    """What an image is under; `base` is the Debian release that it is built on, if it is."""
    return f"{OF_IMAGES[name]}, {DEBIAN}" if base or name == "kindest/node" else OF_IMAGES[name]


def of_wheel(file: Path) -> str:
    """What a wheel says of itself."""
    with zipfile.ZipFile(file) as wheel:
        name = next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        text = wheel.read(name).decode(errors="replace")
    told = email.message_from_string(text)  # from bytes, a letter beyond ASCII is no text
    if told["License-Expression"]:
        return str(told["License-Expression"])
    classified = [
        row.rpartition(" :: ")[2]
        for row in told.get_all("Classifier", [])
        if row.startswith("License ::") and row.count("::") > 1
    ]
    first, *_ = (told["License"] or "").strip().splitlines() or [""]
    return " AND ".join(classified) or first[:80] or f"see {name.partition('/')[0]}"
