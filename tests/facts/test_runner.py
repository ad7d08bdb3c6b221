"""Bad input: each row says why it could not be asked, and the rest goes on."""

import json
import threading
import time
from dataclasses import replace

import pytest

from labkit.facts import own_model, places, runner
from labkit.facts.entries import Fact

VERSION = {"version": "0.34.2"}
ROOT = Fact(
    "root",
    "It answers.",
    "Ollama",
    "",
    {"0.34.2": {"status": 200}},
    "",
    "",
    needs=("ollama",),
    steps=({"GET": "/x"},),
)
CHAT = replace(
    ROOT,
    id="chat",
    needs=("ollama", "model"),
    steps=({"POST": "/api/chat", "json": {"model": "$MODEL"}},),
)
CHANGES = replace(
    CHAT,
    id="changes",
    changes=True,
    steps=({"POST": "/api/generate", "json": {"model": "$MODEL"}},),
    after=({"POST": "/api/generate", "json": {"model": "$MODEL", "keep_alive": 0}},),
)


@pytest.fixture
def ollama(answering):
    """`ollama({path: (body, status)})`: its address, and what it is asked."""

    def start(answers: dict) -> tuple[str, list]:
        asked = []

        def answer(handler) -> None:
            is_file = handler.path.startswith("/api/blobs/")
            body = json.loads(b"{}" if is_file else handler.body or b"{}")
            asked.append((handler.command, handler.path, body))
            found = answers.get(handler.path, (VERSION, 200) if "version" in handler.path else None)
            handler.send(*(found() if callable(found) else found or ({"error": "no"}, 404)))

        return answering(answer), asked

    return start


def rows(facts, **options):
    where = places.Places(**options)
    return {row.fact.id: (row.verdict, row.saw) for row in runner.rows(facts, where)}


def test_an_ollama_that_needs_a_key_could_not_be_asked(ollama):
    url, asked = ollama({"/api/version": (b"Unauthorized", 401)})
    why = "it needs a key or rejects this client (HTTP 401)"
    assert rows([ROOT, CHAT], ollama=url) == dict.fromkeys(
        ("root", "chat"), (runner.NOT_ASKED, why)
    )
    assert len(asked) == 1, "it is not asked again for each fact"


def test_a_key_that_only_some_paths_need_is_named(ollama):
    url, _ = ollama({"/x": (b"Unauthorized", 401)})
    assert rows([ROOT], ollama=url)["root"] == (runner.NOT_ASKED, "it needs a key (HTTP 401)")


def test_what_is_not_an_ollama_is_named(ollama):
    url, _ = ollama({"/api/version": (b"<html>", 200)})
    verdict, saw = rows([ROOT], ollama=url)["root"]
    assert verdict == runner.NOT_ASKED
    assert saw == "no Ollama answers there (HTTP 200 at /api/version)"


def test_an_address_at_which_nothing_listens(ollama):
    verdict, saw = rows([ROOT], ollama="http://127.0.0.1:9")["root"]
    assert (verdict, "refused" in saw) == (runner.NOT_ASKED, True)


def test_one_that_is_slow_has_a_deadline_and_the_next_fact_is_asked(ollama):
    over = threading.Event()

    def slow():
        over.wait(20)
        return {}, 200

    url, _ = ollama({"/slow": slow, "/x": ({}, 200)})
    late = replace(ROOT, id="late", deadline_s=0.3, steps=({"GET": "/slow"},))
    found = rows([late, ROOT], ollama=url)
    over.set()
    assert found["late"] == (runner.NOT_ASKED, "no answer within 0.3 s")
    assert found["root"] == (runner.AS_EXPECTED, "")


