"""The guard around namespaces: by name and label, nothing else is ever touched."""

import json

import pytest

from labkit.commands import reset_many
from labkit.errors import CommandFailed, ContextSilent, NamespaceNotOurs
from labkit.setup.cluster import labs
from labkit.setup.host import paths, shell

OURS = {"app.kubernetes.io/managed-by": "labkit"}


@pytest.fixture
def cluster_with(monkeypatch):
    """A cluster that has these namespaces, and records the other commands."""

    def has(**labels: dict[str, str]) -> list[tuple[str, ...]]:
        asked: list[tuple[str, ...]] = []
        items = [
            {"metadata": {"name": n.replace("_", "-"), "labels": v}} for n, v in labels.items()
        ]

        def kubectl(self, *words, **_):
            if words[0] == "get":
                return json.dumps({"items": [i for i in items if i["metadata"]["name"] in words]})
            asked.append(words)
            return ""

        monkeypatch.setattr(labs.Lab, "kubectl", kubectl)
        return asked

    return has


def test_a_namespace_of_our_name_without_our_label_stops_us(cluster_with):
    cluster_with(lab={}, lab_system=OURS)
    with pytest.raises(NamespaceNotOurs, match="namespace lab is there"):
        labs.guard(labs.Lab("x"))
    cluster_with(lab=OURS, lab_system=OURS)
    labs.guard(labs.Lab("x"))


def test_down_removes_our_two_by_name_even_if_others_carry_the_label(cluster_with):
    asked = cluster_with(lab=OURS, lab_system={}, other=OURS)
    assert labs.remove_namespaces(labs.Lab("x")) == ["lab"]
    assert [words[:3] for words in asked] == [("delete", "namespace", "lab")]


def test_contexts_with_similar_names_have_kubeconfigs_of_their_own():
    names = ["a/b", "a-b", "a:b", "arn:aws:eks/x"]
    assert len({labs.Lab(name).kubeconfig for name in names}) == len(names)


@pytest.mark.parametrize("known", [False, True])
def test_a_context_that_never_answered_is_no_lab_and_a_silent_one_stays_one(monkeypatch, known):
    lab = labs.Lab("elsewhere")
    if known:
        paths.write_text(lab.kubeconfig, "of an earlier up")

    def kubectl(self, *words, **_):
        if words[0] == "version":
            raise CommandFailed("kubectl ended with exit code 1", "refused", "")

    monkeypatch.setattr(shell, "output", lambda *_, **__: "apiVersion: v1")
    monkeypatch.setattr(labs.Lab, "kubectl", kubectl)
    with pytest.raises(ContextSilent, match="refused"):
        labs.take_over("elsewhere")
    assert reset_many.labs() == (["elsewhere"] if known else [])
