"""Two labs reset at once, each a real cluster. By hand (`./lab test long`): it makes the second."""

import json
import time

import pytest

from labkit.setup.cluster import kind
from labkit.setup.cluster import labs as kube
from labkit.setup.host.progress import Task

SECOND = "kind-lab-two"  # kind's name for the context of its cluster lab-two
MESS = (
    ("create", "deployment", "ollama", "--image", "ollama/ollama", "--replicas", "2"),
    ("create", "service", "clusterip", "ollama", "--tcp", "11434"),
    ("create", "configmap", "held"),
    ("patch", "configmap", "held", "--patch", '{"metadata": {"finalizers": ["example.com/hold"]}}'),
    ("delete", "configmap", "held", "--wait=false"),
)


@pytest.fixture
def labs(lab, tmp_path):
    """The lab, and a second one of one node whose images come from the same registry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "NAME", SECOND.removeprefix("kind-"))
        patch.setattr(kind, "LAB", kube.Lab(SECOND))
        patch.setattr(kind, "_record", lambda: tmp_path / "cluster.json")
        try:
            kind._create(0, Task("second cluster", time.monotonic(), None))
            yield kube.Lab(), kube.Lab(SECOND)
        finally:
            kind.delete()


def test_two_labs_are_reset_at_once_and_each_is_empty_afterwards(lab, labs):
    assert lab("reset", "--all").returncode == 0  # which makes the namespace of the new one
    for one in labs:
        for words in MESS:
            one.kubectl(*words)
    done = lab("reset", "--all", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    print(found)
    assert {item["context"]: item["result"] for item in found} == {"": "done", SECOND: "done"}
    assert all(item["saw"] == "3 changes" for item in found)
    left = [one.kubectl("get", "all,configmaps", "-o", "name").split() for one in labs]
    assert left == [["configmap/kube-root-ca.crt"]] * 2
