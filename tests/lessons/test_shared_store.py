"""The ways of notebook 05 that share a folder of models: one Job writes it, the servers only read.

Two pulls into one folder lose one of them, and a server that starts removes old partial files.
"""

import pytest
import yaml

from labkit.setup.host import paths

FILES = sorted(paths.k8s("steps").glob("05-*/*.yaml"))
WORKLOADS = {
    f"{file.parent.name}/{file.stem}": one
    for file in FILES
    for one in yaml.safe_load_all(file.read_text())
    if one["kind"] in ("Deployment", "Job", "StatefulSet")
}


def mounts_of_claims(spec: dict) -> list[tuple[dict, dict]]:
    """Each container with its mount of a folder that other Pods see."""
    claims = {one["name"] for one in spec.get("volumes", []) if "persistentVolumeClaim" in one}
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    return [
        (container, mount)
        for container in containers
        for mount in container.get("volumeMounts", [])
        if mount["name"] in claims
    ]


@pytest.mark.parametrize("name", WORKLOADS)
def test_only_a_job_writes_a_folder_that_several_pods_see(name):
    one = WORKLOADS[name]
    spec = one["spec"]["template"]["spec"]
    for container, mount in mounts_of_claims(spec):
        if one["kind"] == "Job":
            assert one["spec"].get("parallelism", 1) == 1
            continue
        assert mount.get("readOnly"), container["name"]
        given = {each["name"]: each["value"] for each in container.get("env", [])}
        serves = not container.get("command")
        assert not serves or given.get("OLLAMA_NOPRUNE") == "1", container["name"]


def test_a_folder_that_several_pods_see_is_waited_for():
    shared = {
        name: mounts_of_claims(one["spec"]["template"]["spec"]) for name, one in WORKLOADS.items()
    }
    assert {name for name, found in shared.items() if found} == {
        "05-store/deployment",
        "05-store/job",
    }
    first, _ = shared["05-store/deployment"][0]
    assert "until [ -e /models/filled ]" in first["command"][-1]
