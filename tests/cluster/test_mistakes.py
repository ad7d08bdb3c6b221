"""Every classic mistake made for real, in a namespace of its own, and named by `likely`.

Six at a time, because most of each is waiting. `artifacts/mistakes.txt` has the whole table: what
was made, and each diagnosis that was given while it came about.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import labkit
from labkit.diagnosis import gathering, mistakes, ranking
from labkit.errors import CommandFailed, LabError
from labkit.jupyter import executed, namespace
from labkit.kube import session
from labkit.lessons import desired_objects, fault
from labkit.setup.cluster import environment, labs
from labkit.setup.host import paths, speed

AT_ONCE = 6
SEEN_S = 100.0  # a crash loop, or the second pull of an image, at a busy machine
LOOK_EVERY_S = 1.0
LIMITS = {"type": "Container", "default": {"memory": "6Mi"}, "defaultRequest": {"memory": "4Mi"}}


class Place:
    """A namespace of its own, its session, and kubectl and helm in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values = environment.variables()
        self.config = labs.Lab().kubeconfig_in(name)
        self.session = session.Session(name, "", self.config)

    def run(self, *words: str, code: int | None = 0, stdin: str | None = None) -> str:
        """What a command said, on both streams."""
        env = {**os.environ, **self.values, "KUBECONFIG": str(self.config)}
        env["PATH"] = os.pathsep.join([self.values["PATH"], os.environ["PATH"]])
        options = {
            "input": stdin,
            "capture_output": True,
            "text": True,
            "timeout": speed.deadline(90),
        }
        done = subprocess.run(words, env=env, check=False, **options)
        assert code in (done.returncode, None), f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def kubectl(self, words: str, **options) -> str:
        return self.run("kubectl", *words.split(), **options)

    def refused(self, *words: str) -> CommandFailed:
        """The error of a command that is to fail."""
        return CommandFailed(" ".join(words[:2]), self.run(*words, code=1), "look")

    def apply(self, *items: dict) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
        force = "apply --server-side --force-conflicts --field-manager=labkit -f -"
        self.kubectl(force, stdin=text)

    def well(self, change: dict | None = None, **spec: object) -> None:
        """An Ollama with its model behind a Service, or one with a change in it."""
        items = fault.changed(desired_objects.objects(self.session, fault.WELL), change or {})
        next(item for item in items if item["kind"] == "Deployment")["spec"].update(spec)
        self.apply(*items)

    def bare(self) -> None:
        """The Deployment of the slides, without a model."""
        self.kubectl("create deployment ollama --image=ollama/ollama")

    def ready(self) -> None:
        self.kubectl(f"rollout status deployment/ollama --timeout={speed.deadline(80):g}s")

    def pull(self, *, pod: str = "deployment/ollama", model: str, code: int = 0) -> str:
        return self.kubectl(f"exec {pod} -- ollama pull --insecure {model}", code=code)


def limited(kind: str, **spec: object) -> dict:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "limits"}, "spec": spec}


def other_context(place: Place) -> None:
    place.session.api.host  # noqa: B018  it has connected before somebody chooses another
    place.kubectl("config set-cluster other --server=https://127.0.0.1:1")
    place.kubectl("config set-context other --cluster=other")
    place.kubectl("config use-context other")


def no_context(place: Place) -> LabError:
    return place.refused("kubectl", "--context=nosuch", "get", "pods")


def old_value(place: Place) -> LabError:
    models = f"ollama.models={{{labkit.model}}}"
    chart = str(paths.k8s("chart"))
    return place.refused("helm", "upgrade", "--install", "ollama", chart, "--set", models)


def other_namespace(place: Place) -> None:
    run = "run ollama --image=ollama/ollama --namespace"
    place.kubectl(f"{run} {gathering.LANDINGS[0]}")


def no_namespace(place: Place) -> LabError:
    return place.refused("kubectl", "create", "configmap", "x", "--namespace=lab-nosuch")


def restrict(place: Place) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    labs.Lab().kubectl("label", "--overwrite", "namespace", place.name, label)


def restricted(place: Place) -> None:
    restrict(place)
    place.bare()


def restricted_pod(place: Place) -> LabError:
    restrict(place)
    return place.refused("kubectl", "run", "ollama", "--image=ollama/ollama")


def quota(place: Place) -> None:
    place.apply(limited("ResourceQuota", hard={"pods": "0"}))
    place.bare()


