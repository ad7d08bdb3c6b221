"""up's second tries: a cluster is worth more than one failed command."""

from types import SimpleNamespace

import pytest

from labkit.commands import up
from labkit.errors import CommandFailed, TimedOut, Unsupported
from labkit.jupyter import server as jupyter
from labkit.setup.cluster import kind as cluster
from labkit.setup.cluster import labs, model, monitoring, services
from labkit.setup.host import speed
from labkit.setup.host.jobs import Job
from labkit.setup.host.progress import Reporter

ANSWER = model.Answer("A Pod is small.", 1000.0)
MACHINE = speed.Machine(20.0, "", 2.0, 1.0, 8 << 30, 50 << 30, "boot")


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
        monkeypatch.setattr(up.Up, "_metrics", lambda self, lab: done.append("metrics"))
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
        monkeypatch.setattr(speed, "ensure", lambda: MACHINE)  # to measure one takes seconds
        chosen = up.Options(jupyter=False, **options)
        return up.Up(chosen, Reporter(), lambda question: True), done

    return make


def test_one_failure_is_tried_once_more_and_costs_no_cluster(run):
    lab, done = run(failures=1)
    assert lab.run() == ANSWER
    assert done == ["ensure 3", "inside", "inside", "metrics"]


def test_a_cluster_that_fails_twice_is_replaced_by_one_of_the_same_size(run):
    lab, done = run(failures=2)
    assert lab.run() == ANSWER
    assert done == ["ensure 3", "inside", "inside", "delete", "ensure 3", "inside", "metrics"]


def test_another_model_that_fails_costs_no_cluster(run):
    lab, done = run(failures=1, model="llama3:70b")
    with pytest.raises(CommandFailed):
        lab.run()
    assert "delete" not in done


def test_another_context_is_never_replaced(run, monkeypatch):
    monkeypatch.setattr(labs, "take_over", labs.Lab)
    lab, done = run(failures=1, context="theirs")
    with pytest.raises(CommandFailed):
        lab.run()
    assert done == ["inside"]


@pytest.fixture
def answering(run, monkeypatch):
    """An `up` whose answer comes; what it did."""
    metrics, inside = up.Up._metrics, up.Up._inside
    lab, done = run(failures=0)
    monkeypatch.setattr(up.Up, "_metrics", metrics)
    monkeypatch.setattr(up.Up, "_inside", inside)
    monkeypatch.setattr(services, "declare", lambda lab: {})
    monkeypatch.setattr(services, "wait", lambda lab, task, inputs: None)
    monkeypatch.setattr(model, "ensure", lambda lab, name, task: name)
    monkeypatch.setattr(model, "ask", lambda lab, name: done.append("answer") or ANSWER)
    monkeypatch.setattr(up.local_ollama, "ensure", lambda lab: "0")
    monkeypatch.setattr(monitoring, "declare", lambda lab: None)
    monkeypatch.setattr(monitoring, "wait", lambda lab, task: None)
    return lab, done


@pytest.mark.parametrize(("name", "kind"), [("wait", TimedOut), ("declare", CommandFailed)])
def test_metrics_that_do_not_come_cost_no_cluster_and_are_told_as_they_are(
    answering, monkeypatch, capsys, name, kind
):
    def no(*_):
        raise kind("no metrics", "an empty plate", "x")

    lab, done = answering
    monkeypatch.setattr(monitoring, name, no)
    with pytest.raises(kind, match="no metrics"):
        lab.run()
    assert done == ["ensure 3", "answer"]
    assert "Once more" not in capsys.readouterr().out


def test_jupyterlab_is_there_and_said_to_be_when_metrics_do_not_come(
    answering, monkeypatch, capsys, tmp_path
):
    def no(*_):
        raise TimedOut("no metrics", "an empty plate", "x")

    lab, _ = answering
    monkeypatch.setattr(monitoring, "wait", no)
    monkeypatch.setattr(lab, "options", up.Options(jupyter=True))
    server = SimpleNamespace(port=8888, work=tmp_path, url="http://127.0.0.1:8888/?token=x")
    monkeypatch.setattr(jupyter, "ensure", lambda context: (server, []))
    with pytest.raises(TimedOut):
        lab.run()
    assert server.url in capsys.readouterr().out


def test_the_answer_and_the_address_are_told_before_what_later_notebooks_need_is_made(
    answering, monkeypatch, capsys, tmp_path
):
    lab, done = answering
    lab.route = "packages"
    lab.options = up.Options(jupyter=True)
    server = SimpleNamespace(port=8888, work=tmp_path, url="http://127.0.0.1:8888/?token=x")
    monkeypatch.setattr(jupyter, "ensure", lambda context: (server, []))
    monkeypatch.setattr(up.images, "jobs", lambda route, reporter, *, answer: [Job("x", list)])
    monkeypatch.setattr(up.registry, "ensure", lambda reporter: done.append("pushed"))

    def materials(self, route, task, work):
        told = capsys.readouterr().out
        assert ANSWER.text in told
        assert server.url in told
        done.append("made")

    monkeypatch.setattr(up.Up, "_materials", materials)
    lab.run()
    assert done == ["ensure 3", "answer", "made", "pushed"]
    assert server.url in capsys.readouterr().out  # again at the end, where a reader looks


def test_a_bundle_is_where_everything_comes_from(run, monkeypatch):
    class Supply:
        def jobs(self, reporter, *, answer):
            return [Job(f"image:{answer}", list)]

    lab, _ = run(failures=0)
    lab.supply = Supply()
    monkeypatch.setattr(up.images, "jobs", None)
    monkeypatch.setattr(up.tools, "jobs", None)
    assert [job.name for job in lab._work("bundle", answer=True)] == ["image:True"]
    assert lab._chosen() == up.route.Route("bundle", "network is not used")


def test_after_a_bundle_up_takes_it_again_and_needs_it_only_for_what_is_missing(run):
    up.route.remember(up.route.Route("bundle", "x"))
    lab, _ = run(failures=0)
    assert lab._chosen() == up.route.Route("bundle", "as the last time; --route changes it")
    assert lab.supply.named is False


@pytest.mark.parametrize(
    "other", [{"route": "packages"}, {"context": "theirs"}, {"model": "qwen2:1.5b"}]
)
def test_what_a_bundle_cannot_go_with_is_said_before_any_work(run, other):
    lab, done = run(failures=0, bundle="x.lab", **other)
    with pytest.raises(Unsupported, match="--bundle brings up the lab's own cluster"):
        lab.run()
    assert done == []
