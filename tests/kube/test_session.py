"""labkit/kube/session.py: what start() sets, and what it refuses to act on."""

import os
from pathlib import Path

import pytest
import yaml

from labkit.errors import ApiSilent, LabError, NamespaceNotOurs, NotStarted, NotUp
from labkit.kube import session
from labkit.setup.cluster import environment, labs
from labkit.setup.host import paths
from labkit.ui import notebook

OURS = {labs.LABEL[0]: labs.LABEL[1]}


@pytest.fixture
def up(answering, monkeypatch):
    """`up({namespace: labels})`: a lab whose cluster has these namespaces."""
    monkeypatch.setattr(session, "_current", None)
    monkeypatch.setattr(notebook, "on_failed_command", lambda: None)
    for name in ("KUBECONFIG", "PATH", "MODEL", "OLLAMA_HOST"):  # start() changes them
        monkeypatch.setenv(name, os.environ.get(name, ""))

    def make(namespaces: dict[str, dict]) -> None:
        def answer(handler) -> None:
            name = handler.path.rpartition("/")[2]
            if name in namespaces:
                handler.send({"metadata": {"name": name, "labels": namespaces[name]}})
            else:
                handler.send({"reason": "NotFound", "message": f"no {name}", "code": 404}, 404)

        kubeconfig(answering(answer))

    return make


def kubeconfig(server: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kind-lab", "cluster": {"server": server}}],
        "users": [{"name": "kind-lab", "user": {}}],
        "contexts": [
            {
                "name": "kind-lab",
                "context": {"cluster": "kind-lab", "user": "kind-lab", "namespace": "lab"},
            }
        ],
        "current-context": "kind-lab",
    }
    paths.write_text(labs.Lab().kubeconfig, yaml.safe_dump(config))


def namespace_of(file: str) -> str:
    return yaml.safe_load(Path(file).read_text())["contexts"][0]["context"]["namespace"]


def test_start_points_the_kernel_at_the_lab_and_says_where(up, capsys):
    up({"lab": OURS})
    started = session.start()
    assert session.current() is started
    assert os.environ["KUBECONFIG"] == str(labs.Lab().kubeconfig)
    assert os.environ["MODEL"] == "models.lab-system:5001/library/lab-llama"
    assert os.environ["OLLAMA_HOST"] == "http://127.0.0.1:11435"
    assert os.environ["PATH"].split(os.pathsep)[0] == str(paths.tools())
    assert capsys.readouterr().out.startswith("cluster: the lab's own, namespace: lab, model: ")


def test_a_second_start_adds_nothing_to_the_path(up):
    up({"lab": OURS})
    session.start()
    once = os.environ["PATH"]
    session.start()
    assert os.environ["PATH"] == once


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_another_namespace_gets_a_private_kubeconfig_of_its_own(up, monkeypatch, how):
    up({"lab": OURS, "lab-seat-3": OURS})
    if how == "variable":
        monkeypatch.setenv("LAB_NAMESPACE", "lab-seat-3")
    session.start("lab-seat-3" if how == "argument" else None)
    assert namespace_of(os.environ["KUBECONFIG"]) == "lab-seat-3"
    assert Path(os.environ["KUBECONFIG"]).stat().st_mode & 0o777 == 0o600
    assert namespace_of(labs.Lab().kubeconfig) == "lab"  # the lab's is left as it was


def test_bare_kubectl_acts_in_the_namespace_of_the_variable_too(up, monkeypatch):
    up({"lab": OURS, "lab-seat-3": OURS})
    assert environment.variables()["KUBECONFIG"] == str(labs.Lab().kubeconfig)
    monkeypatch.setenv("LAB_NAMESPACE", "lab-seat-3")
    exported = environment.variables()["KUBECONFIG"]
    assert namespace_of(exported) == "lab-seat-3"
    session.start()
    assert os.environ["KUBECONFIG"] == exported
    session.start("lab")  # what is said here counts
    assert os.environ["KUBECONFIG"] == str(labs.Lab().kubeconfig)


@pytest.mark.parametrize("name", ["..", "a/b", "UPPER"])
def test_a_variable_that_is_no_name_is_refused_and_writes_nothing(up, monkeypatch, name):
    up({"lab": OURS})
    before = labs.Lab().kubeconfig.read_text()
    monkeypatch.setenv("LAB_NAMESPACE", name)
    with pytest.raises(LabError, match="is not a valid name"):
        environment.variables()
    assert [file.name for file in paths.state().rglob("*")] == [labs.Lab().kubeconfig.name]
    assert labs.Lab().kubeconfig.read_text() == before


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_a_namespace_without_the_labs_label_is_refused_and_nothing_is_set(up, name):
    up({"lab": OURS, name: {"kubernetes.io/metadata.name": name}})
    before = dict(os.environ)
    with pytest.raises(NamespaceNotOurs, match=f"namespace {name} does not belong to the lab"):
        session.start(name)
    assert dict(os.environ) == before
    with pytest.raises(NotStarted):
        session.current()


def test_an_ollama_of_the_users_own_is_no_lessons_where_the_lab_has_none(up, monkeypatch):
    up({"lab": OURS})
    labs.Lab("cloud").kubeconfig.parent.mkdir(parents=True)
    labs.Lab("cloud").kubeconfig.write_text(labs.Lab().kubeconfig.read_text())
    monkeypatch.setenv("LAB_CONTEXT", "cloud")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:11434")
    session.start()
    assert "OLLAMA_HOST" not in os.environ


def test_without_a_lab_the_first_cell_says_what_to_do(monkeypatch):
    monkeypatch.setattr(session, "_current", None)
    with pytest.raises(NotUp, match=r"try: ./lab up"):
        session.start()
    with pytest.raises(NotStarted, match=r"try: lab\.start\(\)"):
        session.current()


def test_a_cluster_that_is_gone_and_a_namespace_that_is_missing_are_two_things(up, monkeypatch):
    monkeypatch.setattr(session, "START_S", 0.5)
    up({})
    with pytest.raises(NotUp, match="there is no namespace lab"):
        session.start()
    kubeconfig("https://127.0.0.1:1")
    with pytest.raises(ApiSilent):
        session.start()


@pytest.mark.parametrize("begin", [session.start, lambda: session.enter(missing_ok=True)])
def test_an_api_server_that_restarts_is_asked_again(answering, up, begin):
    up({"lab": OURS})
    left = [503] * 4

    def answer(handler) -> None:
        code = left.pop() if left else 200
        handler.send({"code": code, "metadata": {"name": "lab", "labels": OURS}}, code)

    kubeconfig(answering(answer))
    assert begin().namespace == "lab"
    assert not left
