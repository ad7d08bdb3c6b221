"""The verbs for Deployments and Services next to the lines they print; clients and timelines."""

import json
import re
import time

import pexpect
import pytest

import labkit
from labkit.errors import AlreadyExists, Gone, LabError, NotFound, PodFailed, TimedOut
from labkit.kube import deletion, proxy, refs, tables, wait, workloads
from labkit.kube import session as sessions
from labkit.ollama import access_log, hey, local_models, mirror_log, processes, timeline
from labkit.setup.host import speed

IMAGE = "ollama/ollama"
MEANT = ("replicas", "selector", "template", "ports", "type", "strategy")


@pytest.fixture
def printed(capsys):
    """What was printed since the last look."""
    return lambda: capsys.readouterr().out


def spec(twins, namespace: str, target: str) -> dict:
    """What was meant of an object: its labels and those fields of its spec."""
    item = json.loads(twins.kubectl(namespace, "get", target, "-o", "json"))
    text = json.dumps({name: item["spec"].get(name) for name in MEANT})
    text = re.sub(r'"kubectl.kubernetes.io/restartedAt": "[^"]*"', '"restartedAt": 1', text)
    return {"labels": item["metadata"].get("labels"), "spec": json.loads(text)}


def same(twins, target: str) -> bool:
    return spec(twins, twins.ours, target) == spec(twins, twins.theirs, target)


@pytest.fixture(scope="module", autouse=True)
def deployment(twins):
    """A Deployment and a Service `ollama` in both, made by the verbs and by their lines."""
    for name in twins:
        twins.kubectl(name, "create", "deployment", "ollama", f"--image={IMAGE}")
        twins.kubectl(name, "create", "service", "clusterip", "ollama", "--tcp=11434")
    for name in twins:
        twins.kubectl(
            name, "rollout", "status", "deployment/ollama", f"--timeout={speed.deadline(90):g}s"
        )


@pytest.mark.parametrize(
    ("make", "target"),
    [
        (lambda: workloads.create_deployment("a", image=IMAGE), "deployment/a"),
        (
            lambda: workloads.create_deployment("b", "sleep", "60", image="x/y:1", replicas=2),
            "deployment/b",
        ),
        (lambda: workloads.create_deployment("c", image=IMAGE, port=11434), "deployment/c"),
        (lambda: workloads.create_service("a", tcp=11434), "service/a"),
        (lambda: workloads.create_service("b", tcp="80:11434"), "service/b"),
    ],
)
def test_create_makes_what_its_line_makes(twins, printed, make, target):
    done = make()
    said = printed()
    theirs = twins.line(said)
    assert theirs.stdout.strip() == repr(done) == said.splitlines()[-1]
    assert same(twins, target)
    with pytest.raises(AlreadyExists):
        make()
    deletion.delete(target)
    twins.kubectl(twins.theirs, "delete", target, "--wait=false")


@pytest.mark.parametrize("tcp", ["", "port", "80:x"])
def test_a_port_that_is_none_is_refused(tcp):
    with pytest.raises(LabError, match="is not a valid port"):
        workloads.create_service("x", tcp=tcp)


def test_scale_and_rollout_do_what_their_lines_do(twins, printed):
    for count in (3, 1):
        done = workloads.scale("deployment/ollama", replicas=count)
        assert twins.line(printed()).stdout.strip() == repr(done)
        wait.rollout("deployment/ollama")
        assert twins.line(printed()).returncode == 0
        here = sessions.current()
        found = refs.pods_of(here, refs.parsed(here, "deployment/ollama"))
        assert len(list(filter(refs.stays, found))) == count
        assert same(twins, "deployment/ollama")


