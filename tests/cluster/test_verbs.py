"""Each of kubectl's verbs next to the line it prints: both run, and what they did is compared."""

import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from labkit.errors import (
    AlreadyExists,
    CommandFailed,
    LabError,
    NamespaceNotOurs,
    NotFound,
    Refused,
    TimedOut,
    UnknownResource,
)
from labkit.kube import apply, deletion, pod_logs, pod_run, proxy, session, tables, wait
from labkit.kube import exec as kubectl_exec
from labkit.setup.build import catalog
from labkit.setup.cluster import labs
from labkit.setup.host import speed

IMAGE = "ollama/ollama"


def objects(twins, namespace: str, kind: str, name: str = "") -> dict:
    """The object, or a list of them, without what differs between any two."""
    words = [kind, *([name] if name else [])]
    found = json.loads(twins.kubectl(namespace, "get", *words, "-o", "json"))
    text = json.dumps([comparable(item) for item in found.get("items", [found])])
    text = re.sub(r"kube-api-access-\w{5}", "kube-api-access", text)
    return json.loads(text.replace(namespace, "NAMESPACE"))


def comparable(item: dict) -> dict:
    meta = item["metadata"]
    kept = {name: meta.get(name) for name in ("name", "labels", "annotations")}
    spec = {name: value for name, value in item.get("spec", {}).items() if name != "nodeName"}
    managers = {entry["manager"] for entry in meta.get("managedFields", [])}
    return {**kept, "spec": spec, "data": item.get("data"), "managers": sorted(managers)}


@pytest.fixture(scope="module")
def pods(twins):
    """A ready Pod `ollama` in both namespaces."""
    for name in twins:
        twins.kubectl(name, "run", "ollama", f"--image={IMAGE}")
    for name in twins:
        twins.kubectl(
            name,
            "wait",
            "pod/ollama",
            "--for=condition=Ready",
            f"--timeout={speed.deadline(90):g}s",
        )


@pytest.fixture
def printed(capsys):
    """What was printed since the last look."""
    return lambda: capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"env": {"A": "1", "B": "two words"}},
        {"labels": {"app": "x", "tier": "front"}, "port": 11434},
    ],
    ids=["plain", "env", "labels-port"],
)
def test_run_makes_the_pod_that_its_line_makes(twins, printed, options, request):
    name = f"run-{len(str(options))}"
    assert repr(pod_run.run(name, "serve", image=IMAGE, **options)) == f"pod/{name} created"
    said = printed()
    assert f"pod/{name} created\n" in said
    assert twins.line(said).stdout == f"pod/{name} created\n"
    ours, theirs = (objects(twins, space, "pod", name) for space in twins)
    assert ours == theirs
    with pytest.raises(AlreadyExists, match=f'pods "{name}" already exists'):
        pod_run.run(name, image=IMAGE)


def test_run_with_rm_shows_what_the_pod_wrote_and_leaves_none(twins, printed):
    done = pod_run.run("once", "--version", image=IMAGE, rm=True)
    assert done.code == 0
    assert catalog.load().ollama in done.text
    said = printed()
    assert catalog.load().ollama in said
    assert catalog.load().ollama in twins.line(said).stdout
    for name in twins:
        assert "once" not in twins.kubectl(name, "get", "pods", "-o", "name")


def test_run_with_rm_of_a_command_that_fails_is_an_error_and_leaves_none(twins, printed):
    with pytest.raises(CommandFailed, match="ended with exit code 1"):
        pod_run.run("bad", "nonsense", image=IMAGE, rm=True)
    assert twins.line(printed()).returncode != 0
    with pytest.raises(LabError, match="will not start"):
        pod_run.run("worse", image="Ollama/OLLAMA", rm=True)
    with pytest.raises(TimedOut, match="had not ended after 4 s"):
        pod_run.run("endless", image=IMAGE, rm=True, timeout_s=4)
    assert not re.search("bad|worse|endless", twins.kubectl(twins.ours, "get", "pods"))


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("pods", {"selector": "run=ollama"}),
        ("pod/ollama", {}),
        ("configmaps", {}),
        ("serviceaccount/default", {}),
        ("namespaces", {}),
    ],
)
def test_get_has_kubectls_columns_and_cells(twins, printed, what, options):
    table = tables.get(what, **options)
    lines = twins.line(printed()).stdout.splitlines()
    assert re.split(r" {2,}", lines[0].strip()) == table.columns
    rows = sorted(re.split(r" {2,}", line.strip()) for line in lines[1:])
    age = table.columns.index("AGE")

    def ageless(rows):
        return sorted([*row[:age], *row[age + 1 :]] for row in rows)

    assert ageless(rows) == ageless(table.rows)
    assert len(table.items) == len(table)
    assert {item["metadata"]["name"] for item in table.items} == set(table.column("NAME"))


