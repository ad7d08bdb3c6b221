"""labkit/lessons/deployment_probes.py: what each check of a step takes as proof."""

import base64
import gzip
import json
from types import SimpleNamespace

import pytest

from labkit.kube import helm, refs
from labkit.lessons import deployment_probes
from labkit.lessons.seen import Seen

GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def pod(meta: dict | None = None, *, ready: bool = True) -> dict:
    condition = {"type": "Ready", "status": str(ready)}
    return {"metadata": meta or {}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("pods", "passed"),
    [
        ([pod()], False),
        ([pod(), pod()], True),
        ([pod(), pod(), pod(GOING)], True),
        ([pod(), pod(), pod()], False),
        ([pod(), pod(), pod(ready=False)], False),
    ],
    ids=["too few", "as many", "one of three goes", "too many", "one is not ready"],
)
def test_a_deployment_is_ready_with_exactly_its_replicas(monkeypatch, pods, passed):
    monkeypatch.setattr(refs, "parsed", lambda session, text: text)
    monkeypatch.setattr(refs, "pods_of", lambda session, one: pods)
    assert deployment_probes.deployment_ready(2)(None).passed is passed


@pytest.mark.parametrize(
    ("config", "given"),
    [
        ({"ollama": {"models": {"pull": "[]"}}}, "ollama.models.pull=[]"),
        ({"ollama": {"models": {"pull": "[a]"}}}, "ollama.models.pull=[a]"),
        ({"ollama": {"models": {"pull": []}}}, ""),
        ({"x": "text", "y": None}, ""),
        (None, ""),
    ],
)
def test_a_list_that_helm_took_for_text_is_named_where_the_check_fails(config, given):
    packed = gzip.compress(json.dumps({"config": config}).encode())
    release = base64.b64encode(base64.b64encode(packed)).decode()
    labels = {"name": "ollama", "version": "1", "status": "deployed"}
    secret = {"type": helm.RELEASE_SECRET, "metadata": {"labels": labels}}
    api = SimpleNamespace(
        resource=lambda kind: SimpleNamespace(path=lambda namespace: f"/{kind}"),
        request=lambda verb, path: {"items": [{**secret, "data": {"release": release}}]},
    )
    here = SimpleNamespace(api=api, namespace="lab")
    fails = deployment_probes.of_release(lambda session: Seen(False, "no model", "look"))(here)
    if given:
        assert fails.saw == f"no model; Helm took {given} for text, not for a list"
        assert fails.hint == f"--set-json '{given}', or a values file"
    else:
        assert fails == Seen(False, "no model", "look")
    passes = deployment_probes.of_release(lambda session: Seen(True, "well", ""))(here)
    assert passes == Seen(True, "well", "")
