"""labkit/measure/top.py: kubectl's table of what is used, and how long one waits for it."""

import pytest

import labkit as lab
from labkit.errors import ApiSilent, Unreachable
from labkit.measure import top

PODS = "/apis/metrics.k8s.io/v1beta1/namespaces/lab/pods"


def figures(name: str, *usages: tuple[str, str]) -> dict:
    parts = [
        {"name": f"c{number}", "usage": {"cpu": cpu, "memory": memory}}
        for number, (cpu, memory) in enumerate(usages)
    ]
    return {"metadata": {"name": name}, "containers": parts}


@pytest.fixture
def cluster(connected, discovery, monkeypatch):
    """`cluster(path=answer)`: an API server; a list of answers is given one by one."""
    monkeypatch.setattr(top, "POLL_S", 0.01)

    def start(answers: dict[str, dict | list[dict]]) -> list[str]:
        asked: list[str] = []

        def answer(handler) -> None:
            path = handler.path.partition("?")[0]
            if path in discovery:
                handler.send(discovery[path])
                return
            asked.append(handler.path)
            found = answers.get(path)
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
            gone = {"reason": "NotFound", "message": f"no {path}", "code": 404}
            handler.send(found or gone, (found or gone).get("code", 200))

        connected(answer)
        return asked

    return start


def pod(name: str, phase: str = "Running") -> dict:
    return {"metadata": {"name": name}, "status": {"phase": phase}}


def test_pods_are_told_as_kubectl_tells_them_summed_over_their_containers(cluster, capsys):
    two = figures("ollama", ("250000001n", "100Mi"), ("3m", "1536Ki"))
    cluster(
        {
            "/api/v1/namespaces/lab/pods": {"items": [pod("ollama"), pod("old", "Succeeded")]},
            PODS: {"items": [two]},
        }
    )
    assert lab.top().rows == [["ollama", "254m", "101Mi"]]
    parts = lab.top("pods", containers=True)
    assert parts.columns == ["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"]
    assert parts.rows == [["ollama", "c0", "251m", "100Mi"], ["ollama", "c1", "3m", "1Mi"]]
    said = capsys.readouterr().out
    assert "$ kubectl top pods\n" in said
    assert "$ kubectl top pods --containers\n" in said


def test_nodes_have_shares_of_what_pods_may_use(cluster, capsys):
    room = {"cpu": "2", "memory": "4Gi"}
    cluster(
        {
            "/apis/metrics.k8s.io/v1beta1/nodes": {
                "items": [{"metadata": {"name": "x"}, "usage": {"cpu": "500m", "memory": "1Gi"}}]
            },
            "/api/v1/nodes": {
                "items": [{"metadata": {"name": "x"}, "status": {"allocatable": room}}]
            },
        }
    )
    assert lab.top("nodes").rows == [["x", "500m", "25%", "1024Mi", "25%"]]
    assert capsys.readouterr().out == "$ kubectl top nodes\n"


def test_a_pod_that_has_just_started_is_waited_for(cluster, capsys):
    asked = cluster(
        {
            "/api/v1/namespaces/lab/pods/ollama": pod("ollama"),
            PODS: [{"items": []}, {"items": [figures("ollama", ("1m", "8Mi"))]}],
        }
    )
    assert lab.top("pod/ollama").rows == [["ollama", "1m", "8Mi"]]
    assert asked.count(PODS) == 2
    said = capsys.readouterr().out
    assert said.startswith("$ kubectl top pod ollama\n")
    assert "metrics-server has not yet looked at ollama" in said


def test_of_all_pods_those_are_told_of_which_there_are_figures(cluster):
    pods = {"items": [pod("old"), pod("new"), pod("done", "Succeeded")]}
    none, one = {"items": []}, {"items": [figures("old", ("1m", "8Mi"))]}
    cluster({"/api/v1/namespaces/lab/pods": pods, PODS: [none, one]})
    assert lab.top().column("name") == ["old"]
    cluster({"/api/v1/namespaces/lab/pods": {"items": [pod("done", "Succeeded")]}, PODS: none})
    assert repr(lab.top()) == "No resources found"


