"""status, images and env: what they say, and their exit codes, where no lab is."""

import io
import json

import pytest

from labkit.commands import main as cli
from labkit.commands import status
from labkit.commands.status import Part
from labkit.jupyter import server as jupyter
from labkit.setup.cluster import kind as cluster
from labkit.setup.cluster import labs
from labkit.setup.host import lock, paths
from labkit.setup.host.progress import Reporter


@pytest.mark.parametrize(
    ("works", "code"),
    [([True, True], 0), ([True, False], 1), ([None, True], 2), ([None, False], 1)],
)
def test_no_outweighs_could_not_tell(works, code):
    assert status.exit_code([Part("x", answer, "") for answer in works]) == code


def test_without_an_engine_status_is_no_and_says_why(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["status", "-o", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["up"] is False
    machine, engine = told["parts"][:2]
    assert machine == {
        "name": "machine",
        "works": True,
        "saw": "about 1 of the reference machine, by LAB_SPEED",
    }
    assert "no container engine answers" in engine["saw"]


def test_env_without_a_lab_exports_nothing(capsys):
    assert cli.main(["env"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("NotUp: there is no lab to point to\n")
    assert len(err.splitlines()) == 3


def test_env_exports_what_a_shell_needs_once(capsys, monkeypatch):
    paths.write_text(cluster.LAB.kubeconfig, "")
    assert cli.main(["env"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"export KUBECONFIG={cluster.LAB.kubeconfig}"
    assert lines[1] == "export MODEL=models.lab-system:5001/library/lab-llama"
    assert lines[2] == "export OLLAMA_HOST=http://127.0.0.1:11435"
    kinds = ("CONFIG", "CACHE", "DATA")
    homes = {f"export HELM_{kind}_HOME={paths.state('helm', kind.lower())}" for kind in kinds}
    assert homes == set(lines[3:6])
    assert str(paths.tools()) in lines[6]


def test_an_ollama_of_ones_own_is_what_a_shell_gets(capsys, monkeypatch):
    paths.write_text(cluster.LAB.kubeconfig, "")
    monkeypatch.setenv("LAB_OLLAMA", "http://127.0.0.1:11434")
    assert cli.main(["env"]) == 0
    assert "export OLLAMA_HOST=http://127.0.0.1:11434\n" in capsys.readouterr().out


def test_beside_another_cluster_there_is_no_ollama_of_the_labs(capsys):
    paths.write_text(labs.Lab("cloud").kubeconfig, "")
    assert cli.main(["env", "--context", "cloud"]) == 0
    assert "OLLAMA_HOST" not in capsys.readouterr().out


def test_images_lists_every_tool_and_image_even_without_an_engine(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["images"]) == 0
    out = capsys.readouterr().out
    for name in ("kind 0.33.0", "ollama/ollama:0.34.2", "nixery.dev/hey:latest", "kindest/node:"):
        assert name in out
    assert "unknown  ollama/ollama:0.34.2" in out


def test_an_unknown_log_names_those_that_are_there(capsys):
    paths.log_file("build-cluster").write_text("go: downloading\n")
    assert cli.main(["logs"]) == 0
    assert capsys.readouterr().out.split() == ["build-cluster", "cluster"]
    assert cli.main(["logs", "build-cluster"]) == 0
    assert capsys.readouterr().out == "go: downloading\n"
    assert cli.main(["logs", "nothing"]) == 1
    assert "saw: logs: build-cluster, cluster" in capsys.readouterr().err


def test_purge_without_a_terminal_and_without_yes_removes_nothing(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    kept = paths.log_file("kept")
    kept.write_text("x")
    assert cli.main(["down", "--purge"]) == 1
    assert kept.exists()
    assert "Remove all of this?" in capsys.readouterr().out
    assert cli.main(["down", "--purge", "--yes"]) == 0
    assert not paths.cache().exists()


def test_purge_and_context_together_are_refused(capsys):
    assert cli.main(["down", "--purge", "--context", "theirs"]) == 2
    assert capsys.readouterr().err.startswith("Unsupported:")


def test_ready_is_said_in_one_line_when_every_part_works():
    found = [Part("tools", True, "6 here"), Part("namespace", True, "lab")]
    assert status.readiness(found) == "Ready for the workshop."


def test_what_is_missing_is_named_and_what_only_follows_from_it_is_not():
    found = [
        Part("images", False, "missing: registry\n:2.8.2"),
        Part("local Ollama", None, "nobody knows"),
        Part("model mirror", False, "in other words", is_asked=False),
    ]
    told = "images (missing: registry :2.8.2)"
    assert status.readiness(found) == f"Not ready for the workshop: {told}; try ./lab up"
    assert status.readiness(found, "a b").endswith("; try ./lab up --context 'a b'")


def test_what_could_not_be_told_has_words_of_its_own():
    found = [Part("container engine", None, "no right to ask"), Part("tools", True, "6 here")]
    told = "Could not tell whether it is ready for the workshop: container engine (no right to ask)"
    assert status.readiness(found) == told


@pytest.mark.parametrize(
    ("meta", "works", "saw"),
    [
        ({}, False, "there is no lab"),
        ({"labels": {}}, False, "lab lacks the label app.kubernetes.io/managed-by=labkit"),
        ({"deletionTimestamp": "now"}, False, "lab is being removed"),
        ({"name": "lab"}, True, "lab"),
    ],
)
def test_the_learners_namespace_is_there_labelled_and_stays(monkeypatch, meta, works, saw):
    label, value = labs.LABEL
    item = {"metadata": {"labels": {label: value}, **meta}} if meta else {}
    monkeypatch.setattr(labs.Lab, "get", lambda lab, *words: item)
    assert status._namespace(labs.Lab()) == (works, saw)


def test_status_ends_in_the_line_and_json_has_it_too(monkeypatch, capsys):
    for works, code, line in (
        (True, 0, "Ready for the workshop."),
        (False, 1, "Not ready for the workshop: tools (2 here); try ./lab up"),
        (None, 2, "Could not tell whether it is ready for the workshop: tools (2 here)"),
    ):
        found = [Part("tools", works, "2 here")]
        monkeypatch.setattr(status, "parts", lambda context, found=found: found)
        assert cli.main(["status"]) == code
        assert capsys.readouterr().out.splitlines()[-1] == line
        assert cli.main(["status", "-o", "json"]) == code
        told = json.loads(capsys.readouterr().out)
        assert (told["up"], told["readiness"]) == (works, line)


def test_nothing_is_ready_where_there_is_no_lab(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["status"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Not ready for the workshop: container engine (")
    assert "nothing to ask" not in last


def names(found: list[Part]) -> list[str]:
    return [part.name for part in found if part.works is False]


def test_while_up_is_at_work_the_lab_is_not_ready(monkeypatch):
    monkeypatch.setattr(status, "_cluster_parts", lambda _: [Part("cluster", True, "2 nodes")])
    jupyter.wanted(choice=False)
    assert status.readiness(status.parts()) == "Ready for the workshop."
    with Reporter() as reporter, lock.held(reporter):
        line = status.readiness(status.parts())
    assert line.startswith("Not ready for the workshop: ./lab (another command is at work")
    assert status.readiness(status.parts()) == "Ready for the workshop."


def test_without_jupyterlab_the_lab_is_not_ready_unless_up_was_told_so(monkeypatch):
    monkeypatch.setattr(status, "_cluster_parts", lambda _: [])
    assert names(status.parts()) == ["JupyterLab"]
    assert "JupyterLab (it does not run); try ./lab up" in status.readiness(status.parts())
    jupyter.wanted(choice=False)
    assert names(status.parts()) == []
    jupyter.wanted(choice=True)
    assert names(status.parts()) == ["JupyterLab"]


def test_each_context_is_a_lab_with_or_without_jupyterlab(monkeypatch):
    monkeypatch.setattr(status, "_cluster_parts", lambda _: [])
    jupyter.wanted("a/b", choice=False)
    assert (names(status.parts("a/b")), names(status.parts("c"))) == ([], ["JupyterLab"])
    assert names(status.parts()) == ["JupyterLab"]
    jupyter.wanted(choice=False)
    jupyter.wanted("a/b", choice=True)
    assert (names(status.parts("a/b")), names(status.parts())) == (["JupyterLab"], [])


@pytest.mark.parametrize(
    ("is_terminal", "in_a_cell"), [(True, False), (False, False), (True, True)]
)
def test_the_token_is_told_to_a_terminal_alone(monkeypatch, capsys, is_terminal, in_a_cell):
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    if in_a_cell:  # a kernel's child, whose output is a terminal that is saved with the notebook
        monkeypatch.setenv("JPY_PARENT_PID", "1")
    running = jupyter.Server(1, 8888, "secret", "/work", "")
    monkeypatch.setattr(jupyter, "known", lambda: running)
    monkeypatch.setattr(jupyter.Server, "answers", lambda _: True)
    monkeypatch.setattr(status, "_cluster_parts", lambda _: [])
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal, raising=False)
    assert cli.main(["status"]) == 0
    out = capsys.readouterr().out
    is_told = is_terminal and not in_a_cell
    assert (running.url in out) == ("secret" in out) == is_told
    assert ("./lab notebook prints it" in out) != is_told
    assert out.splitlines()[-1] == "Ready for the workshop."
    assert cli.main(["status", "-o", "json"]) == 0
    assert "secret" not in capsys.readouterr().out
