"""labkit/kube/refs.py: which Pod is taken."""

import pytest

from labkit.errors import LabError, Unreachable
from labkit.kube import refs, session

HERE = "/api/v1/namespaces/lab/pods"


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
    assert refs.pod_of(here, refs.parsed(here, "deploy/ollama")) == taken
    assert found[-1] == ("GET", f"{HERE}?labelSelector=app%3Dollama")


@pytest.mark.parametrize("selector", [None, {"app": "ollama"}])
def test_a_service_without_pods_is_said(asked, selector):
    path = "/api/v1/namespaces/lab/services/ollama"
    asked({path: {"spec": {"selector": selector}}, HERE: {"items": []}})
    here = session.current()
    with pytest.raises(Unreachable, match="has no Pod"):
        refs.pod_of(here, refs.parsed(here, "service/ollama"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("pod/ollama ", '"pod/ollama"'),
        (" ollama", '"ollama"'),
        ("“pod/ollama”", '"pod/ollama"'),
        ("http://localhost:11434", '"service/ollama"'),
        ("https://ollama:11434", '"service/ollama"'),
        ("localhost:11434", '"service/ollama"'),
        ("127.0.0.1", '"service/ollama"'),
        ("front:11434", '"service/front"'),
        ("pod ollama", '"pod/ollama"'),
    ],
)
def test_what_is_pasted_with_a_name_or_in_its_place_is_named(asked, text, hint):
    asked({})
    with pytest.raises(LabError, match="names no object") as caught:
        refs.parsed(session.current(), text)
    assert caught.value.hint == f'{hint} in place of "{text}"'
