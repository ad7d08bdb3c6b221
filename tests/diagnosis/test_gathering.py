"""labkit/diagnosis/gathering.py: what is asked of the cluster for a diagnosis, and what counts."""

import json

import pytest

from labkit.diagnosis import gathering as gathered
from labkit.errors import ApiSilent, NotFound, Refused, Unreachable
from labkit.kube.discovery import Resource
from labkit.kube.session import Session
from labkit.setup.build import registry

REVISION = "deployment.kubernetes.io/revision"
BORN = "2026-11-24T10:00:00Z"


class Cluster:
    """An API server in memory: paths below the namespace → lists, logs and answers."""

    def __init__(self) -> None:
        self.items: dict[str, list[dict]] = {}
        self.answers: dict[str, dict] = {}
        self.texts: dict[str, str] = {}
        self.asked: list[tuple[str, dict]] = []
        self.accepts: list[str] = []
        self.refused: dict[str, str] = {}
        self.error: Exception | None = None
        self.gone: set[str] = set()  # what is asked for after the API server went away

    def resource(self, word: str) -> Resource:
        return Resource("v1", word, word, word != "nodes")

    def request(self, method: str, path: str, *, query=None, accept="", timeout_s: float) -> dict:
        assert method == "GET"  # a diagnosis changes nothing
        self.asked.append((path, query or {}))
        self.accepts += [accept] if accept else []
        if path in self.refused:
            word = self.refused[path]
            status = {"status": int(word)} if word.isdigit() else {"status": 403, "reason": word}
            raise Refused("the request was rejected", "Authorization Required", "look", **status)
        if self.error:
            raise self.error
        if path in self.gone:
            raise ApiSilent("the API server does not answer", "timed out", "./lab status")
        if "/proxy/" in path:
            if path not in self.answers:
                raise Unreachable("silent", "connection refused", "look")
            return self.answers[path]
        if self.items.get(path) == ["forbidden"]:
            raise Refused("no", "forbidden", "look")
        # an empty list of metadata alone is null there, and an empty list of objects is not
        return {"items": self.items.get(path, None if accept else [])}

    def text(self, path: str, *, query: dict, timeout_s: float) -> str:
        self.asked.append((path, query))
        if path not in self.texts:
            raise NotFound("none", "no log", "look")
        return self.texts[path]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def gather(cluster, tmp_path):
    """The facts of namespace `mine` on that cluster."""
    config = tmp_path / "kubeconfig"
    config.write_text("current-context: kind-lab\n")
    session = Session("mine", "", config)
    object.__setattr__(session, "api", cluster)
    return lambda error=None, **options: gathered.gather(session, error, **options)


def at(plural: str, namespace: str = "mine") -> str:
    return f"/api/v1/namespaces/{namespace}/{plural}"


def pod(name: str, *, owner: str = "", state: dict | None = None, **meta) -> dict:
    owners = [{"uid": owner}] if owner else []
    status = {"name": "main", "state": state or {"running": {"startedAt": BORN}}}
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": BORN,
            "ownerReferences": owners,
            **meta,
        },
        "spec": {"containers": [{"name": "main", "image": "ollama/ollama"}]},
        "status": {"podIP": "10.0.0.7", "startTime": BORN, "containerStatuses": [status]},
    }


def owned(uid: str, revision: str, owner: str = "") -> dict:
    owners = [{"uid": owner}] if owner else []
    return {
        "metadata": {"uid": uid, "annotations": {REVISION: revision}, "ownerReferences": owners}
    }


def test_pods_that_go_and_those_of_an_earlier_template_do_not_count(cluster, gather):
    cluster.items[at("deployments")] = [owned("d", "2")]
    cluster.items[at("replicasets")] = [owned("old", "1", "d"), owned("new", "2", "d")]
    goes = pod("goes", owner="new", deletionTimestamp=BORN)
    cluster.items[at("pods")] = [pod("a", owner="old"), pod("b", owner="new"), goes, pod("bare")]
    assert [one["metadata"]["name"] for one in gather().pods] == ["b", "bare"]


