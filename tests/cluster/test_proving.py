"""The notebook runner on the running lab: a namespace for each notebook, gone afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labkit.jupyter import namespace
from labkit.kube import refs
from labkit.setup.cluster import labs
from labkit.setup.host import speed

START = "import labkit as lab\nlab.start()"
POD = 'lab.run("here", image="ollama/ollama")\nlab.wait("pod/here")'
NOTEBOOKS = {
    "well": [START, POD, "!kubectl get pod here"],
    "ill": [START, POD, "!kubectl get pod nosuch", "1"],
}


@pytest.fixture(scope="module")
def ran(lab, tmp_path_factory):
    """One run of both, with a namespace that a killed run left: folder, output."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name, sources in NOTEBOOKS.items():
        cells = [new_code_cell(source) for source in sources]
        nbformat.write(new_notebook(cells=cells), folder / f"{name}.ipynb")
    leave_one_behind()
    words = [sys.executable, "-P", "-m", "labkit.jupyter.run", "."]
    env = {k: v for k, v in os.environ.items() if k != "LAB_PROVING_PID"}
    done = subprocess.run(
        words,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=speed.deadline(200),
        check=False,
    )
    return folder, done


def leave_one_behind() -> None:
    """A namespace whose run is this machine's, and no more."""
    code = "import pathlib, labkit.jupyter.namespace as n; n.make(pathlib.Path('left'))"
    env = {k: v for k, v in os.environ.items() if k != "LAB_PROVING_PID"}
    subprocess.run(
        [sys.executable, "-P", "-c", code], env=env, check=True, timeout=speed.deadline(60)
    )


def spaces() -> list[str]:
    """The namespaces of notebooks that are there and not about to go."""
    found = labs.Lab().get("namespaces", "--selector", namespace.RUN).get("items", [])
    return [item["metadata"]["name"] for item in filter(refs.stays, found)]


def test_each_ran_in_a_namespace_of_its_own_and_none_is_left(ran):
    folder, _ = ran
    assert [name for name in spaces() if "-well-" in name or "-ill-" in name] == []
    assert [name for name in spaces() if "-left-" in name] == []
    used = set()
    for name in NOTEBOOKS:
        text = (folder / "artifacts" / f"{name}.ipynb").read_text()
        cell = nbformat.reads(text, as_version=4).cells[0]
        printed = "".join(output.get("text", "") for output in cell.outputs)
        assert f"namespace: lab-nb-{name}-" in printed
        used.add(printed)
    assert len(used) == 2


def test_the_one_passes_the_other_fails_where_it_should_and_tells_what_the_cluster_says(ran):
    _, done = ran
    assert done.returncode == 1
    assert "well.ipynb: passed" in done.stdout
    assert "ill.ipynb: failed in" in done.stdout
    report = done.stdout
    for words in ("events of lab-nb-ill-", "Pods of lab-nb-ill-", "logs of pod/here"):
        assert words in report
    assert 'pods "nosuch" not found' in report
    assert "Scheduled" in report
    assert "level=INFO" in report  # of Ollama's own log


def test_the_executed_copies_have_their_outputs_and_say_how_it_ended(ran):
    folder, _ = ran
    for name, failed in (("well", False), ("ill", True)):
        notebook = json.loads((folder / "artifacts" / f"{name}.ipynb").read_text())
        assert bool(notebook["metadata"]["labkit"]["failed"]) is failed
        assert notebook["metadata"]["labkit"]["seconds"] > 0
        assert notebook["cells"][1]["outputs"]
    assert not json.loads((folder / "well.ipynb").read_text())["cells"][1]["outputs"]


def test_a_run_in_progress_is_left_alone(lab):
    mine = namespace.make(Path("mine"))
    try:
        namespace.remove_leftovers()
        assert mine in spaces()
    finally:
        namespace.remove(mine)