def test_one_that_is_slow_at_everything_costs_the_time_for_all_and_no_more(ollama):
    over = threading.Event()

    def slow():
        over.wait(20)
        return {}, 200

    url, _ = ollama({"/x": slow})
    facts = [replace(ROOT, id=str(number), deadline_s=9) for number in range(12)]
    where = places.Places(ollama=url)
    began = time.monotonic()
    found = list(runner.rows(facts, where, limit_s=1))
    waited = time.monotonic() - began
    over.set()
    assert {row.verdict for row in found} == {runner.NOT_ASKED}
    assert found[-1].saw == "the time for all facts was over"
    assert waited < facts[0].deadline_s


def test_an_older_version_without_the_path_could_not_be_asked(ollama):
    old = ({"version": "0.5.0"}, 200)
    url, _ = ollama({"/api/version": old, "/x": (b"404 page not found", 404)})
    both = replace(ROOT, seen={"0.4.0": {"status": 200}, "0.34.2": {"status": 201}})
    assert rows([both], ollama=url)["root"] == (runner.NOT_ASKED, "Ollama 0.5.0 has no such path")
    assert rows([ROOT], ollama=url)["root"] == (runner.NOT_ASKED, "seen from 0.34.2 on")


def test_a_newer_version_without_the_path_differs(ollama):
    new = ({"version": "0.40.0"}, 200)
    url, _ = ollama({"/api/version": new, "/x": (b"404 page not found", 404)})
    assert rows([ROOT], ollama=url)["root"] == (runner.DIFFERS, "status is 404, not 200")


def test_a_model_that_cannot_chat_is_named(ollama):
    said = {"error": '"embed" does not support chat'}
    url, _ = ollama({"/api/show": ({}, 200), "/api/chat": (said, 400), "/x": ({}, 200)})
    found = rows([CHAT, ROOT], ollama=url, model="embed")
    assert found["chat"] == (
        runner.NOT_ASKED,
        'the model cannot do that: "embed" does not support chat',
    )
    assert found["root"][0] == runner.AS_EXPECTED


def test_a_model_that_is_not_there_is_named(ollama):
    url, _ = ollama({})
    saw = "this Ollama does not have the model mine"
    assert rows([CHAT], ollama=url, model="mine")["chat"] == (runner.NOT_ASKED, saw)


def test_a_model_that_does_not_fit_into_memory_is_no_difference(ollama):
    said = {"error": "llama-server process has terminated: signal: killed"}
    url, _ = ollama({"/api/show": ({}, 200), "/api/chat": (said, 500)})
    verdict, saw = rows([CHAT], ollama=url, model="large")["chat"]
    assert verdict == runner.NOT_ASKED
    assert saw.startswith("the model could not be loaded: ")


def test_nothing_that_changes_something_is_sent_without_leave(ollama):
    url, asked = ollama({"/api/tags": ({"models": []}, 200)})
    found = rows([CHANGES, CHAT], ollama=url)
    assert found["changes"] == (runner.NOT_ASKED, "it changes something: --may-change")
    assert "has no model" in found["chat"][1]
    assert {method for method, *_ in asked} == {"GET"}


def made(models: list[str]) -> dict:
    """The answers of an Ollama that makes the lab's model, and has it then."""

    def create():
        models.append(own_model.NAME)
        return {"status": "success"}, 200

    def delete():
        models.clear()
        return {}, 200

    return {
        "/api/show": lambda: ({}, 200) if models else ({"error": "not found"}, 404),
        f"/api/blobs/{own_model.digest()}": ({}, 201),
        "/api/create": create,
        "/api/delete": delete,
    }


def test_the_labs_model_is_made_for_the_facts_and_deleted_also_when_one_fails(ollama):
    models: list[str] = []
    url, asked = ollama({**made(models), "/api/generate": ({"error": "broken"}, 418)})
    found = rows([CHANGES], ollama=url, may_change=True)
    assert found["changes"] == (runner.DIFFERS, "status is 418, not 200")
    assert models == []
    paths = [path for _, path, _ in asked]
    assert paths[-1] == "/api/delete"
    assert {"model": own_model.NAME, "keep_alive": 0} in [body for *_, body in asked]


