"""labkit/ollama/in_progress.py: a restart and a smaller scale say which answers they cut."""

import pytest

from labkit.errors import NotFound
from labkit.ollama import in_progress

DEPLOYMENT = "/apis/apps/v1/namespaces/lab/deployments/ollama"
PODS = "/api/v1/namespaces/lab/pods"
# of Ollama 0.34.2, with OLLAMA_NUM_PARALLEL=2
BEGUN = "slot launch_slot_: id  {} | task {} | processing task, is_child = 0\n"
ENDED = "slot      release: id  {} | task {} | stop processing: n_tokens = 57, truncated = 0\n"
LOADS = 'time=x level=INFO source=llama_server.go:434 msg="starting llama-server" cmd="/usr/lib"\n'
GIN = '[GIN] 2026/11/30 - 19:56:00 | 200 |  2.118333523s |  127.0.0.1 | POST     "/api/generate"\n'
ONE = LOADS + BEGUN.format(0, 0) + ENDED.format(0, 0) + GIN + BEGUN.format(1, 9)


def pod(name: str, **spec) -> dict:
    container = {"name": "ollama", "image": "ollama/ollama:0.34.2", **spec}
    return {"kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


@pytest.fixture
def cluster(connected, discovery):
    """`cluster(pods, logs)`: a Deployment of three replicas; returns what it was told to change."""

    def start(pods: list[dict], logs: dict[str, str]) -> list[str]:
        changed: list[str] = []
        spec = {"replicas": 3, "selector": {"matchLabels": {"app": "ollama"}}}
        deployment = {"kind": "Deployment", "metadata": {"name": "ollama"}, "spec": spec}

        def answer(handler) -> None:
            path = handler.path.partition("?")[0]
            name = path.removeprefix(f"{PODS}/").removesuffix("/log")
            if path in discovery:
                handler.send(discovery[path])
            elif handler.command == "PATCH":
                changed.append(path)
                handler.send(deployment)
            elif path == DEPLOYMENT:
                handler.send(deployment)
            elif path == PODS:
                handler.send({"items": pods})
            elif name in logs:
                handler.send(logs[name].encode())
            else:
                handler.send({"kind": "Status", "reason": "NotFound", "message": path}, 404)

        connected(answer)
        return changed

    return start


def test_a_restart_says_how_many_answers_it_cuts(cluster, capsys):
    logs = {"a": ONE + BEGUN.format(0, 12), "b": ONE, "c": ONE + ENDED.format(1, 9)}
    changed = cluster([pod("a"), pod("b"), pod("c"), pod("no-log")], logs)
    done = in_progress.restart("deployment/ollama")
    assert repr(done) == "deployment.apps/ollama restarted" and changed == [DEPLOYMENT]
    assert capsys.readouterr().out == (
        "$ kubectl rollout restart deployment/ollama\ndeployment.apps/ollama restarted\n"
        "3 answers in progress in pod/a, pod/b: cut when the Pod ends, because Ollama does not wait"
        " for them\n"
    )


def test_only_fewer_pods_cut_answers(cluster, capsys):
    changed = cluster([pod("a"), pod("b")], {"a": ONE, "b": GIN})
    for replicas in (3, 4):
        in_progress.scale("deployment/ollama", replicas=replicas)
        assert "in progress" not in capsys.readouterr().out
    in_progress.scale("deployment/ollama", replicas=2)
    said = "1 answer in progress in pod/a: those of the Pods that end are cut\n"
    assert capsys.readouterr().out.endswith(said)
    assert changed == [f"{DEPLOYMENT}/scale"] * 3


@pytest.mark.parametrize(
    "one",
    [
        pod("a", lifecycle={"preStop": {"sleep": {"seconds": 5}}}),
        pod("a", image="haproxy:2.6"),
        {**pod("a"), "metadata": {"name": "a", "deletionTimestamp": "2026-11-30T12:00:00Z"}},
    ],
    ids=["it drains", "it is no Ollama", "it ends already"],
)
def test_what_cuts_no_answer_says_nothing(cluster, capsys, one):
    cluster([one], {"a": ONE})
    in_progress.restart("deployment/ollama")
    assert "in progress" not in capsys.readouterr().out


def test_an_engine_that_was_started_again_has_no_answers_of_before():
    assert in_progress.in_progress(ONE + LOADS) == 0
    assert in_progress.in_progress(ONE + LOADS + BEGUN.format(1, 9)) == 1


def test_what_is_not_there_is_said_as_before(cluster):
    cluster([], {})
    with pytest.raises(NotFound, match="there is no deployment/nosuch"):
        in_progress.restart("deployment/nosuch")
