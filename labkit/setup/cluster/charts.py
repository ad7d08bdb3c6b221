"""The chart repository: a small static one, served by the model mirror's own proxy.

Its chart is k8s/chart, or the folder that LAB_CHART names (OTWLD's, for one).
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from pathlib import Path

from labkit.errors import CommandFailed
from labkit.setup.build import catalog, tools
from labkit.setup.cluster import labs
from labkit.setup.host import paths, shell
from labkit.ui import units

PORT, PATH = 5001, "/charts"
LIMIT = 900_000  # what a ConfigMap takes, with room for its own names


def source() -> Path:
    """The folder of the chart. Raises CommandFailed where LAB_CHART names none."""
    folder = Path(os.environ.get("LAB_CHART") or paths.k8s("chart")).expanduser()
    if not (folder / "Chart.yaml").is_file():
        raise CommandFailed(
            "LAB_CHART names no chart", f"no {folder / 'Chart.yaml'}", "a folder with Chart.yaml"
        )
    return folder


def moved(node: str) -> None:
    """The repository is at this node's address now, for $CHARTS and where `helm repo add` put it.

    Helm refuses to add a name again that stands for another address, and a new cluster has one.
    """
    url = f"http://{node}:{PORT}{PATH}"
    paths.write_json(paths.state("charts.json"), {"url": url})
    added = paths.state("helm", "config", "repositories.yaml")
    if added.exists():
        text = re.sub(rf"http://[\d.]+:{PORT}{PATH}(?=\s)", url, added.read_text())
        paths.write_text(added, text)


def manifest() -> str:
    """A ConfigMap with the packed chart and the repository's index, as one reads it by HTTP."""
    packed = _packed(source())
    chart = next(packed.glob("*.tgz")).read_bytes()
    if len(chart) > LIMIT:
        raise CommandFailed(
            "the chart is too large", units.count(len(chart), "byte"), f"at most {LIMIT}"
        )
    item = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "charts",
            "namespace": labs.SYSTEM,
            "labels": {labs.LABEL[0]: labs.LABEL[1]},
        },
        "data": {"index.yaml": (packed / "index.yaml").read_text()},
        "binaryData": {"chart.tgz": base64.b64encode(chart).decode()},
    }
    return json.dumps(item)


def _packed(chart: Path) -> Path:
    """The folder of the packed chart; packed once, because each packing has another hash."""
    files = sorted(file for file in chart.rglob("*") if file.is_file())
    made = paths.cache(
        "charts", catalog.digest_of(*(str(f.relative_to(chart)) for f in files), *files)
    )
    if not (made / "index.yaml").exists():
        part = made.with_name(f"{made.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        helm = str(tools.path("helm"))
        shell.run(helm, "package", chart, "--destination", part)
        shell.run(helm, "repo", "index", part)
        shutil.rmtree(made, ignore_errors=True)
        part.rename(made)
    return made
