"""labkit/lessons/reset/inventory.py: who keeps an object, and what counts as a difference."""

import pytest

from labkit.kube import session
from labkit.kube.discovery import Resource
from labkit.lessons.reset import inventory
from labkit.lessons.reset.inventory import Found


def listed() -> list[Found]:
    return inventory.listed(session.current())


def names(found: list[Found], uids: set[str]) -> list[str]:
    return sorted(str(one) for one in found if one.uid in uids)


def owned(name: str, owner: dict) -> dict:
    reference = {"uid": owner["metadata"]["uid"], "controller": True}
    return {"name": name, "ownerReferences": [reference]}


def test_what_is_wanted_keeps_what_it_owns_down_to_the_last(store):
    owner = store.add({"kind": "Deployment", "metadata": {"name": "a"}})
    middle = store.add({"kind": "Service", "metadata": owned("b", owner)})
    store.add({"kind": "Pod", "metadata": owned("c", middle)})
    store.add({"kind": "Pod", "metadata": owned("d", {"metadata": {"uid": "of nobody"}})})
    found = listed()
    wanted = [one for one in found if one.name == "a"]
    kept = inventory.kept(found, wanted)
    own = "serviceaccount/default"
    assert names(found, kept) == ["deployment/a", "pod/c", "service/b", own]
    assert names(found, inventory.kept(found, [])) == [own]


def test_an_owner_that_does_not_watch_over_it_keeps_nothing(store):
    owner = store.add({"kind": "Deployment", "metadata": {"name": "a"}})
    reference = {"uid": owner["metadata"]["uid"]}
    store.add({"kind": "Pod", "metadata": {"name": "b", "ownerReferences": [reference]}})
    found = listed()
    assert "pod/b" not in names(
        found, inventory.kept(found, [one for one in found if one.name == "a"])
    )


def test_events_are_nobodys(store):
    store.add({"kind": "Event", "metadata": {"name": "x"}})
    assert [str(one) for one in listed()] == ["serviceaccount/default"]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"data": {"ca.crt": "x"}}, None),
        ({"data": {"ca.crt": "x"}, "metadata": {"labels": {"mine": "1"}}}, "labels"),
    ],
)
def test_the_api_servers_own_objects_are_its_own_only_as_it_makes_them(item, field):
    meta = {"name": "kube-root-ca.crt", "uid": "1", **item.get("metadata", {})}
    one = Found(Resource("v1", "configmaps", "ConfigMap", True), {**item, "metadata": meta})
    assert inventory.is_api_servers(one) == (field is None)


def test_what_the_cluster_fills_in_is_no_difference():
    container = {"name": "a", "volumeMounts": [{"name": "kube-api-access-x7", "mountPath": "/v"}]}
    volumes = [{"name": "kube-api-access-x7", "projected": {}}]
    there = {
        "kind": "Pod",
        "metadata": {
            "name": "a",
            "uid": "1",
            "labels": {"app": "a", "pod-template-hash": "abc"},
            "annotations": {"cni.projectcalico.org/podIP": "10.0.0.1"},
        },
        "spec": {"nodeName": "n", "containers": [container], "volumes": volumes},
        "status": {"phase": "Running"},
    }
    made = {
        "kind": "Pod",
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "a", "volumeMounts": []}], "volumes": []},
    }
    assert inventory.differences(inventory.pure(made), inventory.pure(there)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"labels": {"app": "a", "mine": "1"}}},
        {"metadata": {"labels": {}}},
        {"metadata": {"labels": {"app": "a"}, "annotations": {"note": "mine"}}},
        {"metadata": {"labels": {"app": "a"}, "finalizers": ["example.com/hold"]}},
        {"spec": {"selector": {"app": "a"}, "ports": [{"port": 1}, {"port": 2}]}},
        {"spec": {"selector": {"app": "b"}, "ports": [{"port": 1}]}},
        {"spec": {"selector": {"app": "a"}, "ports": [{"port": 1}], "type": "NodePort"}},
    ],
)
def test_what_somebody_set_is_one(change):
    made = {
        "kind": "Service",
        "metadata": {"labels": {"app": "a"}},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 1}]},
    }
    assert inventory.differences(inventory.pure(made), inventory.pure({**made, **change}))


def test_two_namespaces_in_the_same_state_have_equal_snapshots(store):
    store.namespace("other")
    for name in ("lab", "other"):
        store.add({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}, name)
    there = session.Session("other", "", session.current().kubeconfig)
    first = inventory.snapshot(listed())
    assert (
        first
        == inventory.snapshot(inventory.listed(there))
        == {"configmap/a": {"data": {"x": "1"}}}
    )
    store.add({"kind": "ConfigMap", "metadata": {"name": "b"}}, "other")
    assert inventory.snapshot(inventory.listed(there)) != first
