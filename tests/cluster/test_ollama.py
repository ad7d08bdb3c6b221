"""Ollama's words next to the lines they print: in a Pod, behind a Service, on this machine."""

import json
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import labkit
from labkit.errors import ModelMissing, OllamaSaid, Unreachable
from labkit.kube import deletion, proxy, session
from labkit.ollama import client, completion, local_models, running_models
from labkit.ollama.model_name import same
from labkit.setup.build import catalog
from labkit.setup.cluster import labs
from labkit.setup.cluster import local_ollama as local
from labkit.setup.cluster.model import plain
from labkit.setup.host import docker, shell, speed
from labkit.ui.table import Table

BODY = {"model": labkit.model}
NO_CLOUD = "OLLAMA_NO_CLOUD"
# prints the names that are looked up, and answers none
NAME_SERVER = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
while True:
    query, at, labels = server.recv(512), 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    print(".".join(labels))
"""
PLACES = ["pod/ollama", None]  # None: the lab's own, beside the cluster


# one of about seven that leave in the middle of an answer blocks Ollama 0.24 for good
@pytest.fixture(scope="module", autouse=True)
def pods(twins):
    """An Ollama as a Pod and a Service, with the model, in both namespaces; and beside them."""
    for name in twins:
        twins.kubectl(name, "run", "ollama", "--image=ollama/ollama")
        twins.kubectl(name, "expose", "pod/ollama", "--port=11434")
    for name in twins:
        twins.kubectl(
            name,
            "wait",
            "pod/ollama",
            "--for=condition=Ready",
            f"--timeout={speed.deadline(90):g}s",
        )
        pull = ("ollama", "pull", "--insecure", labkit.model)
        twins.kubectl(name, "exec", "ollama", "--", *pull)
    local_models.pull()


@pytest.fixture
def printed(capsys):
    """What was printed since the last look."""
    return lambda: capsys.readouterr().out


def cells(text: str) -> list[list[str]]:
    """The rows of a table that Ollama printed."""
    return [re.split(r"\s{2,}", line.strip()) for line in plain(text).splitlines() if line.strip()]


def without(table: Table, *names: str) -> list[list[str]]:
    kept = [index for index, name in enumerate(table.columns) if name not in names]
    return [[row[index] for index in kept] for row in [table.columns, *table.rows]]


@pytest.mark.parametrize("at", PLACES)
def test_models_are_those_that_ollama_lists(twins, printed, at):
    table = local_models.models(at)
    theirs = cells(twins.line(printed()).stdout)
    assert [row[:3] for row in theirs] == without(table, "MODIFIED")
    assert any(same(name, labkit.model) for name in table.column("NAME"))


@pytest.mark.parametrize("at", PLACES)
def test_show_says_what_ollama_says(twins, printed, at):
    table = local_models.show(at=at)
    theirs = plain(twins.line(printed()).stdout)
    for section, name, value in table:
        assert section in theirs
        assert name in theirs
        assert value[:40] in theirs  # the longer ones it shortens


@pytest.mark.parametrize("at", PLACES)
def test_ps_and_stop_agree_with_ollama_on_what_is_in_memory(twins, printed, at):
    completion.generate("What is a Pod?", at=at, keep_alive="2m")
    twins.line(printed())
    table = running_models.ps(at)
    theirs = cells(twins.line(printed()).stdout)
    assert without(table, "UNTIL", "CONTEXT", "ID") == [
        [cell for index, cell in enumerate(row) if index in (0, 2, 3)] for row in theirs
    ]
    assert same(table[0][0], labkit.model)
    assert running_models.stop(at=at).rows == []
    assert twins.line(printed()).returncode == 0
    assert running_models.ps(at).rows == []
    assert len(cells(twins.line(printed()).stdout)) == 1


@pytest.mark.parametrize("at", PLACES)
def test_an_answer_is_the_one_that_ollama_run_gives(twins, printed, at):
    answer = completion.generate("What is a Pod?", at=at)
    assert len(answer.text) > 20
    assert answer.text.split() == plain(twins.line(printed()).stdout).split()
    assert answer.tokens > 5
    assert answer.total_s >= answer.eval_s > 0


@pytest.mark.parametrize("at", PLACES)
def test_pulling_again_downloads_nothing_and_pulling_anew_does(twins, printed, at):
    assert local_models.pull(at=at).fetched_bytes == 0
    said = printed()
    assert "nothing was downloaded" in said
    assert twins.line(said).returncode == 0
    with client.server(at) as server:
        server.delete("/api/delete", BODY)
    pulled = local_models.pull(at=at)
    assert pulled.fetched_bytes > 1_000_000
    assert "100 %" in printed()


def test_a_service_is_asked_as_the_client_of_the_deck_asks_it(twins, printed):
    table = local_models.show(at="service/ollama")
    done = twins.line(printed(), terminal=True)
    assert done.returncode == 0, done.stdout
    assert f'"{table.items[0]["details"]["family"]}"' in plain(done.stdout)


def test_no_answer_through_the_api_server_is_cut_however_many_are_asked():
    here = session.current()

    def ask(_: int) -> int:
        with proxy.opened(here, "pod/ollama") as connection:
            return sum("details" in connection.post("/api/show", BODY) for _ in range(250))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(ask, range(4))) == 1000


def test_a_turn_of_a_conversation_carries_what_was_said(printed):
    first = completion.chat("What is a Service?", at="pod/ollama")
    second = completion.chat("What is a Deployment?", at="pod/ollama", after=first)
    assert "Deployment" in second.text
    assert [message["role"] for message in second.messages] == ["user", "assistant"] * 2
    assert ">>> What is a Deployment?" in printed()


@pytest.mark.parametrize("at", PLACES)
def test_a_model_that_is_not_there_is_missing_and_its_line_says_so_too(twins, printed, at):
    with pytest.raises(ModelMissing):
        local_models.show("nosuch", at=at)
    assert twins.line(printed()).returncode != 0
    with pytest.raises(ModelMissing, match=r"lab\.pull"):
        completion.generate("x", model="nosuch", at=at)
    with pytest.raises(OllamaSaid) as raised:
        local_models.pull(labkit.model.replace("lab-llama", "nosuch"), at=at)
    assert not isinstance(raised.value, ModelMissing)


def test_an_ollama_that_is_not_there_is_said_in_three_lines(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:1")
    with pytest.raises(Unreachable, match="the local Ollama does not answer"):
        local_models.models()


INTERRUPTED = """
import labkit as lab
lab.start()
lab.ps(watch=True)
"""


def test_ctrl_c_leaves_stopped_and_an_ollama_that_goes_on(twins):
    completion.generate("What is a Pod?", keep_alive="2m")
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", INTERRUPTED],
        env=twins.environment(twins.ours),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # the first state of the live line: by then it is the one who is interrupted
        while "lab-llama:" not in process.stdout.readline():
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=speed.deadline(20))
    finally:
        process.kill()
        process.wait()
    assert "■ stopped: loaded models" in out, err
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert len(running_models.ps()) == 1
    running_models.stop()


def test_the_container_runs_as_nobody_on_this_machine_only_with_no_rights():
    found = docker.inspect("container", local.NAME)[local.NAME]
    assert found["Config"]["User"].partition(":")[0] not in ("", "0", "root")
    ports = found["HostConfig"]["PortBindings"]["11434/tcp"]
    assert [port["HostIp"] for port in ports] == ["127.0.0.1"]
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert not found["HostConfig"]["Privileged"]
    assert found["HostConfig"]["Memory"] > 0


def test_a_killed_container_is_brought_back_with_its_models(lab, twins):
    before = json.dumps(local_models.models().column("NAME"))
    docker.docker("kill", local.NAME)
    assert "no  local Ollama" in lab("status").stdout
    done = subprocess.run(
        ["ollama", "list"],
        env=twins.environment(labs.LEARNER),
        capture_output=True,
        text=True,
        timeout=speed.deadline(30),
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "try: ./lab up"
    assert lab("up", "--yes").returncode == 0
    assert json.dumps(local_models.models().column("NAME")) == before


ELSEWHERE = {"Chart", "LabError", "Table", "slow_model"}  # doctests, and notebook 07


def examples() -> dict[str, str]:
    """The example in the docstring of each public name."""
    found = {}
    for name in set(labkit._HOMES) - ELSEWHERE:
        text = getattr(labkit, name).__doc__
        found[name] = "\n".join(re.findall(r"^ {8}(\S.*| {4}.*)$", text, re.MULTILINE))
    return found


def test_every_public_name_has_an_example_that_runs(twins, monkeypatch):
    found = examples()
    assert all(found.values()), [name for name, text in found.items() if not text]
    for name, value in twins.environment(twins.ours).items():
        monkeypatch.setenv(name, value)
    for target in ("pod/ollama", "service/ollama"):
        deletion.delete(target)
    first = ["start", "create_deployment", "create_service", "run", "rollout", "wait", "pull"]
    last = ["delete", "plant", "goto", "reset"]  # which take away what the others need
    middle = sorted(set(found) - {*first, *last})
    for name in [*first, *middle, *last]:
        try:
            exec(found[name], {"lab": labkit})
        except Exception as error:
            pytest.fail(f"the example of lab.{name} fails: {found[name]}\n{error}")
        if name == "start":
            labkit.apply("k8s/steps/05-model")  # which each way of notebook 05 reads
        if name == "run":
            labkit.wait("pod/ollama")
        if name == "pull":
            labkit.pull(at="deployment/ollama")  # which the Service leads to, for the load test


@pytest.fixture
def looked_up():
    """The names that an Ollama with this setting looks up while it starts and lists its models."""
    made = []

    def run(name: str, image: str, *words: str, command: tuple[str, ...] = ()) -> str:
        made.append(name)
        words = ("run", "--detach", "--name", name, *words)
        return docker.docker(*words, catalog.load().image(image).reference, *command)

    def names(no_cloud: str) -> set[str]:
        server, ollama = f"lab-test-names-{no_cloud}", f"lab-test-ollama-{no_cloud}"
        run(server, "python", "--dns=127.0.0.1", command=("python3", "-u", "-c", NAME_SERVER))
        words = (f"--network=container:{server}", f"--env={NO_CLOUD}={no_cloud}")
        run(ollama, "ollama/ollama", *words)
        deadline = time.monotonic() + speed.deadline(60)
        lists = ("docker", "exec", ollama, "ollama", "list")
        while shell.run(*lists, check=False).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return set(docker.docker("logs", server).split())

    yield names
    docker.docker("rm", "-f", *made, check=False)


def test_the_labs_own_ollama_asks_nobody_outside_the_lab(looked_up, twins):
    beside = docker.inspect("container", local.NAME)[local.NAME]["Config"]["Env"]
    assert f"{NO_CLOUD}=1" in beside
    words = ("get", "deployment", "ollama", "--output=jsonpath={..containers[0].env}")
    inside = json.loads(twins.kubectl("lab-system", *words))
    assert {"name": NO_CLOUD, "value": "1"} in inside
    assert looked_up("1") == set()
    assert looked_up("0") == {"ollama.com"}  # so it is the setting


def test_the_documents_python_runs(twins, monkeypatch):
    root = Path(__file__).parents[2]
    blocks = []
    for name in ("README.md", "docs/metrics.md", "docs/load.md"):
        text = (root / name).read_text()
        blocks += re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    for name, value in twins.environment(twins.ours).items():
        monkeypatch.setenv(name, value)
    for target in ("pod/ollama", "service/ollama"):
        deletion.delete(target, ignore_not_found=True)
    known: dict = {}
    first, *others = blocks
    exec(first, known)
    twins.kubectl(twins.ours, "expose", "pod/ollama", "--port=11434")  # for the load test
    for block in others:
        exec(block, known)
    assert known["lab"].logs("pod/ollama", tail=1)