def quota_pod(place: Place) -> LabError:
    place.apply(limited("ResourceQuota", hard={"pods": "0"}))
    limit = f"--timeout={speed.deadline(30):g}s"
    place.kubectl(f"wait resourcequota/limits --for=jsonpath={{.status.hard.pods}}=0 {limit}")
    return place.refused("kubectl", "run", "ollama", "--image=ollama/ollama")


def small_default(place: Place) -> None:
    place.apply(limited("LimitRange", limits=[LIMITS]))
    place.well({"container": {"resources": {}}})


def small_default_below_request(place: Place) -> None:
    place.apply(limited("LimitRange", limits=[LIMITS]))
    place.well({"container": {"resources": {"requests": {"memory": "128Mi"}}}})


def no_storage_class(place: Place) -> None:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = limited("PersistentVolumeClaim", storageClassName="nosuch", **asked)
    place.apply(claim)
    items = desired_objects.objects(place.session, fault.WELL)
    for item in items:
        if item["kind"] == "Deployment":
            volumes = item["spec"]["template"]["spec"]["volumes"]
            volumes[0] = {"name": "ollama", "persistentVolumeClaim": {"claimName": "limits"}}
    place.apply(*items)


def misspelt_name(place: Place) -> None:
    place.well()
    run = "run client --image=alpine/httpie --restart=Never -- --ignore-stdin"
    place.kubectl(f"{run} http://olama:11434/api/tags")


def misspelt_model(place: Place) -> None:
    place.well(fault.PLANTS["model-not-pulled"])
    place.ready()
    place.pull(model=f"{labkit.model}-nosuch", code=1)


def misspelt_model_told(place: Place) -> LabError:
    place.well(fault.PLANTS["model-not-pulled"])
    place.ready()
    said = place.pull(model=f"{labkit.model}-nosuch", code=1)
    return CommandFailed("ollama pull", said, "look")


def one_replica(place: Place) -> None:
    place.well(fault.PLANTS["model-not-pulled"], replicas=3)
    place.ready()
    place.pull(model=labkit.model)


def asked_port(place: Place) -> None:
    """A Service that works, at another port than the client's."""
    place.well({"service": {"ports": fault._ports(8080, 11434)}})
    run = "run client --image=alpine/httpie --restart=Never -- --ignore-stdin --timeout=3"
    place.kubectl(f"{run} http://ollama:11434/api/tags")


def prompt_over_limit(place: Place) -> CommandFailed:
    """The server fits, and the model does not. The kernel kills any of its three processes."""
    place.well({"container": {"resources": {"limits": {"memory": "24Mi"}}}})
    place.ready()
    run = f"exec deployment/ollama -- ollama run {labkit.model} Hello"
    return CommandFailed("kubectl exec", place.kubectl(run, code=None), "look")


def wrong_image(place: Place) -> None:
    place.well({"container": {"image": "Ollama/OLLAMA"}})


def no_program(place: Place) -> None:
    place.well({"container": {"command": ["olama", "serve"]}})


def no_program_in_shell(place: Place) -> None:
    place.well({"container": {"command": ["sh", "-c", "olama serve"]}})


def planted(id_: str) -> Callable[[Place], None]:
    return lambda place: place.well(fault.PLANTS[id_])


# what is made → the mistake that it is; the planted ones are those of notebook 10
MADE: dict[str, tuple[str, Callable[[Place], LabError | None]]] = {
    "another context is chosen": ("wrong-context", other_context),
    "a context that is not there": ("wrong-context", no_context),
    "Helm's old value": ("helm-old-value", old_value),
    "a Pod in another namespace": ("wrong-namespace", other_namespace),
    "a namespace that is not there": ("wrong-namespace", no_namespace),
    "a restricted namespace": ("restricted-namespace", restricted),
    "a restricted namespace, a Pod": ("restricted-namespace", restricted_pod),
    "a quota": ("quota-exceeded", quota),
    "a quota, a Pod": ("quota-exceeded", quota_pod),
    "a LimitRange": ("limitrange-too-small", small_default),
    "a LimitRange below the request": ("limitrange-too-small", small_default_below_request),
    "a claim without a class": ("no-storage-class", no_storage_class),
    "a client misspells the Service": ("misspelt-name", misspelt_name),
    "a client asks another port": ("wrong-service-port", asked_port),
    "a pull misspells the model": ("misspelt-model", misspelt_model),
    "a pull misspells the model, told": ("misspelt-model", misspelt_model_told),
    "a pull on one replica": ("model-on-one-replica", one_replica),
    "a prompt over the limit": ("memory-limit", prompt_over_limit),
    "an image with capitals": ("misspelt-image", wrong_image),
    "a program that is not there": ("misspelt-command", no_program),
    "the same in a shell": ("misspelt-command", no_program_in_shell),
    **{f"planted: {id_}": (id_, planted(id_)) for id_ in fault.PLANTS},
}
# test_outages.py has the first two; the third comes by chance: its log is in tests/lessons
APART = {"node-down", "registry-down", "client-left"}


