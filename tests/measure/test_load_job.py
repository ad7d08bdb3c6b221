"""labkit/measure/load_job.py: the Job and the ConfigMap of a load test, as they are asked for."""

import json
from types import SimpleNamespace

import pytest

from labkit.errors import NotFound, Refused
from labkit.load.plan import Plan
from labkit.measure import load_job
from labkit.setup.host import pid

PLAN = Plan(url="http://ollama:11434/", requests=8, clients=4, warmup=2, timeout_s=20.0)


class Api:
    """An API server that takes what it is given, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict | None]] = []
        self.jobs: list[dict] = []
        self.refuses = ""

    def resource(self, word: str) -> SimpleNamespace:
        return SimpleNamespace(path=lambda space, name="": f"/{word}/{name}".rstrip("/"))

    def request(self, method, path, *, query=None, body=None, content_type="") -> dict:
        self.asked.append((method, path, body))
        if method == "POST" and path == self.refuses:
            raise Refused("no", "exceeded quota", "less")
        if method == "GET" and path == "/jobs":
            return {"items": self.jobs}
        if method == "GET":
            raise NotFound("gone", path, "")
        made = body if method == "POST" else {}
        return {**made, "metadata": {**made.get("metadata", {}), "uid": "7"}}

    def said(self, method: str) -> list[str]:
        return [path for asked, path, _ in self.asked if asked == method]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def here(api) -> SimpleNamespace:
    return SimpleNamespace(namespace="lab", api=api)


def test_the_job_has_as_many_workers_as_asked_for_and_begins_when_its_files_are_there(here, api):
    load_job.make(here, PLAN, 3)
    (_, _, job), (_, _, files), (method, path, patch) = api.asked
    assert job["spec"]["suspend"] and job["spec"]["completionMode"] == "Indexed"
    assert (job["spec"]["parallelism"], job["spec"]["completions"]) == (3, 3)
    assert job["spec"]["activeDeadlineSeconds"] == load_job.longest_s(PLAN) + load_job.READY_S
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "python:3.11-slim"
    assert {"name": "WORKERS", "value": "3"} in container["env"]
    assert files["metadata"]["ownerReferences"][0]["uid"] == "7"
    assert (method, patch) == ("PATCH", {"spec": {"suspend": False}})
    assert path == f"/jobs/{job['metadata']['name']}"


def test_the_configmap_holds_the_engine_where_python_finds_it_and_the_plans(here, api):
    load_job.make(here, PLAN, 1)
    (_, _, job), (_, _, files), _ = api.asked
    volumes = job["spec"]["template"]["spec"]["volumes"]
    (mounted,) = [volume["configMap"] for volume in volumes if "configMap" in volume]
    assert mounted["name"] == files["metadata"]["name"] == job["metadata"]["name"]
    assert {item["key"] for item in mounted["items"]} == set(files["data"])
    places = {item["key"]: item["path"] for item in mounted["items"]}
    assert places["engine.py"] == "labkit/load/engine.py"
    assert places["plan.json"] == "plan.json"
    assert len(json.dumps(files)) < 2**20  # what a ConfigMap may hold
    assert Plan.from_json(files["data"]["plan.json"]) == PLAN.replace(warmup=0)
    first = Plan.from_json(files["data"]["warmup.json"])
    assert (first.requests, first.warmup) == (2, 0)


def test_without_warm_up_there_is_no_plan_for_one(here, api):
    load_job.make(here, PLAN.replace(warmup=0), 1)
    assert "warmup.json" not in api.asked[1][2]["data"]


def test_a_job_whose_files_are_refused_goes_again(here, api):
    api.refuses = "/configmaps"
    with pytest.raises(Refused, match="exceeded quota"):
        load_job.make(here, PLAN, 1)
    assert len(api.said("DELETE")) == 1 and not api.said("PATCH")


def test_what_killed_clients_left_goes_and_what_belongs_to_others_stays(here, api):
    host = pid.name().partition(".")[0]
    by = {"dead": f"{host}.1.7", "mine": pid.name(), "elsewhere": "elsewhere.1.7"}
    api.jobs = [
        {"metadata": {"name": name, "labels": {load_job.BY: label}}} for name, label in by.items()
    ]
    load_job.remove_leftovers(here)
    assert api.said("DELETE") == ["/jobs/dead"]


@pytest.mark.parametrize(
    ("plan", "seconds"),
    [
        (Plan(requests=10, rate=2.0, timeout_s=20.0), 25.0),
        (Plan(requests=10, clients=10, timeout_s=0), 3600.0),
        (Plan(requests=None, seconds=5.0, rate=2.0, timeout_s=20.0), 25.0),
    ],
)
def test_a_load_test_has_an_end(plan, seconds):
    assert load_job.longest_s(plan) == seconds
