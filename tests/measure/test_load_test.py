"""measure/load_test.py: the line that a load test equals, this machine, and what is refused."""

import itertools
import json
import os
import re
import shlex
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import labkit
from labkit.commands.main import main
from labkit.errors import LabError
from labkit.kube import session
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.measure import load_pods, load_target, load_test


@pytest.fixture
def llama(answering):
    """An Ollama on this machine: three words and the last line; its address."""

    def answer(handler) -> None:
        for word in ("a", "b", "c"):
            handler.chunk(json.dumps({"response": word, "done": False}).encode() + b"\n")
        handler.chunk(b'{"response": "", "done": true, "eval_count": 3, "eval_duration": 1}\n')
        handler.chunk(b"")

    return answering(answer)


@pytest.fixture
def served(monkeypatch):
    """A Service and a Pod in a cluster that only says what they are; what is asked of Pods."""
    asked = SimpleNamespace(
        plans=[], pods=[], fetched=[], held=["x:latest"], ready=True, silent=None
    )
    asked.interrupts = False
    asked.replicas = 1
    kinds = {"service": "Service", "pod": "Pod"}
    resource = {
        word: SimpleNamespace(kind=kind, namespaced=True, api_version="v1")
        for word, kind in kinds.items()
    }
    here = SimpleNamespace(namespace="lab", api=SimpleNamespace(resource=resource.__getitem__))
    pod = {"metadata": {"name": "ollama-1"}, "status": {"podIP": "10.0.0.7"}}

    def get(path: str) -> None:
        if asked.silent:
            raise asked.silent

    def run(session, plan, on_progress, on_wait, *, pods):
        on_wait("0 of 1 worker running")
        asked.plans.append(plan)
        asked.pods.append(pods)
        result = Result(plan)
        result.started = result.succeeded = plan.requests or 0
        result.interrupted = asked.interrupts
        result.connections = 1
        return result

    monkeypatch.setattr(session, "_current", here)
    monkeypatch.setattr(session, "enter", lambda: here)

    def found(here, one) -> dict:
        asked.fetched.append(str(one))
        return {"spec": {"ports": [{"port": 80}]}}

    def pods_of(here, one, item) -> list[dict]:
        return [pod] * asked.replicas

    monkeypatch.setattr(load_target.refs, "found", found)
    monkeypatch.setattr(load_target.refs, "pods_of", pods_of)
    monkeypatch.setattr(load_target.refs, "ready", lambda pod: asked.ready)
    monkeypatch.setattr(
        load_target.proxy, "opened", lambda here, target: nullcontext(SimpleNamespace(get=get))
    )
    monkeypatch.setattr(load_target.models, "names", lambda at: [labkit.model, *asked.held])
    monkeypatch.setattr(load_pods, "run", run)
    return asked


def test_an_ollama_on_this_machine_is_measured_from_this_machine(llama, capsys):
    found = load_test.load_test(llama, model="x", clients=2, requests=5)
    assert (found.succeeded, found.failures, found.pods) == (5, {}, 0)
    assert found.items[0]["tokens"]["generated"] == 15
    out = capsys.readouterr().out
    assert out.startswith(f"$ ./lab load {llama} -n 5 -c 2 -t 60 --model x --prompt")
    assert out.splitlines()[-1] == repr(found).splitlines()[-1]


def test_a_pull_is_whole_with_its_success_and_its_error_under_200_is_a_failure(answering):
    ends = iter([b'{"status": "success"}', b'{"error": "file does not exist"}', b""])

    def answer(handler) -> None:
        handler.chunk(b'{"status": "pulling manifest"}\n')
        if end := next(ends):
            handler.chunk(end + b"\n")
        handler.chunk(b"")

    found = load_test.load_test(f"{answering(answer)}/api/pull", body={"model": "x"}, requests=3)
    assert found.succeeded == 1
    assert found.failures == {"in_band_error": 1, "stream_cut": 1}
    assert found.items[0]["statuses"] == {"200": 3}


def test_a_sweep_is_a_level_for_each_number_of_clients(llama):
    found = load_test.load_test(llama, model="x", sweep=[1, 3], requests=4)
    assert [level.plan.clients for level in found.levels] == [1, 3]
    assert found.swept and found.succeeded == 8


def test_the_line_that_is_printed_means_the_same(served, capsys):
    load_test.load_test(
        "service/ollama",
        rate=2.5,
        arrivals="poisson",
        seconds=4,
        pods=3,
        model="x",
        api="chat",
        vary_prompt=True,
        num_predict=7,
        warmup=1,
        goodput={"ttft": 500, "gap": 100},
        seed=4,
        timeout_s=9,
    )
    line = re.search(r"^\$ ./lab load (.*)$", capsys.readouterr().out, re.M)[1]
    assert load_test.command([*shlex.split(line), "-o", "json"]) == 0
    first, second = served.plans
    assert first == second
    assert (first.rate, first.arrivals, first.seed, first.warmup) == (2.5, "poisson", 4, 1)
    assert (first.api, first.model, first.num_predict, first.timeout_s) == ("chat", "x", 7, 9.0)
    assert first.vary_prompt
    assert dict(first.goodput) == {"ttft": 500.0, "gap": 100.0}
    assert served.pods == [3, 3]


