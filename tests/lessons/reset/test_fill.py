"""labkit/lessons/reset/fill.py: which Pods lack a model, have too much, or were asked."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

import labkit
from labkit.diagnosis import gathering
from labkit.errors import ApiSilent, Unreachable
from labkit.kube import session
from labkit.lessons.desired_state import State
from labkit.lessons.reset import fill
from labkit.setup.cluster import slow_model

MODEL = labkit.model
POD = State(pulled=("pod/a",))
MANY = State(pulled=("deployment/ollama",))


@pytest.fixture
def pods(store, monkeypatch):
    """`pods(a={...})`: ready Pods, their models, and how often each was asked."""
    asked: dict[str, int] = {}
    held: dict[str, set[str]] = {}

    def make(**given: tuple[set[str], int]) -> None:
        for name, (models, times) in given.items():
            meta = {"name": name, "labels": {"app": "ollama"}}
            store.add({"kind": "Pod", "metadata": meta})
            held[f"pod/{name}"], asked[name] = models, times

    monkeypatch.setattr(fill, "_held", lambda here, target: held[target])
    monkeypatch.setattr(fill, "_answered", lambda here, pod: asked[pod["metadata"]["name"]])
    return make


def left(state: State) -> list[tuple[str, str]]:
    return [(change.verb, change.target) for change in fill.left(session.current(), state)]


def test_a_pod_lacks_the_model_until_it_is_pulled(pods):
    pods(a=(set(), 0))
    assert fill.left(session.current(), POD) == [fill.pull("pod/a", MODEL)]
    pods(a=({MODEL}, 0))
    assert left(POD) == []


def test_a_pod_that_is_to_be_empty_and_is_not_begins_anew(pods):
    pods(a=({MODEL}, 0), b=(set(), 0))
    assert left(State()) == [("delete", "pod/a")]
    assert left(POD) == []


def test_another_model_is_a_reason_to_begin_anew(pods):
    pods(a=({MODEL, "x"}, 0))
    assert left(POD) == [("delete", "pod/a")]
    pods(a=({MODEL, slow_model.NAME}, 0))
    assert left(POD._replace(slow=True)) == []


def test_of_several_so_many_have_it(pods):
    pods(a=(set(), 0), b=(set(), 0), c=({MODEL}, 0))
    assert left(MANY._replace(having=2)) == [("pull", "pod/a")]
    assert left(MANY._replace(having=1)) == []
    assert left(MANY) == [("pull", "pod/a"), ("pull", "pod/b")]
    pods(a=({MODEL}, 0))
    assert left(MANY._replace(having=1)) == [("delete", "pod/a")]


def test_pods_that_bring_it_themselves_are_left_to_it(pods):
    pods(a=(set(), 0))
    assert left(State(brings=True)) == []


def test_a_pod_that_was_asked_begins_anew_where_nobody_asks_yet(pods):
    pods(a=({MODEL}, 3))
    assert left(POD) == [("delete", "pod/a")]


def test_what_is_still_to_be_asked_is_asked(pods):
    pods(a=({MODEL}, 12), b=({MODEL}, 3))
    asks = MANY._replace(asked=30)
    assert fill.left(session.current(), asks) == [fill.ask("service/ollama", 15)]
    pods(a=({MODEL}, 27))
    assert left(asks) == []


def test_pulls_of_what_there_is_not_are_asked_for_where_a_step_has_them_and_nowhere_else(
    pods, monkeypatch
):
    refused = {"a": [f"{MODEL}-typo:latest"]}
    monkeypatch.setattr(fill.gathering, "refused", lambda here, found: refused)
    pods(a=({MODEL}, 0))
    asks = MANY._replace(refused=4)
    assert fill.left(session.current(), asks) == [fill.ask(fill.UNKNOWN, 3)]
    assert left(MANY) == [("delete", "pod/a")]
    refused["a"] *= 4
    assert left(asks) == []


def test_the_slow_model_is_asked_in_turn_with_the_other(store, monkeypatch):
    asked = []
    server = SimpleNamespace(post=lambda path, body: asked.append(body["model"]))
    monkeypatch.setattr(fill.proxy, "opened", lambda *_: nullcontext(server))
    change = [fill.ask("service/ollama", 3)._replace(why="in other words")]
    fill.do(session.current(), MANY._replace(slow=True, asked=3), change, 1)
    assert asked == [MODEL, slow_model.NAME, MODEL]
    fill.do(session.current(), MANY._replace(asked=3), change, 1)
    assert asked[3:] == [MODEL] * 3


def test_a_model_that_was_pulled_after_all_was_asked_is_asked_yet(pods, monkeypatch):
    loaded = {MODEL}
    monkeypatch.setattr(fill, "_loaded", lambda here, target: loaded)
    pods(a=({MODEL, slow_model.NAME}, 8))
    both = MANY._replace(slow=True, asked=8)
    assert fill.left(session.current(), both) == [fill.ask("service/ollama", 2)]
    loaded.add(slow_model.NAME)
    assert left(both) == []


@pytest.mark.parametrize(("year", "left_to_do"), [("2020", [("delete", "pod/a")]), ("2999", None)])
def test_a_pod_in_which_nobody_answers_begins_anew_if_it_is_not_new(
    pods, store, monkeypatch, year, left_to_do
):
    def silent(here, target):
        raise Unreachable("pod/a does not answer", "connection refused", "lab.logs")

    pods(a=(set(), 0))
    meta = store.objects["/api/v1/namespaces/lab/pods/a"]["metadata"]
    meta["creationTimestamp"] = f"{year}-01-01T00:00:00Z"
    monkeypatch.setattr(fill, "_held", silent)
    if left_to_do is None:
        with pytest.raises(Unreachable):
            left(POD)
    else:
        assert left(POD) == left_to_do


def test_a_pod_that_is_not_ready_is_not_asked(pods, store):
    pods(a=(set(), 0))
    store.objects["/api/v1/namespaces/lab/pods/a"]["status"] = {}
    assert left(POD) == []


def test_no_pod_begins_anew_because_the_api_server_is_away(store, monkeypatch):
    created = {"creationTimestamp": "2026-01-01T00:00:00Z"}
    store.add({"kind": "Pod", "metadata": {"name": "a", **created}})
    answered = store._answered

    def answer(method, path, query, data):
        if "/proxy/" in path:
            return 503, {"kind": "Status", "message": "apiserver not ready", "code": 503}
        return answered(method, path, query, data)

    monkeypatch.setattr(store, "_answered", answer)
    monkeypatch.setattr(gathering, "refused", lambda here, pods: {})
    with pytest.raises(ApiSilent):
        fill.left(session.current(), POD)


def test_a_prompt_from_inside_of_the_pod_is_sent_when_the_model_is_there(pods, monkeypatch):
    state, seen = State(pulled=("pod/ollama",), inside=True), []
    monkeypatch.setattr(fill, "_has_asked_itself", lambda here, pod: bool(seen))
    pods(ollama=(set(), 0))
    assert left(state) == [("pull", "pod/ollama")]
    pods(ollama=({MODEL}, 1))  # from outside: the Pod stays, and is not done
    assert left(state) == [("run", "pod/ollama")]
    monkeypatch.setattr(fill.kubectl_exec, "ran", lambda *words, **_: seen.append(words[1:]))
    fill.do(session.current(), state, fill.left(session.current(), state), 1)
    words = ("ollama", "run", "--insecure", "--nowordwrap", MODEL, fill.QUESTION)
    assert seen == [("ollama", words)]
    assert left(state) == []
