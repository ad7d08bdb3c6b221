"""Prompts that no prompt cache has, and what the verdict says of those that one had."""

import itertools
import json

import pytest

from labkit.load import engine, report
from labkit.load.errors import LoadError
from labkit.load.plan import Plan
from labkit.load.varied import requests
from tests.load.answers import SUMS, chunked
from tests.load.dialects import DIALECTS, Dialect
from tests.load.misbehaving import Client, good, serving

pytestmark = pytest.mark.usefixtures("none_leaked")
LONG = "What is a Pod? " * 40


def bodies(plan: Plan, number: int = 500) -> list[dict]:
    """The bodies of the first requests of a plan; their lengths are as their heads say."""
    found = []
    for request in itertools.islice(requests(plan), number):
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        found.append(json.loads(body))
    return found


def planned(url: str = "http://127.0.0.1:1", **fields: object) -> Plan:
    usual = {"method": "POST", "requests": 8, "clients": 2, "timeout_s": 15.0}
    return Plan(url=url, **{**usual, **fields})


def texts(found: list[dict]) -> list[str]:
    """Where the model begins to read."""
    return [
        body.get("system") or body.get("prompt") or body["messages"][0]["content"] for body in found
    ]


def own_body(dialect: Dialect, text: str) -> str:
    told = {"messages": [{"role": "user", "content": text}]} if dialect.chat else {"prompt": text}
    return json.dumps({"model": "tiny", **told})


@pytest.mark.parametrize("api", ["generate", "chat"])
def test_each_prompt_begins_with_digits_of_its_own(api):
    plan = planned(api=api, model="tiny", prompt=LONG, vary_prompt=True)
    found = texts(bodies(plan))
    assert all(text.endswith(f" {LONG}") for text in found)
    digits = [text.removesuffix(f" {LONG}") for text in found]
    assert {len(each) for each in digits} == {8}
    assert len(set(digits)) == len(digits) == 500
    assert all(one[0] != two[0] for one, two in itertools.pairwise(digits))
    assert not set(digits) & set(texts(bodies(plan)))  # another run has others


def test_without_the_option_all_requests_are_one():
    plan = planned(api="generate", model="tiny", prompt=LONG)
    assert len({id(request) for request in itertools.islice(requests(plan), 9)}) == 1


@pytest.mark.parametrize("name", DIALECTS)
def test_in_a_body_of_ones_own_the_digits_are_where_the_model_begins_to_read(name):
    dialect = DIALECTS[name]
    body = own_body(dialect, "00000000 Wie heißt ein Pod?")
    found = bodies(planned(body=body, vary_prompt=True), 9)
    assert len(set(texts(found))) == 9
    for one in found:
        (text,) = texts([one])
        assert text[8:] == " 00000000 Wie heißt ein Pod?"
        assert {**one, **json.loads(body)} == json.loads(body)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"system": "Be brief.", "prompt": "Why?"}, lambda body: body["system"]),
        ({"system": "", "prompt": "Why?"}, lambda body: body["prompt"]),
        ({"prompt": ["Why?", "How?"]}, lambda body: body["prompt"][1]),
        (
            {"messages": [{"role": "system", "content": "Be brief."}, {"content": "Why?"}]},
            lambda body: body["messages"][0]["content"],
        ),
        (
            {"messages": [{"content": [{"type": "image_url"}, {"type": "text", "text": "Why?"}]}]},
            lambda body: body["messages"][0]["content"][1]["text"],
        ),
    ],
)
def test_a_prompt_is_found_in_each_of_its_forms(body, where):
    found = bodies(planned(body=json.dumps(body), vary_prompt=True), 9)
    assert len({where(one) for one in found}) == 9


@pytest.mark.parametrize(
    "body", [None, "", "[]", "no JSON", "{}", '{"prompt": ""}', '{"messages": []}']
)
def test_where_no_prompt_is_sent_it_is_refused(body):
    with pytest.raises(LoadError, match="--vary-prompt finds no prompt") as refused:
        requests(planned(body=body, vary_prompt=True))
    assert len(str(refused.value).splitlines()) == 3


def test_a_server_gets_no_prompt_twice():
    with serving(good) as server:
        plan = planned(f"{server.url}/api/generate", api="generate", model="tiny")
        engine.run(plan.replace(vary_prompt=True, warmup=2))
    assert len({json.loads(body)["prompt"] for body in server.bodies}) == len(server.bodies) == 10


def test_a_request_that_is_sent_again_is_the_same():
    """The server had closed the idle connection: it is one request, though it goes out twice."""
    seen = []

    def keeps_for_one(client: Client) -> None:
        seen.append(client.request())
        client.send(chunked(DIALECTS["generate"].stream()))
        client.asks()
        seen.append(client.request())
        client.close()

    with serving(keeps_for_one) as server:
        plan = planned(f"{server.url}/api/generate", api="generate", model="tiny", clients=1)
        result = engine.run(plan.replace(requests=3, vary_prompt=True))
    assert result.reconnects > 0
    assert len(seen) > len(set(seen)) == 3


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(("cached", "said"), [(90, "90%"), (10, "10%"), (0, "")])
def test_the_share_that_the_cache_had_is_told_and_warned_of_where_it_is_most(name, cached, said):
    dialect = DIALECTS[name]
    sums = {**SUMS, "prompt_eval_count": 100, "prompt_eval_cached_count": cached}
    pieces = [dialect.piece("A"), *dialect.end(**sums)]
    if dialect.openai:
        details = {"prompt_tokens_details": {"cached_tokens": cached}}
        usage = {"prompt_tokens": 100, "completion_tokens": 2, **details}
        pieces.insert(-1, dialect.event({"choices": [], "usage": usage}))

    def answer(client: Client) -> None:
        client.request()
        client.send(chunked(pieces))

    with serving(answer) as server:
        body = own_body(dialect, LONG)
        result = engine.run(planned(f"{server.url}{dialect.path}", requests=4, body=body))
    assert (result.succeeded, result.prompt_tokens, result.cached_tokens) == (4, 400, 4 * cached)
    text = report.text(result)
    assert (f"{said} of the prompts' tokens were in Ollama's cache" in text) == bool(said)
    assert ("--vary-prompt" in text) == (said == "90%")


@pytest.mark.parametrize(
    ("tokens", "vary", "told"), [(100, False, True), (100, True, False), (7, False, False)]
)
def test_a_long_prompt_and_a_server_that_does_not_tell_of_its_cache(tokens, vary, told):
    generate = DIALECTS["generate"]
    pieces = [generate.piece("A"), *generate.end(**{**SUMS, "prompt_eval_count": tokens})]

    def answer(client: Client) -> None:
        client.request()
        client.send(chunked(pieces))

    with serving(answer) as server:
        plan = planned(f"{server.url}/api/generate", api="generate", model="tiny", prompt=LONG)
        result = engine.run(plan.replace(vary_prompt=vary))
    assert result.cached_tokens is None
    assert ("--vary-prompt sends no prompt twice" in report.text(result)) == told