def test_the_target_is_fetched_once(served):
    load_test.asked(["service/ollama", "-n", "2", "-c", "1", "--model", "x"])
    assert served.fetched == ["service/ollama"]


def test_another_request_than_a_prompt_wants_no_model(served):
    body = {"model": "nobody has it"}
    load_test.load_test("service/ollama", path="/api/pull", body=body)
    (plan,) = served.plans
    assert (plan.url, plan.method, plan.model) == ("http://ollama.lab:80/api/pull", "POST", None)
    assert json.loads(plan.body) == body


def test_a_path_alone_is_asked_for_and_nothing_is_sent(served, capsys):
    load_test.load_test("service/ollama", path="/api/tags", clients=1, rate=5, requests=2)
    assert capsys.readouterr().out.startswith(
        "$ ./lab load service/ollama -n 2 -c 1 -t 60 --rate 5 --arrivals constant --path /api/tags"
    )
    (plan,) = served.plans
    assert (plan.method, plan.model, plan.body, plan.clients) == ("GET", None, None, 1)


def test_a_prompt_with_an_address_in_it_is_no_target(served):
    words = ["load", "service/ollama", "-n", "2", "-c", "1", "--prompt", "https://k8s.io, is it?"]
    assert main(words) == 0
    assert served.plans[0].prompt == "https://k8s.io, is it?"


def test_the_command_takes_the_labs_own_model_when_it_is_told_none(served, capsys):
    assert load_test.command(["service/ollama", "-n", "3", "-c", "1", "--pods=2"]) == 0
    assert (served.plans[0].model, served.pods) == (labkit.model, [2])
    assert "3 succeeded, 0 failed" in capsys.readouterr().out
    load_test.command(["service/ollama", "-n", "3", "-c", "1", "-d", "x"])
    assert served.plans[1].model is None


def test_more_pods_behind_a_service_than_connections_are_told(served, capsys):
    served.replicas = 3
    assert load_test.command(["service/ollama", "-n", "3", "-c", "1"]) == 0
    assert "  note: at most 1 of the 3 Pods behind service/ollama answered" in (
        capsys.readouterr().out
    )
    load_test.command(["pod/ollama-1", "-n", "3", "-c", "1"])
    assert "behind" not in capsys.readouterr().out


def test_ctrl_c_ends_a_sweep_and_the_command_says_so_by_its_exit_code(served, capsys):
    served.interrupts = True
    assert load_test.command(["service/ollama", "--sweep", "1,2", "-n", "4"]) == 130
    assert [plan.clients for plan in served.plans] == [1]
    assert "(interrupted)" in capsys.readouterr().out


def test_with_json_the_answer_alone_is_on_standard_output(served, capsys):
    load_test.command(["service/ollama", "--sweep", "1,2", "-n", "4", "-o", "json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["schema"] == "labkit.load-sweep/1"
    assert "worker running" in err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("service/ollama -o csv", "Pods keep no row for each request"),
        ("service/ollama --pods 0", "--pods wants a number of workers"),
        ("service/ollama --processes 2", "in the cluster workers are Pods"),
        ("service/ollama --worker=0/2", "in the cluster workers are Pods"),
        ("service/ollama --realtime", "in the cluster workers are Pods"),
        ("http://127.0.0.1:1 --pods 2", "these are for what is in the cluster"),
        ("service/ollama -d {} --vary-prompt", "--vary-prompt finds no prompt in what is sent"),
        ("http://127.0.0.1:1 --vary-prompt", "--vary-prompt finds no prompt in what is sent"),
    ],
)
def test_what_does_not_go_together_is_refused(served, capsys, words, error):
    assert load_test.command(words.split()) == 2
    assert capsys.readouterr().err.startswith(f"LoadError: {error}\nsaw: ")
    assert not served.plans


def test_a_url_of_somebody_else_is_refused_with_the_word_that_allows_it():
    with pytest.raises(LabError, match="load is sent only to this machine") as error:
        load_test.load_test("http://192.0.2.1:11434", model="x")
    assert "--i-own-this-target" in error.value.hint


def test_ctrl_c_on_this_machine_gives_what_there_is(answering):
    asked = itertools.count(1)

    def answer(handler) -> None:
        handler.chunk(b'{"response": "a", "done": false}\n')
        handler.chunk(b'{"response": "", "done": true, "eval_count": 1, "eval_duration": 1}\n')
        handler.chunk(b"")
        if next(asked) == 20:  # nineteen answers have been read, by one client
            os.kill(os.getpid(), signal.SIGINT)

    found = load_test.load_test(answering(answer), model="x", seconds=3600)
    assert found.interrupted
    assert found.succeeded >= 19
    assert "(interrupted)" in repr(found)


def test_progress_is_counted_in_seconds_or_in_requests():
    progress = load_pods.Progress(2.0, 4, 12, 1, 300, 280, None, None)
    assert load_test._share(Plan(seconds=8.0, requests=None), progress) == (2.0, 8.0)
    assert load_test._share(Plan(requests=20), progress) == (13, 20)
    assert load_test._said(progress) == "12 answered, 1 failed, 4 asking"
