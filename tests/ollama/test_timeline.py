"""ollama/timeline.py: the moments of Pods, from states and events as Kubernetes writes them."""

import xml.etree.ElementTree as ElementTree

from labkit.ollama import lanes, timeline
from labkit.ollama.timeline import Moment, Timeline
from labkit.ui import units


def at(second: int) -> str:
    return f"2026-01-01T12:00:{second:02}Z"


POD = {
    "metadata": {"name": "ollama-1", "uid": "u", "creationTimestamp": at(0)},
    "status": {
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(0)},
            {"type": "Ready", "status": "True", "lastTransitionTime": at(9)},
            {"type": "Initialized", "status": "True", "lastTransitionTime": at(1)},
        ],
        "initContainerStatuses": [
            {
                "name": "pull",
                "state": {
                    "terminated": {"exitCode": 0, "startedAt": at(1), "finishedAt": at(3)},
                },
            }
        ],
        "containerStatuses": [
            {
                "name": "ollama",
                "lastState": {
                    "terminated": {"exitCode": 137, "startedAt": at(4), "finishedAt": at(5)},
                },
                "state": {"running": {"startedAt": at(6)}},
            }
        ],
    },
}
EVENTS = [
    {"reason": "FailedPostStartHook", "firstTimestamp": at(5), "count": 2},
    {"reason": "Scheduled", "firstTimestamp": at(0)},
]


def test_a_pods_moments_are_in_order_and_in_seconds_since_it_was_made():
    had = units.moment_of("2026-01-01T12:00:07.5Z")
    found = timeline.of_pod(POD, EVENTS, had)
    assert [(moment.at_s, moment.what) for moment in found] == [
        (0.0, "made"),
        (0.0, "scheduled"),
        (1.0, "pull started"),
        (3.0, "pull ended with exit code 0"),
        (4.0, "ollama started"),
        (5.0, "ollama ended with exit code 137"),
        (5.0, "FailedPostStartHook, 2 times"),
        (6.0, "ollama started"),
        (7.5, "has the model"),
        (9.0, "ready"),
    ]
    assert timeline.ready_at(POD) == units.moment_of(at(9))


def test_a_pod_that_has_just_been_made_has_one_moment():
    pod = {"metadata": POD["metadata"], "status": {}}
    assert [moment.what for moment in timeline.of_pod(pod, [], None)] == ["made"]
    assert timeline.ready_at(pod) is None


def test_the_picture_and_the_table_say_the_same():
    moments = [
        Moment("a<b", 0.0, "made", "made", 1.0),
        Moment("a<b", 6.5, "model", "has the model"),
        Moment("a<b", 7.0, "ready", "ready", 1.0),
    ]
    shown = Timeline("Timeline of x", moments)
    assert shown.seconds("ready") == {"a<b": 7.0}
    assert shown.table.rows[1:] == [["a<b", "6.5", "has the model"], ["a<b", "7 to 8", "ready"]]
    html = shown._repr_html_()
    assert 'alt="Timeline of x, 1 Pod. a&lt;b made after 0 to 1 s; a&lt;b has' in html
    picture = ElementTree.fromstring(lanes.svg("Timeline of x", moments))
    titles = [node.text for node in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[:3] == ["made, 0 to 1 s", "has the model, 6.5 s", "ready, 7 to 8 s"]


def test_what_kubernetes_notes_is_known_to_a_second_and_what_ollama_notes_exactly():
    had = units.moment_of("2026-01-01T12:00:09.4Z")
    spans = {m.what: m.span_s for m in timeline.of_pod(POD, EVENTS, had)}
    assert spans.pop("has the model") == 0.0
    assert set(spans.values()) == {1.0}


def test_a_picture_has_the_end_of_a_pods_name_and_the_table_all_of_it():
    pod = "ollama-7fc47d9b8c-x2x9z"
    shown = Timeline("x", [Moment(pod, 3.0, "ready", "ready", 1.0)])
    assert "x, 1 Pod. x2x9z ready after 3 to 4 s" in shown._repr_html_()
    assert shown.table.column("POD") == [pod]


def test_two_timelines_side_by_side_are_one_picture_with_a_name_for_each():
    hook = Timeline("x", [Moment("ollama-7fc47d9b8c-x2x9z", 3.0, "ready", "ready")])
    sidecar = Timeline("x", [Moment("ollama-85d9c6f5bd-4lbkq", 2.0, "ready", "ready")])
    shown = hook.beside(sidecar, "hook", "sidecar")
    assert shown.seconds("ready") == {"hook x2x9z": 3.0, "sidecar 4lbkq": 2.0}
    assert shown.title == "hook beside sidecar"


def test_no_pods_are_no_picture_that_breaks():
    ElementTree.fromstring(lanes.svg("Timeline of x", []))
    assert repr(Timeline("Timeline of x", [])) == "no Pods"
