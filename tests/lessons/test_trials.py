"""labkit/lessons/trials.py: a way is tried, measured, kept in a file, and compared."""

import dataclasses

import pytest

import labkit as lab
from labkit.errors import LabError
from labkit.kube import session
from labkit.lessons import trials
from labkit.ollama.lanes import Moment
from labkit.ollama.mirror_log import Sent
from labkit.ollama.timeline import Timeline
from labkit.setup.host import paths

POD = {
    "metadata": {"name": "ollama-7fc47d9b8c-x2x9z"},
    "spec": {"containers": [{"image": "ollama/ollama"}]},
}
NAME = POD["metadata"]["name"]
PULLED = 'Successfully pulled image "{}" in 5s (5s including waiting). Image size: {} bytes.'
EVENTS = [
    {
        "message": PULLED.format("ollama/ollama", 48_000_000),
        "lastTimestamp": "2026-01-01T10:00:00Z",
    },
    {
        "message": PULLED.format("ollama/ollama", 48_300_000),
        "lastTimestamp": "2026-01-01T12:00:00Z",
    },
    {"message": PULLED.format("lab/ollama-baked", 49_000_000), "eventTime": "2026-01-01T13:00:00Z"},
    {"message": 'Container image "pause" already present on machine'},
]

EVENT = {
    "resource": "events",
    "singularResource": "event",
    "responseKind": {"kind": "Event"},
    "scope": "Namespaced",
}


@pytest.fixture
def world(connected, discovery, monkeypatch, tmp_path):
    """A namespace in which all calls of a way are written down; `world.events` is what happened."""
    called: list[tuple] = []

    def answer(handler) -> None:
        path = handler.path.partition("?")[0]
        handler.send(discovery.get(path) or {"items": EVENTS})

    def noted(name):
        return lambda *words, **options: called.append((name, *words, *options.items()))

    discovery["/api"]["items"][0]["versions"][0]["resources"].append(EVENT)
    connected(answer)
    monkeypatch.setattr(paths, "state", lambda *parts: tmp_path.joinpath("state", *parts))
    monkeypatch.setattr(trials.deletion, "delete", noted("delete"))
    monkeypatch.setattr(trials.apply, "apply", noted("apply"))
    monkeypatch.setattr(trials.wait, "wait", noted("wait"))
    monkeypatch.setattr(trials.wait, "rollout", noted("rollout"))
    monkeypatch.setattr(trials.local_models, "pull", noted("pull"))
    monkeypatch.setattr(trials, "_pods", lambda _: [POD])
    monkeypatch.setattr(trials.mirror_log, "sent", lambda *_: Sent(4, 1_500_000))
    moments = [
        Moment(NAME, 0.0, "made", "made", 1.0),
        Moment(NAME, 7.0, "ready", "ready", 1.0),
        Moment(NAME, 8.4, "model", "has the model"),
    ]
    monkeypatch.setattr(trials, "timeline", lambda _: Timeline("Timeline of x", moments))
    return called


def test_a_way_is_applied_where_nothing_is_left_of_the_one_before(world):
    lab.try_way("hook")
    assert world == [
        ("delete", "deployment/ollama", ("ignore_not_found", True)),
        ("apply", "k8s/steps/05-hook"),
        ("rollout", "deployment/ollama"),
    ]


def test_by_hand_each_pod_is_pulled_into_and_a_store_is_filled_first(world):
    lab.try_way("by-hand")
    assert world[-1] == ("pull", ("at", f"pod/{NAME}"))
    world.clear()
    lab.try_way("store")
    assert world[0][1:4] == ("deployment/ollama", "job/fill-models", "pvc/models")
    assert [call[0] for call in world] == ["delete", "apply", "wait", "rollout"]


def test_what_counts_is_when_it_was_ready_and_had_the_model(world):
    found = lab.try_way("hook")
    assert (found.seconds, found.sent_bytes, found.image_bytes) == (8.4, 1_500_000, 48_300_000)
    said = "hook: Ready with its model after 8 s; 1.5 MB from the mirror, image of 48.3 MB"
    assert repr(found).splitlines()[0] == said
    assert f"{said}</div><img" in found._repr_html_()


