"""up's second tries: a cluster is worth more than one failed command."""

import pytest

from labkit.bringup import cluster, kube, model, up
from labkit.bringup.progress import Reporter
from labkit.errors import CommandFailed

ANSWER = model.Answer("A Pod is small.", 1000.0)


@pytest.fixture
def run(monkeypatch):
    """An `up` of a lab with three workers whose inside fails as often as told."""
    done: list[str] = []

    def make(failures: int, **options) -> tuple[up.Up, list[str]]:
        left = [CommandFailed("push failed", "no space left", "x")] * failures

        def inside(self, lab):
            done.append("inside")
            if left:
                raise left.pop()
            return ANSWER

        monkeypatch.setattr(up.Up, "_inside", inside)
        monkeypatch.setattr(up.Up, "_machine", lambda self: self._cluster())
        names = ["lab-control-plane", "lab-worker", "lab-worker2", "lab-worker3"]
        monkeypatch.setattr(cluster, "nodes", lambda: names)

        def delete():
            done.append("delete")
            names.clear()

        def ensure(workers, task):
            done.append(f"ensure {workers}")
            return not names

        monkeypatch.setattr(cluster, "delete", delete)
        monkeypatch.setattr(cluster, "ensure", ensure)
        monkeypatch.setattr(up.registry, "connect", lambda: None)
        chosen = up.Options(jupyter=False, **options)
        return up.Up(chosen, Reporter(), lambda question: True), done

    return make


def test_one_failure_is_tried_once_more_and_costs_no_cluster(run):
    lab, done = run(failures=1)
    assert lab.run() == ANSWER
    assert done == ["ensure 3", "inside", "inside"]


def test_a_cluster_that_fails_twice_is_replaced_by_one_of_the_same_size(run):
    lab, done = run(failures=2)
    assert lab.run() == ANSWER
    assert done == ["ensure 3", "inside", "inside", "delete", "ensure 3", "inside"]


def test_another_model_that_fails_costs_no_cluster(run):
    lab, done = run(failures=1, model="llama3:70b")
    with pytest.raises(CommandFailed):
        lab.run()
    assert "delete" not in done


def test_another_context_is_never_replaced(run, monkeypatch):
    monkeypatch.setattr(kube, "take_over", kube.Lab)
    lab, done = run(failures=1, context="theirs")
    with pytest.raises(CommandFailed):
        lab.run()
    assert done == ["inside"]