@pytest.mark.usefixtures("pods")
def test_get_of_all_namespaces_says_which(twins, printed):
    table = tables.get("pods", selector="run=ollama", all_namespaces=True)
    assert set(twins) <= set(table.column("NAMESPACE"))
    assert twins.line(printed()).stdout.split()[0] == "NAMESPACE"


def test_get_of_nothing_and_of_nonsense(twins, printed):
    assert repr(tables.get("secrets")) == f"No resources found in namespace {twins.ours}"
    assert twins.line(printed()).returncode == 0
    with pytest.raises(NotFound, match='pods "nosuch" not found'):
        tables.get("pod/nosuch")
    assert twins.line(printed()).returncode == 1
    with pytest.raises(UnknownResource, match="deployments"):
        tables.get("deploymets")


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize("options", [{"tail": 2}, {"since": "1h"}, {"container": "ollama"}])
def test_logs_are_those_of_its_line(twins, printed, options):
    text = pod_logs.logs("pod/ollama", **options).text
    assert text
    # the same Pod's: two Pods log at different times
    words = printed().splitlines()[0].split()[2:]
    assert text == twins.kubectl(twins.ours, *words) + "\n"


@pytest.mark.usefixtures("pods")
def test_logs_follow_a_container_for_the_time_given(twins):
    begun = time.monotonic()
    timer = threading.Timer(
        0.5, twins.kubectl, [twins.ours, "exec", "ollama", "--", "ollama", "list"]
    )
    timer.start()
    text = pod_logs.logs("pod/ollama", tail=1, follow=True, timeout_s=4).text
    timer.join()
    assert 3.5 < time.monotonic() - begun < speed.deadline(8)
    assert "/api/tags" in text


@pytest.mark.usefixtures("pods")
def test_logs_of_what_never_ran_are_refused(twins, printed):
    with pytest.raises(Refused, match="previous terminated container"):
        pod_logs.logs("pod/ollama", previous=True)
    assert twins.line(printed()).returncode == 1


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    ("command", "options"),
    [
        (("ollama", "--version"), {}),
        (("sh", "-c", "echo out; echo err >&2"), {}),
        (("printf", "%s", "no newline, ünïcode ☸"), {}),
        (("sh", "-c", "seq 1 20000"), {}),
    ],
    ids=["plain", "two-streams", "unicode", "long"],
)
def test_exec_gives_both_streams_as_its_line_does(twins, printed, command, options):
    ended = kubectl_exec.exec("pod/ollama", *command, **options)
    theirs = twins.line(printed())
    assert (ended.stdout, ended.stderr, ended.code) == (theirs.stdout, theirs.stderr, 0)


@pytest.mark.usefixtures("pods")
def test_exec_hands_on_what_it_is_given_to_read():
    ended = kubectl_exec.exec("pod/ollama", "sort", stdin="b\na\n")
    assert ended.stdout == "a\nb\n"


@pytest.mark.usefixtures("pods")
def test_exec_that_fails_says_the_exit_code_and_the_last_line(twins, printed):
    with pytest.raises(CommandFailed) as raised:
        kubectl_exec.exec("pod/ollama", "sh", "-c", "echo why >&2; exit 3")
    assert "exit code 3" in raised.value.happened
    assert raised.value.saw == "why"
    assert twins.line(printed()).returncode == 3
    with pytest.raises(CommandFailed, match="a program that the image has"):
        kubectl_exec.exec("pod/ollama", "nosuch")
    with pytest.raises(NotFound):
        kubectl_exec.exec("pod/nosuch", "true")
    with pytest.raises(TimedOut, match="it continues to run in the container"):
        kubectl_exec.exec("pod/ollama", "sleep", "30", timeout_s=1)


def test_apply_makes_and_changes_as_its_line_does(twins, printed, tmp_path):
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}}
    file = tmp_path / "notes.yaml"
    for data in ({"a": "1", "b": "2"}, {"a": "3"}):
        file.write_text(json.dumps({**item, "data": data}))
        assert repr(apply.apply(file)) == "configmap/notes serverside-applied"
        assert twins.line(printed()).stdout == "configmap/notes serverside-applied\n"
        ours, theirs = (objects(twins, space, "configmap", "notes") for space in twins)
        assert ours == theirs
        assert ours[0]["data"] == data


