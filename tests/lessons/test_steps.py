"""labkit/lessons/notebooks and steps.py: a step is one place, and all that lists steps has it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from labkit.lessons import steps
from labkit.setup.host import paths
from tools import steps as page

ROOT = Path(__file__).parents[2]
ADDED = """\
    Step(
        "03-service/second",
        "A second Service",
        service_probes.service_answers,
        State((*_SERVICE, "03-second"), pulled=_EVERY_POD, asked=1),
        ladder=Ladder("Which?", "Its ports.", "kubectl get services", "kubectl apply"),
        mistake="kubectl delete service second",
    ),
)
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: second
spec:
  ports:
    - port: 80
"""
LISTED = """
import contextlib, io, json, sys
from labkit.commands import main
from labkit.kube import session
from labkit.lessons import desired_objects, steps
from labkit.lessons.seen import Seen
from tools import steps as page


def said(*words):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main.main([*words]) == 0
    return out.getvalue()


here = session.Session("lab", "", None)
session.enter = session.current = lambda **_: here
steps.STEPS = tuple(one._replace(check=lambda _: Seen(True, "fine")) for one in steps.STEPS)
here.__class__.api = type("Api", (), {"resource": lambda *_: None})()
json.dump(
    {
        "file": steps.__file__,
        "check": [one["step"] for one in json.loads(said("check", "-o", "json"))],
        "goto": said("completion", "bash").partition("'goto '*)")[2].partition(";;")[0].split(),
        "page": page.wanted("", steps.STEPS),
        "objects": [
            item["metadata"]["name"]
            for item in desired_objects.objects(here, steps.one("03-service/second").state)
        ],
    },
    sys.stdout,
)
"""


def sections(notebooks: Path) -> dict[str, str]:
    """The step of each check of these notebooks → the heading that it stands under."""
    found, heading = {}, ""
    for file in sorted(notebooks.glob("[0-9]*.ipynb")):
        for cell in nbformat.read(file, as_version=4).cells:
            if cell.cell_type == "markdown":
                heading = (re.findall(r"^##? (.*)$", cell.source, re.MULTILINE) or [heading])[-1]
            for step in re.findall(r'^lab\.check\("(.*?/.*?)"\)', cell.source, re.MULTILINE):
                found[step] = heading
    return found


def test_each_steps_check_stands_under_its_title_in_its_notebook_and_in_this_order():
    assert list(sections(ROOT / "notebooks").items()) == [(s.id, s.title) for s in steps.STEPS]


def test_every_step_has_hints_a_mistake_and_there_are_enough_of_both_steps_and_starts():
    assert [step.id for step in steps.STEPS if not (step.ladder and step.mistake)] == []
    assert len(steps.STEPS) >= 20
    assert len({str(steps.before(step)) for step in steps.STEPS}) >= 12


def test_every_folder_is_in_the_state_of_a_step():
    folders = {folder.name for folder in paths.k8s("steps").iterdir()}
    assert {folder for step in steps.STEPS for folder in step.state.folders} == folders


@pytest.fixture
def copy(tmp_path):
    """The parts of the project that a step is in, or that list steps."""
    for name in ("labkit", "k8s/steps", "notebooks", "tools"):
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    return tmp_path


def test_a_step_that_is_added_in_its_one_place_is_in_every_list(copy):
    file = copy / "labkit/lessons/notebooks/n03_service.py"
    file.write_text(file.read_text().removesuffix(")\n") + ADDED)
    (copy / "k8s/steps/03-second").mkdir()
    (copy / "k8s/steps/03-second/service.yaml").write_text(SERVICE)
    notebook = copy / "notebooks/03-service.ipynb"
    found = nbformat.read(notebook, as_version=4)
    found.cells += [
        nbformat.v4.new_markdown_cell("## A second Service"),
        nbformat.v4.new_code_cell('lab.check("03-service/second")'),
    ]
    nbformat.write(found, notebook)

    command = [sys.executable, "-P", "-c", LISTED]
    done = subprocess.run(
        command,
        cwd=copy,
        env={"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    ids = [step.id for step in steps.STEPS]
    ids.insert(ids.index("03-service/answers") + 1, "03-service/second")
    assert Path(listed["file"]).is_relative_to(copy)
    assert listed["check"] == ids
    assert "03-service/second" in listed["goto"]
    assert "| `03-service/second` | A second Service |\n" in listed["page"]
    assert listed["objects"] == ["ollama", "ollama", "second"]
    assert list(sections(copy / "notebooks")) == ids


def test_the_page_has_the_steps_that_there_are():
    text = page.FILE.read_text()
    assert text == page.wanted(text, steps.STEPS), "run: python tools/steps.py"
    assert text != page.wanted(text, steps.STEPS[1:])
