"""Each probe: as expected with what the real part answered, and not with one thing changed."""

import re

import pytest

from labkit.facts import entries, runner
from tests.facts import standin

FACTS = {fact.id: fact for fact in entries.every()}
PROBED = [name for name, fact in FACTS.items() if fact.steps]
RECORDED, OTHERWISE = standin.recorded(), standin.otherwise()


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """`ask(name, replies, version)`: what the runner says when the parts answer so."""
    monkeypatch.setattr(runner, "AGAIN_S", float("inf"))  # what is asked again is asked once

    def asked(name: str, replies: list, version: str) -> runner.Row:
        return standin.row(FACTS[name], replies, version, tmp_path)

    return asked


def test_every_fact_with_a_probe_has_an_answer_and_another_one():
    assert sorted(RECORDED) == sorted(PROBED)
    assert sorted(OTHERWISE) == sorted(PROBED)


@pytest.mark.parametrize("name", PROBED)
def test_what_was_answered_is_as_expected(ask, name):
    found = ask(name, RECORDED[name], FACTS[name].newest)
    assert (found.verdict, found.saw) == (runner.AS_EXPECTED, "")


@pytest.mark.parametrize("name", PROBED)
def test_a_part_that_behaves_otherwise_is_found(ask, name):
    replies = standin.changed(FACTS[name], RECORDED[name], OTHERWISE[name])
    found = ask(name, replies, FACTS[name].newest)
    assert found.verdict == runner.DIFFERS
    assert any(path in found.saw for path in OTHERWISE[name]) or "text" in OTHERWISE[name]


VERSIONS = [
    (name, version)
    for name in PROBED
    for version, value in FACTS[name].seen.items()
    if value != FACTS[name].seen[FACTS[name].newest]
]


@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_what_the_newest_version_answers_is_not_expected_of_an_older_one(ask, name, version):
    assert ask(name, RECORDED[name], version).verdict == runner.DIFFERS


def test_there_are_as_many_facts_as_were_asked_for():
    count = dict.fromkeys({fact.of for fact in FACTS.values()}, 0)
    for fact in FACTS.values():
        count[fact.of] += 1
    assert count["Ollama"] >= 40
    assert count["kubectl"] + count["Kubernetes"] + count["Helm"] >= 15
    assert count["HAProxy"] + count["Traefik"] + count["Envoy"] >= 10
    assert count["KEDA"] + count["Gateway API"] + count["JupyterHub"] >= 10


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
def test_a_fact_has_what_a_reader_needs(fact):
    assert fact.says.endswith((".", "?", ")")) and fact.matters and fact.seen
    assert re.fullmatch(r"2\d{3}-\d\d-\d\d", str(fact.date))
    assert all(entries.number(version) for version in fact.seen)
    assert bool(fact.steps) != bool(fact.cannot), "a probe, or why there is none"
    assert all(fact.seen.values()) == bool(fact.steps)


def test_whatever_creates_something_in_a_cluster_is_named_after_the_facts_and_cleaned_up():
    for fact in FACTS.values():
        lines = [step["run"] for step in fact.steps if "run" in step]
        writes = [
            line
            for line in lines
            if re.search(r"kubectl (create|run|patch|set|autoscale|apply)", line)
            and "--dry-run" not in line
        ]
        assert not writes or (fact.changes and fact.after), fact.id
        assert all("$NAME" in line or "--filename -" in line for line in writes), fact.id


def test_no_fact_that_may_be_asked_of_anyone_changes_something_without_saying_so():
    writes = ("/api/pull", "/api/create", "/api/copy", "/api/delete", "/api/push", "/api/blobs")
    for fact in FACTS.values():
        for step in fact.steps:
            path = step.get("POST", step.get("DELETE", ""))
            loads = path.startswith(("/api/generate", "/api/chat", "/api/embed", "/v1/chat"))
            asks_for_none = step.get("json", {}).get("model", step.get("body")) in (
                "$MISSING",
                "",
                None,
            )
            if path.startswith(writes) or (loads and not asks_for_none):
                assert fact.changes, fact.id
