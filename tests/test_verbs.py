"""labkit/verbs.py and targets.py: what is refused before anything is asked, and which Pod is taken.

What the verbs do in a real cluster is in tests/cluster/test_verbs.py.
"""

import json

import pytest
import yaml

from labkit import manifests, session, targets, verbs
from labkit.errors import LabError, NotFound, Refused, Unreachable


@pytest.fixture
def asked(connected, discovery):
    """A session on an API server that has the objects given; what it is asked, in order."""

    def start(objects: dict[str, dict] | None = None) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []

        def answer(handler) -> None:
            path = handler.path.partition("?")[0]
            if path in discovery:
                handler.send(discovery[path])
                return
            found.append((handler.command, handler.path))
            item = (objects or {}).get(path)
            if item is None and handler.command == "GET":
                handler.send({"reason": "NotFound", "message": f"no {path}", "code": 404}, 404)
            else:
                handler.send(item or json.loads(handler.body))

        connected(answer)
        return found

    return start


POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}}
HERE = "/api/v1/namespaces/lab/pods"


@pytest.mark.parametrize(
    ("item", "where"),
    [
        ({**POD, "metadata": {"name": "x", "namespace": "kube-system"}}, "namespace kube-system"),
        ({**POD, "kind": "Namespace"}, "the whole cluster"),
    ],
)
def test_apply_changes_nothing_when_one_object_is_for_elsewhere(asked, item, where):
    found = asked()
    with pytest.raises(Refused, match=where):
        manifests.apply(yaml.safe_dump_all([POD, item]))
    assert found == []


def test_apply_takes_a_file_a_folder_text_and_a_dict(asked, tmp_path):
    found = asked()
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(POD))
    for what in (file, str(tmp_path), yaml.safe_dump(POD), POD):
        if what == str(tmp_path):
            (tmp_path / "kubeconfig").rename(tmp_path / "kubeconfig.kept")
        assert repr(manifests.apply(what)) == "pod/x serverside-applied"
    assert [path.partition("?")[0] for _, path in found] == [f"{HERE}/x"] * 4
    assert {method for method, _ in found} == {"PATCH"}


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("k8s/nosuch.yaml", NotFound),
        ("a: [", Refused),
        ("just: words\n", Refused),
        ("kind: Pod\nmetadata:\nname: x\n", Refused),
        ("kind: Pod\nmetadata: {generateName: x-}\n", Refused),
        ("- kind: Pod\n- x\n", Refused),
    ],
)
def test_what_is_no_manifest_is_said_before_anything_is_asked(asked, what, error):
    found = asked()
    with pytest.raises(error):
        manifests.apply(what)
    assert found == []


@pytest.mark.parametrize("target", ["pod/", "/x", "a/b/c", "namespace/lab", "pod/..", "pod/x?y"])
def test_a_target_that_is_no_object_of_the_namespace_is_refused(asked, target):
    found = asked()
    with pytest.raises(LabError):
        verbs.delete(target)
    assert found == []


@pytest.mark.parametrize("since", ["90", "s", "1d", "-3m", "1.5h"])
def test_a_since_that_is_no_time_is_said(asked, since):
    asked({f"{HERE}/x": POD})
    with pytest.raises(LabError, match="is no time"):
        verbs.logs("pod/x", since=since)


def pod(name: str, *, ready: bool = True, **metadata: str) -> dict:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"name": name, **metadata}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("pods", "taken"),
    [
        ([pod("a"), pod("b")], "a"),
        ([pod("a", ready=False), pod("b")], "b"),
        ([pod("a", deletionTimestamp="2026-01-01T00:00:00Z"), pod("b")], "b"),
        ([pod("a", ready=False)], "a"),
    ],
)
def test_of_a_deployment_a_ready_pod_is_taken_that_is_not_about_to_go(asked, pods, taken):
    deployment = {"spec": {"selector": {"matchLabels": {"app": "ollama"}}}}
    path = "/apis/apps/v1/namespaces/lab/deployments/ollama"
    found = asked({path: deployment, HERE: {"items": pods}})
    here = session.current()
    assert targets.pod_of(here, targets.parsed(here, "deploy/ollama")) == taken
    assert found[-1] == ("GET", f"{HERE}?labelSelector=app%3Dollama")


@pytest.mark.parametrize("selector", [None, {"app": "ollama"}])
def test_a_service_without_pods_is_said(asked, selector):
    path = "/api/v1/namespaces/lab/services/ollama"
    asked({path: {"spec": {"selector": selector}}, HERE: {"items": []}})
    here = session.current()
    with pytest.raises(Unreachable, match="has no Pod"):
        targets.pod_of(here, targets.parsed(here, "service/ollama"))
