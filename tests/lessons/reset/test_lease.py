"""labkit/lessons/reset/lease.py: one at a time, whoever was killed; and the Namespace itself."""

import json
import os
import threading
import time

import pytest

from labkit.errors import Conflict, TimedOut
from labkit.kube import session
from labkit.lessons.reset import delete, lease
from labkit.setup.host import pid

SPACE = "/api/v1/namespaces/lab"
HOST = pid.name().partition(".")[0]


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 0.05)
    monkeypatch.setattr(lease, "STALE_S", 0.6)
    monkeypatch.setattr(lease, "POLL_S", 0.02)
    monkeypatch.setattr(delete, "POLL_S", 0.02)


def mark(store) -> dict:
    return json.loads(store.objects[SPACE]["metadata"].get("annotations", {}).get(lease.MARK, "{}"))


def left_by(store, who: str) -> None:
    said = json.dumps({"what": "goto x", "by": who, "beat": 3})
    store.objects[SPACE]["metadata"]["annotations"] = {lease.MARK: said}


def test_its_holder_says_what_it_does_again_and_again_and_takes_the_mark_off(store):
    with lease.alone(session.current(), "goto 00-start", 1):
        first = mark(store)
        assert first["what"] == "goto 00-start"
        deadline = time.monotonic() + 60
        while mark(store)["beat"] == first["beat"]:
            assert time.monotonic() < deadline
    assert mark(store) == {}


def test_a_second_one_waits_until_the_first_has_ended(store, capsys):
    order = []

    def second():
        with lease.alone(session.current(), "second", 10):
            order.append("second")

    with lease.alone(session.current(), "first", 1):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(1.5)  # longer than a mark may stand still: this one does not
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert "waiting: first is at work" in capsys.readouterr().out


def test_one_that_does_not_end_is_named(store):
    with (
        lease.alone(session.current(), "first", 1),
        pytest.raises(TimedOut) as raised,
        lease.alone(session.current(), "second", 0.3),
    ):
        pass
    assert "first is at work, by " in raised.value.saw


def test_a_killed_one_of_this_machine_is_taken_over_at_once(store, monkeypatch):
    monkeypatch.setattr(lease, "STALE_S", 600)  # else a mark that stands still would do
    left_by(store, f"{HOST}.{os.getpid()}.1.abcdef")
    with lease.alone(session.current(), "second", 5):
        assert mark(store)["what"] == "second"


def test_one_of_another_machine_that_is_silent_is_taken_over_after_a_while(store):
    left_by(store, "elsewhere.1.7.abcdef")
    begun = time.monotonic()
    with lease.alone(session.current(), "second", 5):
        assert time.monotonic() - begun >= 0.6  # and alone gives up after five seconds


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"by": 1}'])
def test_a_mark_that_somebody_wrote_by_hand_stops_nobody(store, text):
    store.objects[SPACE]["metadata"]["annotations"] = {lease.MARK: text}
    with lease.alone(session.current(), "mine", 1):
        assert mark(store)["what"] == "mine"


def test_who_was_taken_over_hears_of_it_and_leaves_the_others_mark(store):
    with lease.alone(session.current(), "first", 1) as hold:
        left_by(store, "elsewhere.1.7.abcdef")
        deadline = time.monotonic() + 60
        while not hold.lost:
            assert time.monotonic() < deadline
        with pytest.raises(Conflict, match="took over"):
            hold.require()
    assert mark(store)["by"] == "elsewhere.1.7.abcdef"


def test_a_namespace_that_does_not_end_is_helped_and_made_anew_with_its_labels(store):
    space = store.objects[SPACE]
    space["metadata"]["labels"]["labkit/run"] = "7"
    space["metadata"]["finalizers"] = ["example.com/hold"]
    held = {"name": "held", "finalizers": ["example.com/hold"]}
    store.add({"kind": "ConfigMap", "metadata": held})
    store._deleted(SPACE, space, {})
    assert store.objects[SPACE] is space
    assert lease.misfit(lease.there(session.current())) == "is going"
    with lease.alone(session.current(), "mine", 5) as hold:
        hold.restore(5)
        assert mark(store)["what"] == "mine"
    made = store.objects[SPACE]["metadata"]
    assert made["uid"] != space["metadata"]["uid"]
    assert made["labels"]["labkit/run"] == "7"
    assert store.names() == []


def test_other_pod_security_levels_are_set_right(store):
    labels = store.objects[SPACE]["metadata"]["labels"]
    before = dict(labels)
    labels["pod-security.kubernetes.io/enforce"] = "restricted"
    labels["pod-security.kubernetes.io/enforce-version"] = "v1.30"
    with lease.alone(session.current(), "mine", 5) as hold:
        hold.restore(5)
    assert store.objects[SPACE]["metadata"]["labels"] == before
