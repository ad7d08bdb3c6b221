"""labkit/setup/cluster/charts.py with the real helm: the lesson's chart, and another one."""

import base64
import io
import json
import shutil
import subprocess
import tarfile

import pytest
import yaml

from labkit.errors import CommandFailed
from labkit.setup.build import catalog, tools
from labkit.setup.cluster import charts
from labkit.setup.host import paths

HELM = tools.path("helm")


@pytest.mark.usefixtures("lab")
def test_the_repository_holds_the_lessons_chart_and_an_index_that_names_it():
    item = json.loads(charts.manifest())
    index = yaml.safe_load(item["data"]["index.yaml"])
    (entry,) = index["entries"]["ollama"]
    assert entry["urls"] == [f"ollama-{entry['version']}.tgz"]
    packed = base64.b64decode(item["binaryData"]["chart.tgz"])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = archive.getnames()
    assert "ollama/values.yaml" in names
    assert "ollama/templates/deployment.yaml" in names


@pytest.mark.usefixtures("lab")
def test_the_same_chart_is_the_same_repository_and_another_is_not(tmp_path, monkeypatch):
    first = charts.manifest()
    assert charts.manifest() == first
    shutil.copytree(charts.source(), tmp_path / "chart")
    values = tmp_path / "chart" / "values.yaml"
    values.write_text(values.read_text().replace("replicaCount: 1", "replicaCount: 2"))
    monkeypatch.setenv("LAB_CHART", str(tmp_path / "chart"))
    assert charts.manifest() != first


def test_a_folder_without_a_chart_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_CHART", str(tmp_path))
    with pytest.raises(CommandFailed, match="LAB_CHART names no chart"):
        charts.manifest()


@pytest.mark.usefixtures("lab")
def test_the_chart_is_well_formed_and_the_slides_old_value_fails_as_the_lesson_says():
    folder = charts.source()
    lint = subprocess.run([HELM, "lint", folder], capture_output=True, text=True, check=False)
    assert lint.returncode == 0, lint.stdout
    words = [HELM, "template", "ollama", folder, "--set"]
    old = subprocess.run([*words, "ollama.models={a}"], capture_output=True, text=True, check=False)
    assert "in type interface {}" in old.stderr
    new = subprocess.run(
        [*words, "ollama.models.pull={x/y:1}"], capture_output=True, text=True, check=True
    )
    (deployment,) = [i for i in yaml.safe_load_all(new.stdout) if i["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert "ollama pull 'x/y:1'" in container["lifecycle"]["postStart"]["exec"]["command"][-1]


def test_the_charts_ollama_is_the_labs():
    chart = yaml.safe_load((paths.k8s("chart") / "Chart.yaml").read_text())
    assert chart["appVersion"] == catalog.load().ollama