def test_a_model_that_stays_for_ever_is_a_fact(cluster, gather):
    cluster.items[at("pods")] = [pod("a"), pod("b"), pod("old")]
    for name in ("a", "b", "old"):
        cluster.answers[f"{at('pods')}/{name}:11434/proxy/api/tags"] = {"models": [{"name": "m"}]}
    for name, until in (("a", "2319-03-12T19:43:42.596263121Z"), ("b", "2026-12-01T00:00:00Z")):
        loaded = [{"name": "m:latest", "expires_at": until}]
        cluster.answers[f"{at('pods')}/{name}:11434/proxy/api/ps"] = {"models": loaded}
    assert gather().forever == {"a": ["m:latest"]}  # "old" does not answer /api/ps


def test_a_silent_api_server_is_asked_once_and_the_error_is_a_fact(cluster, gather):
    cluster.error = ApiSilent("silent", "timed out", "./lab status")
    facts = gather(NotFound("there is no pod/x", "nothing", "look"))
    assert facts.error.startswith("NotFound: there is no pod/x")
    assert len(cluster.asked) == 1 and facts.pods == []


def test_an_api_server_that_goes_away_meanwhile_leaves_no_half_of_the_facts(cluster, gather):
    cluster.items[at("pods")] = [pod("a")]
    cluster.gone = {at("replicasets"), at("services")}
    facts = gather(NotFound("there is no pod/b", "none", "look"))
    assert (facts.pods, facts.unread) == ([], ["pods: timed out"])
    assert "there is no pod/b" in facts.error
    assert [path for path, _ in cluster.asked][-1] == at("replicasets")  # and it is asked no more


def test_all_questions_together_have_one_limit(cluster, gather, monkeypatch):
    cluster.items[at("pods")] = [pod(f"pod-{number}") for number in range(gathered.MOST)]
    clock = [0.0]
    monkeypatch.setattr(gathered.time, "monotonic", lambda: clock[0])
    limits: list[float] = []

    def silent(method: str, path: str, *, timeout_s: float, **_) -> dict:
        limits.append(timeout_s)
        clock[0] += timeout_s
        raise Unreachable("silent", "timed out", "look")

    usual = cluster.request
    monkeypatch.setattr(
        cluster,
        "request",
        lambda method, path, **options: (silent if "/proxy/" in path else usual)(
            method, path, **options
        ),
    )
    facts = gather()
    assert sum(limits) == gathered.LIMIT_S and len(limits) < gathered.MOST
    assert len(facts.pods) == gathered.MOST
    assert len([one for one in facts.unread if one.startswith("log of ")]) == gathered.MOST


def test_what_one_may_not_look_at_counts_as_not_there(cluster, gather):
    cluster.items["/api/v1/nodes"] = ["forbidden"]
    cluster.items[at("pods")] = [pod("a")]
    facts = gather()
    assert facts.nodes == [] and len(facts.pods) == 1


def test_of_an_ollama_that_answers_the_end_of_its_log_is_read_and_of_a_silent_one_the_begin(
    cluster, gather
):
    cluster.items[at("pods")] = [pod("well"), pod("silent")]
    models = {"models": [{"name": "lab-llama:latest"}]}
    cluster.answers[f"{at('pods')}/well:11434/proxy/api/tags"] = models
    cluster.texts = {f"{at('pods')}/{name}/log": name for name in ("well", "silent")}
    facts = gather()
    assert facts.held == {"well": ["lab-llama:latest"]}
    assert facts.logs == {("well", "main"): "well", ("silent", "main"): "silent"}
    queries = {path: query for path, query in cluster.asked if path.endswith("/log")}
    assert "tailLines" in queries[f"{at('pods')}/well/log"]
    assert "tailLines" in queries[f"{at('pods')}/silent/log"]
    cluster.texts[f"{at('pods')}/silent/log"] = "x\n" * 1000  # its begin is not among these
    gather()
    assert "limitBytes" in dict(cluster.asked)[f"{at('pods')}/silent/log"]


def test_a_container_that_never_ran_has_no_log_to_ask_for(cluster, gather):
    cluster.items[at("pods")] = [pod("new", state={"waiting": {"reason": "ContainerCreating"}})]
    assert gather().logs == {}
    assert not [path for path, _ in cluster.asked if path.endswith("/log")]


