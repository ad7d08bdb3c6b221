"""setup/cluster/monitoring.py: what is declared where, and anew when its configuration changed."""

import json
import shutil

import pytest
import yaml

from labkit.commands import status
from labkit.errors import CommandFailed, TimedOut
from labkit.setup.build import catalog
from labkit.setup.cluster import labs, monitoring, rollout
from labkit.setup.host import paths
from labkit.setup.host.progress import Task

REPLICA = {"availableReplicas": 1}
OURS, THEIRS = labs.Lab(), labs.Lab("theirs")


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """What kubectl is told, and what it is given."""
    found: list[tuple] = []

    def kubectl(lab, *words, stdin="", **options):
        found.append((words, stdin))
        return ""

    monkeypatch.setattr(labs.Lab, "kubectl", kubectl)
    return found


def pods_of(name: str) -> list[dict]:
    items = monitoring.manifest(name)
    return [item["spec"]["template"] for item in items if item["kind"] == "Deployment"]


@pytest.mark.parametrize("name", [monitoring.PROMETHEUS, monitoring.METRICS_SERVER])
def test_they_run_the_versions_of_the_bill_of_materials_locked_and_limited(name):
    (pod,) = pods_of(name)
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["spec"]["containers"]:
        image, _, tag = container["image"].rpartition(":")
        assert tag == catalog.load().image(image).tags[0]
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        locked = container["securityContext"]
        assert locked["capabilities"] == {"drop": ["ALL"]}
        assert locked["readOnlyRootFilesystem"]
        assert not locked["allowPrivilegeEscalation"]


def test_prometheus_may_list_pods_and_nodes_and_read_kubelets_metrics_and_no_more():
    (role,) = [i for i in monitoring.manifest("prometheus") if i["kind"] == "ClusterRole"]
    allowed = {
        (verb, what)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for what in rule["resources"]
    }
    assert allowed == {
        *((verb, what) for verb in ("list", "watch") for what in ("pods", "nodes")),
        ("get", "nodes/metrics"),
    }


def test_an_exporter_that_gives_no_content_type_is_read_all_the_same():
    text = monitoring.manifest("prometheus")[0]["data"]["prometheus.yml"]
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    assert jobs["pods"]["fallback_scrape_protocol"] == "PrometheusText0.0.4"


def test_what_is_kept_is_told_in_the_configuration_and_not_by_deprecated_flags():
    text = monitoring.manifest("prometheus")[0]["data"]["prometheus.yml"]
    kept = yaml.safe_load(text)["storage"]["tsdb"]["retention"]
    assert kept == {"time": "1h", "size": "256MB"}
    (pod,) = pods_of("prometheus")
    assert not [word for word in pod["spec"]["containers"][0]["args"] if "retention" in word]


def test_all_is_declared_at_once_and_everything_is_labelled_as_the_labs(asked):
    monitoring.declare(OURS)
    ((words, text),) = asked
    assert words[0] == "apply"
    items = json.loads(text)["items"]
    assert {item["metadata"]["labels"][labs.LABEL[0]] for item in items} == {labs.LABEL[1]}
    where = {item["metadata"].get("namespace") for item in items}
    assert where == {"lab-system", "kube-system", None}


def test_another_cluster_gets_no_metrics_server(asked):
    monitoring.declare(THEIRS)
    items = json.loads(asked[0][1])["items"]
    assert {item["metadata"]["labels"]["app.kubernetes.io/name"] for item in items} == {
        "prometheus"
    }
    assert "insecure-tls" not in asked[0][1]


def test_another_configuration_is_another_pod_and_the_same_one_is_not(tmp_path, monkeypatch):
    shutil.copytree(paths.k8s(), tmp_path / "k8s")
    monkeypatch.setattr(paths, "k8s", lambda *parts: tmp_path.joinpath("k8s", *parts))
    before = pods_of("prometheus")
    assert pods_of("prometheus") == before
    config = monitoring.manifest("prometheus")[0]
    for name in ("prometheus.yml", "alerts.yml"):
        file = paths.k8s("cluster", "prometheus", name)
        assert config["data"][name] == file.read_text()
        file.write_text(file.read_text() + "# more\n")
        after = pods_of("prometheus")
        assert after != before
        before = after


def test_up_waits_for_the_deployments_and_for_the_api_that_top_asks(asked, monkeypatch):
    waited = []
    monkeypatch.setattr(rollout, "wait", lambda lab, task, *names: waited.append(names))
    monitoring.wait(OURS, Task("x", 0.0, None))
    monitoring.wait(THEIRS, Task("x", 0.0, None))
    assert waited == [("prometheus",), ("prometheus",)]
    assert [words[:3] for words, _ in asked] == [
        ("wait", "--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io")
    ]


def test_an_api_that_does_not_come_is_told_with_its_condition_and_its_pod(monkeypatch):
    def no(lab, *words, **options):
        raise CommandFailed("kubectl wait failed", "timed out waiting", "x")

    there = {
        "type": "Available",
        "status": "False",
        "reason": "MissingEndpoints",
        "message": "none",
    }
    runs = {"name": "server", "state": {"running": {}}, "ready": False}
    pod = {"metadata": {"name": "metrics-server-1"}, "status": {"containerStatuses": [runs]}}
    has: dict[str, dict] = {
        monitoring.API: {"status": {"conditions": [there]}},
        "pods": {"items": [pod]},
    }
    monkeypatch.setattr(rollout, "wait", lambda lab, task, *names: None)
    monkeypatch.setattr(labs.Lab, "kubectl", no)
    monkeypatch.setattr(labs.Lab, "get", lambda lab, what, *words: has.get(what, {}))
    with pytest.raises(TimedOut) as error:
        monitoring.wait(OURS, Task("x", 0.0, None))
    assert str(error.value).splitlines() == [
        "TimedOut: the metrics API not available after 120 s",
        "saw: MissingEndpoints: none; metrics-server-1: server runs and is not ready",
        "try: kubectl -n kube-system logs deployment/metrics-server, then ./lab up again",
    ]
    has.clear()
    with pytest.raises(TimedOut, match="saw: timed out waiting"):
        monitoring.wait(OURS, Task("x", 0.0, None))


def test_status_names_what_has_no_ready_pod(monkeypatch):
    def deployments(**available):
        labels = dict([labs.LABEL])
        items = {
            name: {"metadata": {"name": name, "labels": labels}, "status": REPLICA if count else {}}
            for name, count in available.items()
        }

        def get(lab, what, name, *where):
            assert (what, where[0]) == ("deployment", "--namespace")
            asked.append((name, where[1]))
            return items.get(name, {})

        monkeypatch.setattr(labs.Lab, "get", get)

    asked: list[tuple[str, str]] = []

    deployments(prometheus=1, models=0)
    assert status._metrics(OURS) == (False, "not ready: metrics-server")
    assert asked == [("prometheus", "lab-system"), ("metrics-server", "kube-system")]
    assert status._metrics(THEIRS) == (True, "prometheus.lab-system:9090")
    assert asked[2:] == [("prometheus", "lab-system")]
    deployments(prometheus=0, **{"metrics-server": 1})
    assert status._metrics(OURS) == (False, "not ready: prometheus")


def test_what_is_outside_of_the_namespaces_goes_only_where_it_is_labelled_as_ours(asked):
    monitoring.remove(THEIRS)
    ((words, _),) = asked
    assert words == (
        *("delete", "clusterrolebinding,clusterrole", "--selector"),
        "app.kubernetes.io/name=prometheus,app.kubernetes.io/managed-by=labkit",
    )