def test_apply_of_a_misspelt_field_is_refused_with_its_name():
    item = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "typo"}}
    container = {"name": "x", "image": IMAGE, "imagee": "y"}
    with pytest.raises(Refused, match="imagee"):
        apply.apply({**item, "spec": {"containers": [container]}})


def test_delete_waits_until_it_is_gone_as_its_line_does(twins, printed):
    for name in twins:
        twins.kubectl(name, "run", "going", f"--image={IMAGE}")
    assert repr(deletion.delete("pod/going")) == "pod/going deleted"
    assert twins.line(printed()).returncode == 0
    for name in twins:
        assert "going" not in twins.kubectl(name, "get", "pods", "-o", "name")
    with pytest.raises(NotFound, match="there is no pod/going"):
        deletion.delete("pod/going")
    assert twins.line(printed()).returncode == 1
    deletion.delete("pod/going", ignore_not_found=True)
    assert twins.line(printed()).returncode == 0


def test_delete_of_what_something_holds_says_what(twins):
    item = {"apiVersion": "v1", "kind": "ConfigMap"}
    apply.apply({**item, "metadata": {"name": "held", "finalizers": ["example.org/held"]}})
    try:
        with pytest.raises(TimedOut, match=r"held by: example\.org/held"):
            deletion.delete("configmap/held", timeout_s=1)
    finally:
        free = '{"metadata": {"finalizers": null}}'
        twins.kubectl(twins.ours, "patch", "configmap", "held", "--type=merge", "-p", free)


@pytest.mark.usefixtures("pods")
def test_events_are_those_of_its_line(twins, printed):
    table = tables.events("pod/ollama")
    lines = twins.line(printed()).stdout.splitlines()
    assert lines[0].split()[:2] == ["LAST", "SEEN"]
    assert [name for name in ("TYPE", "REASON", "OBJECT", "MESSAGE") if name in table.columns]
    reasons = re.findall(r"(Scheduled|Pulled|Pulling|Created|Started)", "\n".join(lines))
    assert set(table.column("REASON")) == set(reasons) >= {"Scheduled", "Created", "Started"}
    assert set(table.column("OBJECT")) == {"pod/ollama"}


@pytest.mark.usefixtures("pods")
def test_connect_reaches_what_its_line_reaches(twins, printed):
    for name in twins:
        twins.kubectl(name, "expose", "pod/ollama", "--port=11434")
    for target in ("pod/ollama", "service/ollama"):
        with proxy.connect(target) as ollama:
            assert ollama.get("/") == "Ollama is running"
        said = printed().replace(twins.ours, twins.theirs)
        assert twins.line(said).stdout.strip() == "Ollama is running"
    with pytest.raises(NotFound):
        proxy.connect("service/nosuch")
    with proxy.connect("pod/ollama", port=1) as nobody, pytest.raises(LabError, match="refused"):
        nobody.get("/")


BARE = """
import os, subprocess, labkit as lab
lab.start()
for command in (
    "kubectl create configmap by-kubectl",
    "bash -ec 'kubectl create configmap by-bash'",
    "helm list",
):
    subprocess.run(command, shell=True, check=True)
"""


def test_bare_commands_after_start_act_in_the_learners_namespace_and_never_in_default(twins):
    values = {**os.environ, "PATH": "/usr/bin:/bin", "LAB_NAMESPACE": twins.ours}
    values["KUBECONFIG"] = "/nonexistent"  # what start() has to set
    done = subprocess.run(
        [sys.executable, "-P", "-c", BARE],
        env=values,
        capture_output=True,
        text=True,
        timeout=speed.deadline(60),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = twins.kubectl(twins.ours, "get", "configmaps", "-o", "name").split()
    assert {"configmap/by-kubectl", "configmap/by-bash"} <= set(made)
    there = labs.Lab().kubectl("get", "all,configmaps", "-n", "default", "-o", "name").split()
    assert set(there) == {"service/kubernetes", "configmap/kube-root-ca.crt"}


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_a_namespace_that_is_not_the_labs_is_refused(name, monkeypatch, twins):
    with pytest.raises(NamespaceNotOurs):
        session.start(name)
    assert session.current().namespace == twins.ours


def test_wait_after_run_is_the_first_lessons_pair(twins):
    pod_run.run("pair", image=IMAGE)
    assert wait.wait("pod/pair").seconds < speed.deadline(60)
