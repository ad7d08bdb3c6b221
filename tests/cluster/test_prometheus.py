"""Prometheus and metrics-server in the running lab: what they find, may do, keep and cost."""

import json
import re
import time
from urllib.parse import quote, urlencode

import pytest

import labkit
from labkit.kube import session
from labkit.measure import prometheus
from labkit.setup.build import catalog
from labkit.setup.cluster import labs, monitoring
from labkit.setup.host import paths, speed

PROXY = "/api/v1/namespaces/lab-system/services/prometheus:9090/proxy"
ACCOUNT = "system:serviceaccount:lab-system:prometheus"
RULES = paths.k8s("cluster", "prometheus")
IMAGE = catalog.load().image("prom/prometheus").reference
FOUND_S = 40  # Prometheus hands on what it discovers every 5 s


# an exporter as a learner writes one: it gives no Content-Type
PLAIN = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"# TYPE mine histogram\\nmine_bucket{le=\\"1\\"} 4\\n")
HTTPServer(("", 9092), Page).serve_forever()
"""


def exporter(name: str) -> str:
    """A Pod with two ports `metrics…`, and beside it a native sidecar with another one."""
    locked = {"allowPrivilegeEscalation": False}
    part = {"image": IMAGE, "securityContext": locked, "resources": {"limits": {"memory": "256Mi"}}}
    beside = ["--config.file=/etc/prometheus/prometheus.yml", "--web.listen-address=:9091"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {**part, "name": "server", "ports": [{"name": "metrics", "containerPort": 9090}]},
                {
                    **part,
                    "name": "plain",
                    "image": catalog.load().image("python").reference,
                    "command": ["python3", "-c", PLAIN],
                    "ports": [{"name": "metrics-plain", "containerPort": 9092}],
                },
            ],
            "initContainers": [
                {
                    **part,
                    "name": "beside",
                    "restartPolicy": "Always",
                    "args": [*beside, "--storage.tsdb.path=/tmp"],
                    "ports": [{"name": "metrics-two", "containerPort": 9091}],
                }
            ],
        },
    }
    return json.dumps(pod)


@pytest.fixture(scope="module")
def elsewhere(lab):
    """A namespace that is none of the lab's."""
    name = f"elsewhere-{time.time_ns()}"
    labs.Lab().kubectl("create", "namespace", name)
    yield name
    labs.Lab().kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def pods(twins, elsewhere):
    """The same Pod in both namespaces, and before that in one that is none of the lab's."""
    for names in ((elsewhere,), twins):
        for name in names:
            twins.kubectl(name, "apply", "--filename", "-", stdin=exporter("counts"))
        for name in names:
            twins.kubectl(
                name,
                "wait",
                "pod/counts",
                "--for=condition=Ready",
                f"--timeout={speed.deadline(60):g}s",
            )


@pytest.fixture
def printed(capsys):
    """What was printed since the last look."""
    return lambda: capsys.readouterr().out


def asked(path: str):
    """What Prometheus answers, by another way than labkit's."""
    return json.loads(labs.Lab().kubectl("get", "--raw", f"{PROXY}/api/v1/{path}"))["data"]


def now(query: str) -> list[dict]:
    return asked(f"query?query={quote(query)}")["result"]


@pytest.mark.usefixtures("pods")
def test_ports_named_metrics_are_found_in_the_labs_namespaces_and_in_no_other(twins, elsewhere):
    query = f'up{{namespace=~"{twins.ours}|{elsewhere}"}} == 1'
    deadline = time.monotonic() + speed.deadline(FOUND_S)
    while len(found := now(query)) < 3:
        assert time.monotonic() < deadline, asked("targets?state=active")
        time.sleep(0.5)
    labels = [row["metric"] for row in found]
    assert {(one["pod"], one["container"], one["job"]) for one in labels} == {
        ("counts", "server", "pods"),
        ("counts", "beside", "pods"),
        ("counts", "plain", "pods"),
    }
    # its Pod was ready before ours were made
    assert {one["namespace"] for one in labels} == {twins.ours}


@pytest.mark.usefixtures("pods")
def test_a_histograms_bounds_are_numbers_with_a_point(twins):
    """Prometheus 3 writes them so, whatever the page says: who asks for le="1" finds nothing."""
    deadline = time.monotonic() + speed.deadline(FOUND_S)
    while not (found := now(f'mine_bucket{{namespace="{twins.ours}"}}')):
        assert time.monotonic() < deadline, asked("targets?state=active")
        time.sleep(0.5)
    assert [row["metric"]["le"] for row in found] == ["1.0"]


