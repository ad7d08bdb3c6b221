"""The lab's life: up again, engine killed, down and up, the registry route, another context.

These tests change the lab as a whole, so they come after the deck's and each leaves it up.
"""

import ipaddress
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from labkit.setup.build import catalog, images, registry
from labkit.setup.cluster import kind
from labkit.setup.host import docker as engine
from labkit.setup.host import paths, speed

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = "lab-test-public"
PUBLIC_PORT = 5099


def docker(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], check=True, capture_output=True, text=True, timeout=speed.deadline(300)
    ).stdout


def timed(call, *words: str, **options) -> tuple[float, subprocess.CompletedProcess[str]]:
    begun = time.monotonic()
    done = call(*words, **options)
    seconds = time.monotonic() - begun
    print(f"{' '.join(['./lab', *words])}: {seconds:.1f} s")
    return seconds, done


def test_a_second_up_finds_everything_asks_again_and_never_writes_the_users_own_kubeconfig(
    lab, tmp_path
):
    own = tmp_path / "config"
    own.write_text("apiVersion: v1\nkind: Config\n")
    seconds, done = timed(lab, "up", env={**os.environ, "KUBECONFIG": str(own)})
    assert done.returncode == 0, done.stderr
    assert own.read_text() == "apiVersion: v1\nkind: Config\n"
    assert "here already" in done.stdout
    assert ">>> What is a Pod?" in done.stdout
    assert seconds < speed.deadline(15), "5 s is the aim; machines are noisy"


