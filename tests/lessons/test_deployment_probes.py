"""labkit/lessons/deployment_probes.py: what each check of a step takes as proof."""

import pytest

from labkit.kube import refs
from labkit.lessons import deployment_probes

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