def test_what_the_mirror_refused_belongs_to_the_pod_that_has_the_address_now(cluster, gather):
    cluster.items[at("pods")] = [pod("a")]
    cluster.items[at("pods", "lab-system")] = [pod("models")]

    def line(time: float, client: str, status: int = 404, kind: str = "manifests") -> str:
        path = f"/v2/library/x{time:.0f}/{kind}/latest"
        return json.dumps({"time": time, "client": client, "path": path, "status": status})

    born = 1795514400.0
    lines = ["[NOTICE] starting", line(born - 60, "10.0.0.7"), line(born + 1, "10.0.0.7")]
    lines += [line(born + 2, "10.0.0.9"), line(born + 3, "10.0.0.7", 200)]
    lines += [line(born + 4, "10.0.0.7", 404, "blobs")]
    cluster.texts[f"{at('pods', 'lab-system')}/models/log"] = "\n".join(lines)
    assert gather().refused == {"a": [f"library/x{born + 1:.0f}:latest"]}


def test_other_namespaces_are_looked_at_only_while_this_one_is_empty(cluster, gather):
    cluster.items[at("pods", "default")] = [pod("ollama")]
    assert gather().elsewhere == ["pod/ollama in namespace default"]
    cluster.items[at("pods")] = [pod("here")]
    assert gather().elsewhere == []


def test_the_registry_is_asked_for_images_that_cannot_be_had_and_for_no_other(
    cluster, gather, monkeypatch
):
    asked = []

    def asked_for(image, tag):
        asked.append(f"{image.path}:{tag}")
        return 404

    monkeypatch.setattr(registry, "asked_for", asked_for)
    cluster.items[at("pods")] = [pod("a")]
    assert gather().registry == {}
    cluster.items[at("pods")].append(pod("b", state={"waiting": {"reason": "ErrImagePull"}}))
    assert gather().registry == {"ollama/ollama": 404}
    assert asked == ["ollama/ollama:latest"]


def test_the_context_that_kubectl_takes_is_read_from_the_labs_own_file(gather, tmp_path):
    assert gather().chosen == gather().context == "kind-lab"
    (tmp_path / "kubeconfig").write_text("current-context: other\n")
    assert gather().chosen == "other"
    (tmp_path / "kubeconfig").unlink()
    assert gather().chosen == ""


def test_of_helms_records_only_the_metadata_is_asked_for(cluster, gather):
    cluster.items[at("secrets")] = [
        {"metadata": {"name": "sh.helm.release.v1.a.v1", "labels": {"status": "deployed"}}}
    ]
    (record,) = gather().releases
    assert record["metadata"]["labels"]["status"] == "deployed" and "data" not in record
    ((_, query),) = [(path, q) for path, q in cluster.asked if path.endswith("/secrets")]
    assert query == {"fieldSelector": "type=helm.sh/release.v1"}
    (accept,) = cluster.accepts
    assert accept.startswith("application/json;as=PartialObjectMetadataList")


def test_an_ollama_behind_a_proxy_that_refuses_is_no_silent_one(cluster, gather):
    cluster.items[at("pods")] = [pod("a")]
    cluster.refused[f"{at('pods')}/a:11434/proxy/api/tags"] = "401"
    facts = gather()
    assert (facts.held, facts.answers) == ({}, {"a": 401})


def test_a_right_that_the_user_lacks_for_the_proxy_is_no_answer_of_the_pod(cluster, gather):
    cluster.items[at("pods")] = [pod("a")]
    cluster.refused[f"{at('pods')}/a:11434/proxy/api/tags"] = "Forbidden"
    assert gather().answers == {}


def test_what_may_not_be_listed_is_told(cluster, gather):
    cluster.items["/api/v1/nodes"] = ["forbidden"]
    assert gather().unread == ["nodes: forbidden"]


def test_outside_of_the_workshop_neither_its_model_nor_its_mirror_is_looked_for(
    cluster, gather, monkeypatch
):
    monkeypatch.setattr(gathered, "refused", lambda *_: pytest.fail("asked"))
    cluster.items[at("pods")] = [pod("a")]
    facts = gather(outside=True)
    assert (facts.model, facts.chosen, facts.registry, facts.images) == ("", "", {}, ())


def test_a_whole_record_has_what_is_past_too(cluster, gather):
    cluster.items[at("pods")] = [pod("goes", deletionTimestamp=BORN), pod("stays")]
    names = [one["metadata"]["name"] for one in gather(whole=True).pods]
    assert (names, len(gather().pods)) == (["goes", "stays"], 1)