def test_an_interrupt_leaves_no_model_behind(ollama):
    models: list[str] = []
    url, _ = ollama({**made(models), "/api/generate": ({}, 200)})
    where = places.Places(ollama=url, may_change=True)
    left = iter(runner.rows([CHANGES, replace(CHANGES, id="next")], where))
    next(left)
    assert models == [own_model.NAME]
    with pytest.raises(KeyboardInterrupt):
        left.throw(KeyboardInterrupt)
    assert models == []


def test_a_model_of_the_user_is_asked_and_not_deleted(ollama):
    url, asked = ollama({"/api/show": ({}, 200), "/api/generate": ({}, 200)})
    found = rows([CHANGES], ollama=url, model="mine", may_change=True)
    assert found["changes"][0] == runner.AS_EXPECTED
    assert "/api/delete" not in [path for _, path, _ in asked]


def test_a_step_that_only_prepares_must_succeed(ollama):
    url, _ = ollama({"/prepare": ({"error": "quota"}, 403), "/x": ({}, 200)})
    fact = replace(ROOT, steps=({"GET": "/prepare"}, {"GET": "/x"}))
    verdict, saw = rows([fact], ollama=url)["root"]
    assert verdict == runner.NOT_ASKED
    assert saw == 'GET /prepare has status 403: {"error": "quota"}'


@pytest.mark.parametrize(
    ("need", "why"),
    [
        ("haproxy", "there is no haproxy on PATH"),
        ("cluster", "there is no kubectl on PATH"),
        ("registry", "there is no model mirror of the lab's beside this Ollama"),
        ("ollama", "there is no Ollama to ask: ./lab up, or --ollama URL"),
    ],
)
def test_a_part_that_is_not_there_is_named(need, why):
    fact = replace(ROOT, needs=(need,))
    assert rows([fact], path="")["root"] == (runner.NOT_ASKED, why)


def test_a_command_of_another_version_than_the_server_is_not_asked(ollama, tmp_path):
    program = tmp_path / "ollama"
    program.write_text("#!/bin/sh\necho 'Warning: client version is 0.24.0'\n")
    program.chmod(0o755)
    url, _ = ollama({})
    fact = replace(ROOT, needs=("ollama", "client"))
    path = f"{tmp_path}:/usr/bin:/bin"
    saw = "the `ollama` here is version 0.24.0, and the server 0.34.2"
    assert rows([fact], ollama=url, path=path)["root"] == (runner.NOT_ASKED, saw)


DOCKER = """#!/bin/sh
# as `docker run … --workdir F --entrypoint PROGRAM IMAGE WORDS`, without a container
while [ "$1" != --workdir ]; do shift; done
cd "$2" && program=$4 && shift 5 && exec "$(dirname "$0")/in-image-$program" "$@"
"""


def test_where_no_haproxy_is_on_path_the_labs_image_runs_with_the_probes_files(tmp_path):
    haproxy = '#!/bin/sh\n[ "$1" = -v ] && echo "HAProxy version 2.6.12-1 2026" || cat "$2"\n'
    for name, text in {"docker": DOCKER, "in-image-haproxy": haproxy}.items():
        tmp_path.joinpath(name).write_text(text)
        tmp_path.joinpath(name).chmod(0o755)
    fact = Fact(
        "config",
        "It reads a file.",
        "HAProxy",
        "",
        {"2.6.12": {"exit": 0, "stdout": "the file"}},
        "",
        "",
        needs=("haproxy",),
        steps=({"run": "haproxy -f haproxy.cfg"},),
        files=(("haproxy.cfg", "the file"),),
    )
    path = f"{tmp_path}:/usr/bin:/bin"
    assert rows([fact], path=path, haproxy_image="haproxy:x")["config"][0] == runner.AS_EXPECTED
    assert rows([fact], path=path)["config"] == (runner.NOT_ASKED, "there is no haproxy on PATH")
