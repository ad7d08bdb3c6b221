"""labkit/lessons/reset/delete.py: what holds an object, and what is done about it."""

import pytest

from labkit.errors import TimedOut
from labkit.kube import session
from labkit.lessons.reset import delete, inventory


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(delete, "POLL_S", 0.02)
    monkeypatch.setattr(delete, "FREE_AFTER_S", 0.1)


def held(store, *finalizers: str) -> list[inventory.Found]:
    store.add({"kind": "ConfigMap", "metadata": {"name": "held", "finalizers": list(finalizers)}})
    found = inventory.listed(session.current())
    return [one for one in found if one.name == "held"]


def test_a_finalizer_that_nobody_takes_off_is_taken_off(store):
    delete.clear(session.current(), held(store, "example.com/hold"), 5)
    assert store.names() == []


def test_kubernetes_own_finalizers_are_left_to_its_controllers(store):
    with pytest.raises(TimedOut) as raised:
        delete.clear(session.current(), held(store, "kubernetes.io/pvc-protection", "a.b/c"), 0.4)
    assert raised.value.saw == "held by: kubernetes.io/pvc-protection"


def test_what_has_gone_when_the_time_is_up_is_no_failure(store):
    delete.clear(session.current(), held(store), 0)
    assert store.names() == []


def test_another_one_of_the_same_name_is_left_alone(store):
    (old,) = held(store)
    store.add({"kind": "ConfigMap", "metadata": {"name": "held"}})
    delete.clear(session.current(), [old], 1)
    assert store.names() == ["configmap/held"]


def test_owners_go_before_what_they_would_make_anew(store):
    deployment = store.add({"kind": "Deployment", "metadata": {"name": "a"}})
    owner = {"uid": deployment["metadata"]["uid"], "controller": True}
    store.add({"kind": "Pod", "metadata": {"name": "0-of-a", "ownerReferences": [owner]}})
    found = [one for one in inventory.listed(session.current()) if one.name != "default"]
    delete.clear(session.current(), found, 5)
    assert [change.rpartition("/")[2] for change in store.changes] == ["a", "0-of-a"]