@pytest.mark.parametrize("kinds", [("ready",), ("model",), ()])
def test_without_a_moment_of_the_model_nothing_is_measured_or_kept(world, monkeypatch, kinds):
    moments = [Moment(NAME, 7.0, kind, kind, 1.0) for kind in kinds]
    monkeypatch.setattr(trials, "timeline", lambda _: Timeline("Timeline of x", moments))
    with pytest.raises(LabError) as raised:
        lab.try_way("hook")
    lacks = f"has no {lab.model}" if "ready" in kinds else "is not Ready"
    assert str(raised.value).splitlines() == [
        "LabError: way 'hook' could not be measured",
        f"saw: {NAME} {lacks}",
        'try: lab.events(), then lab.try_way("hook") again',
    ]
    assert lab.ways().trials == {}


def test_without_a_pod_nothing_is_measured(world, monkeypatch):
    monkeypatch.setattr(trials, "_pods", lambda _: [])
    with pytest.raises(LabError, match="could not be measured") as raised:
        lab.try_way("hook")
    assert raised.value.saw == "deployment/ollama has no Pod"


def test_each_context_has_a_file_of_its_own(world, monkeypatch):
    lab.try_way("hook")
    here = session.current()
    monkeypatch.setattr(session, "_current", dataclasses.replace(here, context="arn:aws/one"))
    assert lab.ways().trials == {}
    lab.try_way("init")
    assert list(lab.ways().trials) == ["init"]
    names = [file.name for file in paths.state("namespaces", "lab").glob("*.json")]
    assert sorted(names) == ["ways-arn%3Aaws%2Fone.json", "ways.json"]
    monkeypatch.setattr(session, "_current", here)
    assert list(lab.ways().trials) == ["hook"]


@pytest.mark.parametrize(
    "broken",
    [
        "text",
        {"seconds": 8.4},
        {"seconds": "long", "sent_bytes": 1, "image_bytes": 1, "moments": []},
        {"seconds": 8.4, "sent_bytes": 1, "image_bytes": 1, "moments": [["too short"]]},
        {"seconds": 8.4, "sent_bytes": 1, "image_bytes": 1, "moments": 3},
    ],
)
def test_what_cannot_be_read_of_the_file_is_left_out(world, broken):
    lab.try_way("hook")
    file = paths.state("namespaces", "lab", "ways.json")
    paths.write_json(file, {**paths.read_json(file), "init": broken})
    found = lab.ways()
    assert list(found.trials) == ["hook"]
    assert repr(found)


def test_the_table_is_empty_at_first_and_keeps_what_was_tried_over_a_restart(world):
    assert {tuple(row[1:]) for row in lab.ways().table} == {("–",) * 4}
    assert lab.ways().table.column("WAY") == list(trials.WAYS)
    lab.try_way("hook")
    rows = {row[0]: row[1:] for row in lab.ways().table}
    assert rows["hook"] == ["8", "1.5", "48.3", "FailedPostStartHook, restarts, no log"]
    assert rows["sidecar"] == ["–"] * 4
    assert repr(lab.ways(forget=True)).count("–") == 6 * 4


def test_two_ways_are_compared_in_one_picture_once_both_were_tried(world):
    lab.try_way("hook")
    with pytest.raises(LabError) as raised:
        lab.ways().beside("hook", "sidecar")
    assert str(raised.value).splitlines() == [
        "LabError: way 'sidecar' has not been tried",
        "saw: tried: hook",
        'try: lab.try_way("sidecar")',
    ]
    lab.try_way("sidecar")
    both = lab.ways().beside("hook", "sidecar")
    assert both.seconds("ready") == {"hook x2x9z": 7.0, "sidecar x2x9z": 7.0}


def test_a_misspelt_way_is_refused_before_anything_is_deleted(world):
    with pytest.raises(LabError, match="'side-car' is not a way"):
        lab.try_way("side-car")
    assert world == []


def test_the_ways_are_those_that_the_steps_check(world):
    from labkit.lessons import steps

    checked = {step.id.partition("/")[2]: step.state.folders for step in steps.STEPS}
    for name, way in trials.WAYS.items():
        assert way.folder in checked[name]
    assert session.current().namespace == "lab"