def test_of_two_at_a_time_the_second_waits_and_says_so(lab):
    both = [
        subprocess.Popen(
            [ROOT / "lab", "up"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=speed.deadline(120))[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Another ./lab command is at work" in text for text in said) == 1


def test_status_says_that_the_lab_is_up(lab):
    done = lab("status", "-o", "json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["up"] is True


def test_a_node_that_was_killed_is_brought_back_or_replaced(lab, shell):
    docker("kill", "lab-worker")
    assert lab("status").returncode == 1
    _seconds, done = timed(lab, "up")
    assert done.returncode == 0, done.stdout + done.stderr
    shell("kubectl exec -n lab-system deployment/ollama -- ollama list")


@pytest.mark.skipif(
    engine.started_by_lab() is None,
    reason="the engine is this machine's own: only one that the lab started may be killed",
)
def test_the_lab_comes_back_after_the_engine_was_killed(lab, shell):
    shell("kubectl create configmap kept --from-literal=by=learner")
    os.kill(engine.started_by_lab(), 9)
    assert lab("status").returncode in (1, 2)
    _seconds, done = timed(lab, "up", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = shell("kubectl get configmap kept -o name", code=None).returncode == 0
    print("the learner's objects were", "kept" if kept else "lost with the replaced cluster")
    shell("kubectl delete configmap kept --ignore-not-found")


@pytest.mark.parametrize("node", ["lab-control-plane", "lab-worker"])
def test_an_address_that_no_pod_has_is_asked_nowhere(lab, node):
    network = "/kind/static-network.args"
    if subprocess.run(
        ["docker", "exec", node, "test", "-e", network], timeout=speed.deadline(30)
    ).returncode:
        pytest.skip("the public node image: its network is kindnetd's")
    own = ipaddress.ip_network(docker("exec", node, "cat", network).split()[0])
    route = ["docker", "exec", node, "ip", "route", "get", str(own[-2])]
    done = subprocess.run(route, capture_output=True, text=True, timeout=speed.deadline(30))
    assert "No route to host" in done.stderr, done.stdout


@pytest.fixture
def public(lab):
    """A registry that holds what the public ones hold, as far as this lab needs it."""
    docker(
        *("run", "--detach", "--name", PUBLIC, "--publish", f"127.0.0.1:{PUBLIC_PORT}:5000"),
        *("--volume", f"{registry.VOLUME}:/var/lib/registry", "registry:2.8.2"),
    )
    node = images.wanted()[-1]
    name = f"127.0.0.1:{PUBLIC_PORT}/{node.path}:{node.published}"
    docker("tag", node.reference, name)
    docker("push", "--quiet", name)
    docker("rmi", name)
    yield f"127.0.0.1:{PUBLIC_PORT}"
    docker("rm", "-f", PUBLIC)


def test_after_down_the_registry_route_pulls_every_image_and_ends_in_the_same_lab(lab, public):
    assert lab("down").returncode == 0
    assert kind.nodes() == []
    assert lab("status").returncode == 1
    assert lab("env").returncode == 1
    for image in catalog.load().images:
        docker("rmi", "-f", *(f"{image.name}:{tag}" for tag in image.tags))
    # the tools that fit, as a learner has them on PATH
    tools = ":".join(
        {
            str(paths.tools().joinpath(t).resolve().parent)
            for t in ("kind", "kubectl", "helm", "hey")
        }
    )
    env = {
        **os.environ,
        "LAB_REGISTRY": public,
        "PATH": f"{tools}:{os.environ['PATH']}",
    }
    seconds, done = timed(lab, "up", "--route", "registry", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert seconds < speed.deadline(180), "60 s is the aim; machines are noisy"
    assert kind.nodes() == ["lab-control-plane", "lab-worker"]
    for image in images.wanted():
        record = paths.read_json(images.pulled_record(image))
        assert record["source"].startswith(public), image.name
    assert "route: registry (asked for)" in done.stdout
    back = lab("up", "--route", "packages")
    assert back.returncode == 0, back.stdout + back.stderr


def test_another_context_gets_a_lab_in_its_labelled_namespaces_only(lab, shell, tmp_path):
    config = tmp_path / "config"
    shell(f"kubectl config view --raw --flatten > {config}")
    env = {**os.environ, "KUBECONFIG": str(config)}
    subprocess.run(
        ["kubectl", "config", "rename-context", "kind-lab", "elsewhere"],
        env={**env, "PATH": f"{paths.tools()}:{env['PATH']}"},
        check=True,
        capture_output=True,
    )
    before = config.read_text()
    done = lab("up", "--context", "elsewhere", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert config.read_text() == before
    assert lab("status", "--context", "elsewhere", env=env).returncode == 0
    wide = "kubectl get clusterroles,clusterrolebindings -o name"
    assert shell(wide).stdout.count("labkit:prometheus") == 2

    unknown = lab("up", "--context", "nowhere", env=env)
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("ContextUnknown:")
    assert len(unknown.stderr.splitlines()) == 3

    shell("kubectl label namespace lab app.kubernetes.io/managed-by-")
    try:
        refused = lab("up", "--context", "elsewhere", env=env)
        assert refused.returncode == 1
        assert refused.stderr.startswith("NamespaceNotOurs:")
    finally:
        shell("kubectl label namespace lab app.kubernetes.io/managed-by=labkit")

    removed = lab("down", "--context", "elsewhere", env=env)
    assert removed.returncode == 0, removed.stderr
    assert list(paths.state("contexts").glob("elsewhere*")) == []
    left = shell("kubectl get namespaces -o name").stdout.split()
    assert "namespace/lab-system" not in left
    assert "namespace/kube-system" in left
    assert "labkit:prometheus" not in shell(wide).stdout
    again = lab("up")
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_context_whose_cluster_is_silent_is_said_so(lab, shell, tmp_path):
    config = tmp_path / "config"
    shell(f"kubectl config view --raw --flatten > {config}")
    shell(f"kubectl --kubeconfig {config} config set clusters.kind-lab.server https://127.0.0.1:9")
    done = lab("up", "--context", "kind-lab", env={**os.environ, "KUBECONFIG": str(config)})
    assert done.returncode == 2
    assert done.stderr.startswith("ContextSilent:")


def test_a_model_that_cannot_be_had_is_said_in_three_lines_and_the_lab_stays(lab):
    done = lab("up", "--model", "no-such-model-anywhere")
    assert done.returncode == 1
    assert done.stderr.startswith("ModelUnavailable:")
    assert len(done.stderr.splitlines()) == 3
    assert lab("status").returncode == 0


def test_a_kind_cluster_that_is_not_ours_is_left_alone(lab):
    record = paths.state("cluster.json")
    aside = Path(f"{record}.aside")
    record.rename(aside)
    try:
        for command in ("up", "down"):
            done = lab(command)
            assert done.returncode == 1
            assert done.stderr.startswith("ClusterNotOurs:")
        assert len(kind.nodes()) == 2
    finally:
        aside.rename(record)
    assert lab("status").returncode == 0
