"""labkit/kube/tables.py: whose events `lab.events` shows."""

import pytest

import labkit as lab

API = "/api/v1/namespaces/lab"
NOW = {"kind": "Pod", "metadata": {"name": "ollama", "uid": "new"}}
COLUMNS = [{"name": "Reason", "priority": 0}]


def row(uid: str, reason: str, at: str) -> dict:
    item = {"involvedObject": {"kind": "Pod", "name": "ollama", "uid": uid}, "lastTimestamp": at}
    return {"cells": [reason], "object": item | {"metadata": {}}}


EVENTS = {
    "columnDefinitions": COLUMNS,
    "rows": [
        row("new", "Started", "2026-01-01T12:00:03Z"),
        row("old", "Killing", "2026-01-01T11:00:00Z"),
        row("old", "Started", "2026-01-01T10:00:00Z"),
        row("new", "Scheduled", "2026-01-01T12:00:01Z"),
    ],
}


EVENT = {
    "resource": "events",
    "singularResource": "event",
    "responseKind": {"kind": "Event"},
    "scope": "Namespaced",
}


@pytest.fixture
def events(asked, discovery):
    discovery["/api"]["items"][0]["versions"][0]["resources"].append(EVENT)

    def of(objects: dict) -> lab.Table:
        asked({f"{API}/events": EVENTS, **objects})
        return lab.events("pod/ollama")

    return of


def test_events_are_those_of_the_object_that_is_there_and_the_others_are_counted(events):
    found = events({f"{API}/pods/ollama": NOW})
    assert found.column("REASON") == ["Scheduled", "Started"]
    assert [item["involvedObject"]["uid"] for item in found.items] == ["new", "new"]
    assert found.caption == "not shown: 2 events of earlier Pods of this name"


def test_where_the_object_is_gone_all_events_of_its_name_are_shown(events):
    found = events({})
    assert found.column("REASON") == ["Started", "Killing", "Scheduled", "Started"]
    assert found.caption == ""


def test_an_object_without_an_event_of_its_own_says_that_there_were_others(events):
    found = events({f"{API}/pods/ollama": {**NOW, "metadata": {"name": "ollama", "uid": "x"}}})
    assert repr(found) == "not shown: 4 events of earlier Pods of this name"