def test_restart_replaces_the_pods_and_rollout_waits_until_the_old_are_gone(twins, printed):
    before = set(tables.get("pods", selector="app=ollama").column("NAME"))
    printed()
    done = workloads.restart("deployment/ollama")
    assert twins.line(printed()).stdout.strip() == repr(done)
    wait.rollout("deployment/ollama")
    assert twins.line(printed()).returncode == 0
    assert same(twins, "deployment/ollama")
    ready = [p for p in tables.get("pods", selector="app=ollama").items if refs.ready(p)]
    assert not before & {pod["metadata"]["name"] for pod in ready}


def test_a_rollout_that_cannot_succeed_says_why_and_one_of_nothing_too(twins):
    with pytest.raises(NotFound):
        wait.rollout("deployment/nosuch")
    workloads.create_deployment("ill", image="ollama/olama-nosuch")
    try:
        with pytest.raises((PodFailed, TimedOut), match="ImagePull"):
            wait.rollout("deployment/ill", timeout_s=speed.deadline(60))
    finally:
        deletion.delete("deployment/ill")
    with pytest.raises((NotFound, Gone)):
        workloads.scale("deployment/ill", replicas=1)


def test_hey_each_pod_and_the_timeline_agree_on_who_answered(twins, printed):
    workloads.scale("deployment/ollama", replicas=2)
    wait.rollout("deployment/ollama")
    local_models.pull(at="deployment/ollama")
    body = {"model": labkit.model, "prompt": "What is a Pod?"}
    url = "http://ollama:11434/api/generate"
    report = hey.hey(url, n=20, c=1, body=body, keepalive=False)
    assert report.answers == 20
    table = access_log.each_pod("deployment/ollama")
    counted = {200: 0, 404: 0}
    for item in table.items:
        for status, count in item["statuses"].items():
            counted[int(status)] += count
    assert {status: count for status, count in counted.items() if count} == report.statuses
    found = timeline.timeline("deployment/ollama")
    assert len(found.seconds("ready")) == 2
    assert len(found.seconds("model")) == 1


def test_hey_at_four_sends_eight_of_ten():
    url = "http://ollama:11434/"
    assert hey.hey(url, n=10, c=4).answers == 8


def test_an_interactive_client_works_in_a_terminal(twins):
    """`kubectl run -it … -- sh`, typed into as a learner types."""
    words = ["run", "shell", "--rm", "-it", "--image", hey.HEY, "--", "sh"]
    shell = pexpect.spawn(
        "kubectl",
        words,
        env=twins.environment(twins.ours),
        encoding="utf-8",
        timeout=speed.deadline(60),
    )
    try:
        shell.expect(r"/ [#$] ")
        shell.sendline("hey -c 2 -n 4 http://ollama:11434/")
        shell.expect(r"\[200\]\s+4 responses")
        shell.sendline("exit")
        shell.expect("deleted")
    finally:
        shell.close(force=True)
        # a first process ignores the word to end, and would have half a minute for it
        twins.kubectl(twins.ours, "delete", "pod/shell", "--ignore-not-found", "--now")


def test_processes_are_the_servers_and_those_of_its_line(twins, printed):
    table = processes.processes("deployment/ollama")
    assert any("ollama" in command for command in table.column("COMMAND"))
    theirs = twins.line(printed()).stdout
    assert "PID" in theirs and "ollama" in theirs


def test_what_leaves_the_mirror_is_counted(twins):
    with proxy.connect("deployment/ollama") as server:
        names = [model["name"] for model in server.get("/api/tags")["models"]]
        for name in names:
            server.delete("/api/delete", {"model": name})
        begun = time.time()
        local_models.pull(at=server)
    sent = mirror_log.mirrored(since=begun)
    assert 1_400_000 < sent.bytes < 4_000_000
    assert mirror_log.mirrored(since=time.time() + 5).bytes == 0
    later = time.time()
    pull = ["exec", "deployment/ollama", "--", "ollama", "pull", "--insecure", labkit.model]
    twins.kubectl(twins.theirs, *pull)
    assert mirror_log.mirrored(since=later).bytes == 0, "another namespace's Pods do not count"