def test_a_pod_that_never_runs_has_no_figures(cluster):
    cluster({"/api/v1/namespaces/lab/pods/ollama": pod("ollama"), PODS: {"items": []}})
    with pytest.raises(Unreachable) as error:
        lab.top("pod/ollama", timeout_s=0.05)
    assert str(error.value).splitlines() == [
        "Unreachable: there are no figures of ollama after 0.05 s",
        "saw: metrics-server looks every 10 s, at containers that run",
        'try: lab.get("pods"): does it run? Then once more',
    ]


def test_a_deployment_means_its_pods_and_no_other(cluster, capsys):
    cluster(
        {
            "/apis/apps/v1/namespaces/lab/deployments/ollama": {
                "metadata": {"name": "ollama"},
                "spec": {"selector": {"matchLabels": {"app": "ollama"}}},
            },
            "/api/v1/namespaces/lab/pods": {"items": [pod("ollama-1")]},
            PODS: {"items": [figures("ollama-1", ("1m", "8Mi")), figures("gone", ("1m", "8Mi"))]},
        }
    )
    assert lab.top("deployment/ollama").column("name") == ["ollama-1"]
    assert "$ kubectl top pods --selector=app=ollama\n" in capsys.readouterr().out


def test_pods_that_have_gone_meanwhile_are_waited_for_no_longer(cluster):
    leaving = {"metadata": {"name": "old", "deletionTimestamp": "now"}, "status": {}}
    leaving["status"] = {"phase": "Running"}
    begins = pod("next", "Pending")
    cluster(
        {
            "/apis/apps/v1/namespaces/lab/deployments/ollama": {
                "metadata": {"name": "ollama"},
                "spec": {"selector": {"matchLabels": {"app": "ollama"}}},
            },
            "/api/v1/namespaces/lab/pods": [
                {"items": [pod("old"), pod("new")]},
                {"items": [leaving, pod("new"), begins]},
            ],
            PODS: [{"items": []}, {"items": [figures("new", ("1m", "8Mi"))]}],
        }
    )
    assert lab.top("deployment/ollama", timeout_s=5).column("name") == ["new"]


def test_a_pod_that_has_not_begun_is_waited_for_where_no_other_runs(cluster):
    cluster(
        {
            "/apis/apps/v1/namespaces/lab/deployments/ollama": {
                "metadata": {"name": "ollama"},
                "spec": {"selector": {"matchLabels": {"app": "ollama"}}},
            },
            "/api/v1/namespaces/lab/pods": {"items": [pod("next", "Pending")]},
            PODS: [{"items": []}, {"items": [figures("next", ("1m", "8Mi"))]}],
        }
    )
    assert lab.top("deployment/ollama", timeout_s=5).column("name") == ["next"]


def test_an_api_server_that_is_silent_is_no_fault_of_metrics_server(cluster):
    path = "/apis/metrics.k8s.io/v1beta1/nodes"
    cluster({path: {"reason": "x", "message": "etcd is slow", "code": 503}})
    with pytest.raises(ApiSilent, match="the API server cannot answer now"):
        lab.top("nodes")


@pytest.mark.parametrize("code", [404, 503])
def test_without_a_metrics_server_up_is_what_to_try(cluster, code):
    path = "/apis/metrics.k8s.io/v1beta1/nodes"
    cluster({path: {"reason": "x", "message": "service unavailable", "code": code}})
    with pytest.raises(Unreachable) as error:
        lab.top("nodes")
    assert str(error.value).splitlines() == [
        "Unreachable: there is no metrics-server that answers",
        "saw: service unavailable",
        "try: ./lab up; in a cluster of your own its owner installs one",
    ]


@pytest.mark.parametrize("text", ["", "Ki", "none"])
def test_a_quantity_without_a_number_is_said_to_be_none(text):
    with pytest.raises(ValueError, match=f"'{text}' is not a quantity"):
        top.quantity(text)