def test_both_kubelets_tell_what_containers_use(lab):
    nodes = labs.Lab().get("nodes")["items"]
    assert {row["metric"]["node"] for row in now('up{job="cadvisor"} == 1')} == {
        node["metadata"]["name"] for node in nodes
    }
    (used,) = now('container_memory_working_set_bytes{container="prometheus"}')
    assert used["metric"]["namespace"] == "lab-system"
    # a namespace that was deleted a moment ago is in the last scrape still
    seen = {row["metric"]["namespace"] for row in now("container_cpu_usage_seconds_total")}
    assert not [name for name in seen if name != "lab" and not name.startswith("lab-")]


def test_it_may_do_what_the_discovery_needs_and_nothing_else(lab):
    def rights(account: str) -> set[str]:
        said = labs.Lab().kubectl("auth", "can-i", "--list", f"--as={account}")
        return {line.strip() for line in said.splitlines()}

    anyones = rights("system:serviceaccount:lab-system:nobody")
    own = {re.sub(r"\s+", " ", line) for line in rights(ACCOUNT) - anyones}
    assert own == {
        "nodes [] [] [list watch]",
        "pods [] [] [list watch]",
        "nodes/metrics [] [] [get]",
    }


@pytest.mark.parametrize("right", ["get secrets", "create pods", "get nodes/proxy", "get pods/log"])
def test_it_may_not(lab, right):
    words = ("auth", "can-i", *right.split(), f"--as={ACCOUNT}", "--all-namespaces")
    assert labs.Lab().kubectl(*words, check=False) == "no"


def test_it_keeps_an_hour_within_its_size(lab):
    assert asked("status/runtimeinfo")["storageRetention"] == "1h or 256MiB"
    flags = asked("status/flags")
    assert flags["storage.tsdb.max-block-duration"] == "15m"
    assert flags["web.enable-admin-api"] == flags["web.enable-lifecycle"] == "false"


def test_it_has_never_needed_200_mb(lab):
    (most,) = now('max_over_time(process_resident_memory_bytes{container="prometheus"}[1h])')
    assert 20e6 < float(most["value"][1]) < 200e6


def test_its_configuration_is_the_one_of_the_files_and_valid(lab):
    where = ("exec", "deployment/prometheus", *labs.IN_SYSTEM, "--")
    file = "/etc/prometheus/prometheus.yml"
    assert "SUCCESS" in labs.Lab().kubectl(*where, "promtool", "check", "config", file)
    for name in monitoring.FILES:
        said = labs.Lab().kubectl(*where, "cat", f"/etc/prometheus/{name}")
        assert said.strip() == (RULES / name).read_text().strip()


@pytest.mark.usefixtures("pods")
def test_metrics_are_those_that_kubectl_gets_by_the_same_request(twins, printed):
    query = 'up{container="prometheus"}'
    assert labkit.metrics(query, minutes=1).series
    assert printed() == f"# PromQL, of the last 1 min, a value every 2 s: {query}\n"
    asked = prometheus.asking(query, minutes=1)
    found = prometheus.queried(session.current(), asked)
    raw = f"kubectl get --raw '{prometheus.PATH}?{urlencode(asked)}'"
    theirs = json.loads(twins.line(f"$ {raw}").stdout)["data"]["result"]
    (ours,) = found.series
    assert theirs[0]["metric"] == ours.labels
    # the last scrapes may have come meanwhile
    assert [[at, float(value)] for at, value in theirs[0]["values"]][:-2] == [
        list(point) for point in ours.points[:-2]
    ]
    assert len(ours.points) >= 5


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    ("what", "options"),
    [("pods", {}), ("pods", {"containers": True}), ("pod/counts", {}), ("nodes", {})],
)
def test_top_has_kubectls_columns_and_rows(twins, printed, what, options):
    table = labkit.top(what, **options)
    line = printed()
    deadline = time.monotonic() + speed.deadline(FOUND_S)
    while (done := twins.line(line)).returncode:  # of their Pod it may hear a look later
        assert time.monotonic() < deadline, done.stderr
        time.sleep(1)
    header, *rows = (re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines())
    names = header.index("CPU(cores)")
    assert header == table.columns
    assert [row[:names] for row in rows] == [row[:names] for row in table.rows]
    assert all(re.fullmatch(r"\d+m", cpu) for cpu in table.column("cpu(cores)"))
    assert all(re.fullmatch(r"\d+Mi", memory) for memory in table.column("memory(bytes)"))


@pytest.mark.usefixtures("pods")
def test_a_reset_leaves_them_as_they_are(twins):
    def running() -> dict[str, str]:
        items = labs.Lab().get("pods", *labs.IN_SYSTEM)["items"]
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}

    before = running()
    labkit.reset()
    assert "counts" not in twins.kubectl(twins.ours, "get", "pods", "-o", "name")
    assert running() == before
    assert "prometheus" in {name.rsplit("-", 2)[0] for name in before}
    assert now('up{container="prometheus"} == 1')
