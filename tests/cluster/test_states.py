"""goto and reset from what learners bring about, each made with bare kubectl and helm."""

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labkit.errors import NamespaceNotOurs
from labkit.jupyter import namespace
from labkit.kube import session
from labkit.lessons import steps
from labkit.lessons.reset import goto, inventory, lease
from labkit.setup.cluster import labs
from labkit.setup.host import speed

STEP = "03-service/right-port"  # begins with a Deployment, and a Service with the wrong port
ODDS = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: none}
spec: {hard: {pods: "0"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: small}
spec: {limits: [{type: Container, default: {memory: 8Mi}}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: unbound}
spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: again}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: again, image: ollama/ollama, command: [ollama, --version]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all}
spec: {minAvailable: 9, selector: {matchLabels: {app: ollama}}}
---
apiVersion: v1
kind: Endpoints
metadata: {name: by-hand}
subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 1}]}]
"""


def kubeconfig(name: str) -> Path:
    return labs.Lab().kubeconfig_in(name)


@pytest.fixture(scope="module")
def fresh(seat, twins):
    """What the start of STEP is when nothing was there before it."""
    there = session.Session(twins.theirs, "", kubeconfig(twins.theirs))
    goto.bring(there, steps.before(steps.one(STEP)), "the reference")
    return inventory.snapshot(inventory.listed(there))


def crash_loop(seat):
    seat.run("kubectl create deployment ollama --image ollama/ollama -- ollama srve")
    # STATUS may say Error for the whole back-off (Kubernetes 1.37)
    seat.until("kubectl get pods --output=jsonpath={..restartCount}", "2")


def stuck_finalizers(seat):
    seat.run("""
        kubectl create configmap held
        kubectl create deployment ollama --image ollama/ollama
        kubectl run held --image ollama/ollama
        for one in configmap/held deployment/ollama pod/held; do
          kubectl patch $one --type merge -p '{"metadata": {"finalizers": ["example.com/hold"]}}'
        done
        kubectl delete configmap/held deployment/ollama pod/held --wait=false
    """)


def terminating_namespace(seat):
    stuck_finalizers(seat)
    seat.run(f"kubectl delete namespace {seat.name} --wait=false")
    seat.until(f"kubectl get namespace {seat.name}", "Terminating")


def failed_release(seat):
    line = "helm install ollama ollama --repo $CHARTS --set image.tag=nosuch --wait --timeout 3s"
    seat.run(f"! {line}; helm list | grep failed")


def pending_release(seat):
    line = "helm install ollama ollama --repo $CHARTS --set image.tag=nosuch --wait --timeout 60s"
    with subprocess.Popen(["bash", "-c", f"exec {line}"], env=seat.env) as process:
        seat.until("helm list --pending", "pending-install")
        process.kill()
    seat.until("helm list --pending", "pending-install")


def half_applied(seat):
    seat.run("kubectl create service clusterip ollama --tcp 11434; kubectl run client --image x")
    goto.goto("05-models-everywhere/your-turn")
    seat.run("kubectl delete deployment ollama --cascade=orphan")


def odds_and_ends(seat):
    seat.run("kubectl run bare --image ollama/ollama --restart=Never -- --version")
    seat.run(f"kubectl apply -f - <<'EOF'\n{ODDS}\nEOF")
    seat.run("""
        kubectl create secret generic token --from-literal a=b
        kubectl create serviceaccount other
        kubectl create role reader --verb get --resource pods
        kubectl create rolebinding reader --role reader --serviceaccount default:other
        kubectl create job done --image ollama/ollama -- ollama --version
        kubectl patch serviceaccount default -p '{"imagePullSecrets": [{"name": "token"}]}'
        kubectl label configmap kube-root-ca.crt mine=1
    """)


def fields_of_other_managers(seat):
    goto.goto(STEP)
    seat.run("""
        kubectl set env deployment/ollama OLLAMA_HOST=127.0.0.1
        kubectl set resources deployment/ollama --limits memory=16Mi
        kubectl patch deployment ollama --type json \\
          -p '[{"op": "add", "path": "/spec/template/spec/containers/0/command", "value": ["x"]}]'
        kubectl annotate deployment ollama note=mine
        kubectl label service ollama mine=1
        kubectl patch service ollama -p '{"spec": {"sessionAffinity": "ClientIP"}}'
        kubectl scale deployment ollama --replicas 0
    """)


def one_pod_changed(seat):
    goto.goto(STEP)
    seat.run("""
        pod=$(kubectl get pods -l app=ollama -o name)
        kubectl set image $pod ollama=ollama/olama
        kubectl label $pod mine=1
    """)


def an_orphaned_pod(seat):
    goto.goto(STEP)
    seat.run("kubectl label $(kubectl get pods -l app=ollama -o name) app=mine --overwrite")


def stricter_namespace(seat):
    level = "pod-security.kubernetes.io"
    labels = f"{level}/enforce=restricted {level}/enforce-version=v1.30"
    seat.run(f"kubectl label namespace {seat.name} {labels} --overwrite")


def a_release_of_another_name(seat):
    seat.run("helm install second ollama --repo $CHARTS --set replicaCount=2")


SITUATIONS = [
    crash_loop,
    stuck_finalizers,
    terminating_namespace,
    failed_release,
    pending_release,
    half_applied,
    odds_and_ends,
    fields_of_other_managers,
    one_pod_changed,
    an_orphaned_pod,
    stricter_namespace,
    a_release_of_another_name,
]


@pytest.fixture
def empty(seat):
    goto.reset()


def reached(fresh, step=STEP) -> None:
    here = session.current()
    assert goto.planned(here, steps.before(steps.one(step))) == []
    assert inventory.snapshot(inventory.listed(here)) == fresh


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda made: made.__name__)
def test_goto_works_from(situation, seat, fresh, capsys):
    situation(seat)
    assert goto.planned(session.current(), steps.before(steps.one(STEP))), "nothing was wrong"
    gone = goto.goto(STEP)
    with capsys.disabled():
        print(f"\n{situation.__name__}: {gone.seconds:.1f} s")
    assert gone.heading == "Your turn: no answer"
    reached(fresh)
    assert goto.goto(STEP).changes == ()


def test_reset_leaves_what_a_new_namespace_has(seat):
    odds_and_ends(seat)
    goto.reset()
    left = seat.run("kubectl get all,configmaps,secrets,serviceaccounts,pvc,roles,quota -o name")
    assert left.split() == ["configmap/kube-root-ca.crt", "serviceaccount/default"]
    assert seat.run("kubectl get serviceaccount default -o jsonpath='{.imagePullSecrets}'") == ""


@pytest.mark.usefixtures("empty")
def test_a_release_that_somebody_upgraded_is_the_steps_own_again(seat):
    goto.goto("06-helm/changed")
    seat.run("helm upgrade ollama ollama --repo $CHARTS --reuse-values")  # the same, once more
    goto.goto("06-helm/changed")
    history = json.loads(seat.run("helm history ollama -o json"))
    assert [(one["revision"], one["status"]) for one in history] == [(1, "deployed")]
    seat.run("kubectl set env deployment/ollama A=b")
    why = {change.target: change.why for change in goto.goto("06-helm/changed").changes}
    assert why["deployment/ollama"].startswith("spec.template.spec.containers[0].env is ")
    goto.reset()
    assert json.loads(seat.run("helm list -o json")) == []


@pytest.mark.usefixtures("empty")
def test_a_goto_killed_at_any_point_is_finished_by_the_next(seat, fresh):
    odds_and_ends(seat)
    for wait_ms in range(400, 2400, 250):
        process = seat.lab("goto", STEP, "--yes")
        time.sleep(wait_ms / 1000)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    begun = time.monotonic()
    goto.goto(STEP)
    assert time.monotonic() - begun < lease.STALE_S, "it waited for one that is dead"
    reached(fresh)


@pytest.mark.usefixtures("empty")
def test_an_interrupted_goto_says_how_to_go_on_and_leaves_no_mark(seat):
    odds_and_ends(seat)
    process = seat.lab("goto", STEP, "--yes")
    time.sleep(1.2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=speed.deadline(20))
    assert process.returncode == 130, said
    assert "./lab goto continues from here" in said
    assert "at-work" not in seat.run(f"kubectl get namespace {seat.name} -o yaml")


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(("typed", "code"), [(b"\n", 1), (b"y\n", 0)])
def test_a_person_at_a_terminal_sees_the_changes_and_is_asked(seat, typed, code):
    seat.run("kubectl create configmap mine")
    ours, theirs = pty.openpty()
    process = seat.lab("reset", terminal=theirs)
    os.close(theirs)
    said = ""
    with contextlib.suppress(OSError):  # how a terminal ends that nobody has open any more
        while select.select([ours], [], [], 60)[0] and (text := os.read(ours, 4096).decode()):
            said += text
            if said.endswith("[y/N] "):
                os.write(ours, typed)
    os.close(ours)
    assert process.wait(timeout=speed.deadline(60)) == code, said
    shown = said.index("configmap/mine")
    assert shown < said.index(f"Change namespace {seat.name} so? [y/N] ")
    there = "configmap/mine" in seat.run("kubectl get configmaps -o name")
    assert there == (code == 1)


@pytest.mark.usefixtures("empty")
def test_of_two_that_come_while_a_third_is_at_work_each_waits_and_both_arrive(seat):
    other = "05-models-everywhere/baked"
    with lease.alone(session.current(), "a third", speed.deadline(20)):
        both = [seat.lab("goto", step, "--yes") for step in (STEP, other)]
        for process in both:
            assert any("a third is at work, by " in line for line in process.stdout)
    said = [process.communicate(timeout=speed.deadline(90))[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    here = session.current()
    left = [goto.planned(here, steps.before(steps.one(step))) for step in (STEP, other)]
    assert [] in left


@pytest.mark.usefixtures("empty")
def test_nothing_outside_of_the_namespace_and_no_notebook_is_touched(seat, twins, tmp_path):
    others = "kubectl get all,configmaps,secrets -o name --namespace"
    seat.run(f"kubectl create configmap mine --namespace {twins.theirs}")
    before = [seat.run(f"{others} {name}") for name in (twins.theirs, "lab-system")]
    work = tmp_path / "00-start.ipynb"
    work.write_text("mine")
    process = subprocess.run(
        [sys.executable, "-P", "-m", "labkit", "goto", "00-start/pull", "--yes", "-o", "json"],
        env={**seat.env, "LAB_WORK": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(process.stdout)["heading"] == "Pull a model"
    assert [seat.run(f"{others} {name}") for name in (twins.theirs, "lab-system")] == before
    assert list(tmp_path.iterdir()) == [work]
    assert work.read_text() == "mine"


def test_a_namespace_without_the_labs_label_is_left_alone(seat, monkeypatch):
    name = f"{seat.name[:40]}-foreign"
    seat.run(f"kubectl create namespace {name}; kubectl create configmap mine -n {name}")
    try:
        for foreign in (name, "lab-system"):
            there = session.Session(foreign, "", kubeconfig(foreign))
            monkeypatch.setattr(session, "_current", there)
            with pytest.raises(NamespaceNotOurs):
                goto.reset()
        assert "mine" in seat.run(f"kubectl get configmaps -n {name}")
    finally:
        namespace.remove(name)
