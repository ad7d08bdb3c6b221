"""labkit/lessons/reset/helm_state.py: does the release that Helm remembers fit the step?"""

import base64
import gzip
import json

import pytest

import labkit
from labkit.kube.discovery import Resource
from labkit.kube.helm import RELEASE_SECRET
from labkit.lessons.desired_state import State
from labkit.lessons.reset import helm_state
from labkit.lessons.reset.inventory import Found

STATE = State(release={"replicaCount": 2}, brings=True)
CONFIG = {"ollama": {"insecure": True, "models": {"pull": [labkit.model]}}, "replicaCount": 2}


def record(
    version: int, status="deployed", config=CONFIG, name="ollama", said="Install complete"
) -> Found:
    release = {"config": config, "info": {"description": said}}
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    meta = {
        "name": f"sh.helm.release.v1.{name}.v{version}",
        "labels": {"name": name, "version": str(version), "status": status},
    }
    data = {"release": base64.b64encode(packed).decode()}
    item = {"type": RELEASE_SECRET, "metadata": meta, "data": data}
    return Found(Resource("v1", "secrets", "Secret", True), item)


BACK = record(3, said="Rollback to 1")
FIRST = [record(1, "superseded"), record(2, "superseded")]


@pytest.mark.parametrize(
    ("kept", "misfit"),
    [
        ([], "is missing"),
        ([record(1, name="second")], "is missing"),
        ([record(1)], ""),
        ([record(1, "failed")], "is failed"),
        ([record(1), record(2, "pending-upgrade")], "is pending-upgrade"),
        ([record(1, config={})], "has other values"),
        ([record(1, "superseded"), record(2)], "has another history"),
        ([*FIRST, BACK], "has another history"),
    ],
)
def test_only_a_first_revision_with_the_steps_values_fits(kept, misfit):
    assert helm_state.misfit(kept, STATE) == misfit


def test_where_the_step_went_back_only_a_rollback_fits():
    back = STATE._replace(rolled_back=True)
    more = record(2, "superseded", {**CONFIG, "replicaCount": 3})
    assert helm_state.misfit([FIRST[0], more, BACK], back) == ""
    assert helm_state.misfit([*FIRST, BACK], back) == "has another history"
    assert helm_state.misfit([record(1)], back) == "has another history"


def test_the_newest_revision_is_the_one_of_the_highest_number():
    ten = [record(number, "superseded") for number in range(1, 10)]
    assert helm_state.records([record(10), *ten])[-1] == record(10)


@pytest.mark.parametrize("data", [{}, {"release": "%"}, {"release": "YWJj"}])
def test_a_record_that_cannot_be_read_does_not_fit(data):
    broken = record(1)
    broken.item["data"] = data
    assert helm_state.misfit([broken], STATE) == "has other values"