class Seen(NamedTuple):
    """The diagnoses of one mistake while it came about, after how long, and after its fix."""

    ids: list[str]
    saw: str
    seconds: float
    mended: str


@contextmanager
def place(name: str) -> Iterator[Place]:
    made = namespace.make(Path(f"mistake-{name}"))
    try:
        yield Place(made)
    finally:
        namespace.remove(made)


def looks(here: Place, error: LabError | None, wanted: str) -> Seen:
    """Until the diagnosis is there, and twice more: it has to stay."""
    begun, ids, saw, seconds, left = time.monotonic(), [], "", 0.0, 3
    while left and time.monotonic() - begun < speed.deadline(SEEN_S):
        found = ranking.likely(here.session, error)
        if found:
            ids.append(found.id)
        if found and found.id == wanted:
            saw, seconds, left = found.saw, seconds or time.monotonic() - begun, left - 1
        time.sleep(LOOK_EVERY_S)
    return Seen(ids, saw, seconds, "")


def made(name: str) -> Seen:
    wanted, make = MADE[name]
    with place(name) as here:
        seen = looks(here, make(here), wanted)
        if not name.startswith("planted"):
            return seen
        here.well()
        here.ready()
        after = ranking.likely(here.session)
        return seen._replace(mended=f"{after.id}: {after.saw}" if after else "nothing")


@pytest.fixture(scope="module")
def seen(lab) -> Iterator[dict[str, Seen]]:
    """All of them, and a table of what was said."""
    names = sorted(MADE, key=lambda name: "planted" in name)
    with pytest.MonkeyPatch.context() as patch, place("landing") as landing:
        patch.setattr(gathering, "LANDINGS", (landing.name,))  # in place of `default`
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = dict(zip(names, pool.map(_safely, names), strict=True))
    file = executed.folder() / "mistakes.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(matrix(found))
    yield found


def _safely(name: str) -> Seen:
    try:
        return made(name)
    except Exception as error:  # one that cannot be made must not hide the others
        return Seen([], f"{type(error).__name__}: {error}", 0.0, "")


def matrix(found: dict[str, Seen]) -> str:
    """What was made, what it is, and each diagnosis with how often it was given."""
    lines = []
    for name, one in found.items():
        counts = {id_: one.ids.count(id_) for id_ in dict.fromkeys(one.ids)}
        said = ", ".join(f"{id_} {count}" for id_, count in counts.items()) or "nothing"
        lines.append(f"{name:40}{MADE[name][0]:26}{one.seconds:5.1f} s  {said}  ({one.saw})")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", MADE)
def test_a_mistake_gets_its_own_diagnosis_and_no_other(seen, name):
    wanted = MADE[name][0]
    assert set(seen[name].ids) == {wanted}, seen[name]
    assert seen[name].saw


@pytest.mark.parametrize("name", [name for name in MADE if name.startswith("planted")])
def test_the_diagnosis_goes_when_the_mistake_is_mended(seen, name):
    assert seen[name].mended == "nothing"


def test_the_confusion_matrix(seen, capsys):
    with capsys.disabled():
        print("\n" + matrix(seen))
    assert {MADE[name][0] for name in seen} | APART == {row.id for row in mistakes.MISTAKES}


def test_what_works_gets_no_diagnosis_from_its_beginning_on_and_an_answer_in_two_seconds(
    lab, monkeypatch
):
    monkeypatch.setattr(gathering, "LANDINGS", ())  # other tests have Ollamas in `lab`
    with place("well") as here:
        assert ranking.likely(here.session) is None
        here.well(replicas=2)
        deadline = time.monotonic() + speed.deadline(90)
        while True:
            begun = time.monotonic()
            assert ranking.likely(here.session) is None
            took_s = time.monotonic() - begun
            found = json.loads(here.kubectl("get deployment/ollama -o json"))
            if found["status"].get("readyReplicas") == 2:
                break
            assert time.monotonic() < deadline
            time.sleep(0.3)
        assert ranking.likely(here.session) is None
        assert took_s < speed.deadline(2)
