"""ollama/lanes.py: what the picture of a timeline shows of each moment."""

import re
import xml.etree.ElementTree as ElementTree

from labkit.ollama import lanes
from labkit.ollama.lanes import Moment

SVG = "{http://www.w3.org/2000/svg}"
POD = "x2x9z"
MOMENTS = [
    Moment(POD, 0.0, "made", "made", 1.0),
    Moment(POD, 0.0, "scheduled", "scheduled", 1.0),
    Moment(POD, 7.4, "model", "has the model"),
    Moment(POD, 7.0, "ready", "ready", 1.0),
]


def picture(moments=MOMENTS) -> ElementTree.Element:
    return ElementTree.fromstring(lanes.svg("Timeline of x", moments))


def places(found: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Where the mark of each kind is."""
    marks = {}
    for group in found.iter(f"{SVG}g"):
        what = group.find(f"{SVG}title").text.partition(",")[0]
        x, y = re.match(r"translate\((\S+) (\S+)\)", group.get("transform")).groups()
        marks.setdefault(what, (float(x), float(y)))
    return marks


def bars(found: ElementTree.Element) -> list[tuple[float, float]]:
    """Begin and end of each bar."""
    rects = [rect for rect in found.iter(f"{SVG}rect") if rect.get("fill-opacity")]
    return [(float(r.get("x")), float(r.get("x")) + float(r.get("width"))) for r in rects]


def test_a_whole_second_is_a_bar_and_an_exact_moment_a_mark_alone():
    found = picture()
    assert len(bars(found)) == 3
    marks = places(found)
    begin, end = bars(found)[-1]
    assert begin < marks["ready"][0] < end
    assert begin < marks["has the model"][0] < end, "which came first is not known"
    assert any("whole second" in (text.text or "") for text in found.iter(f"{SVG}text"))


def test_without_a_whole_second_no_bar_is_explained():
    found = picture([Moment(POD, 7.4, "model", "has the model")])
    assert bars(found) == []
    assert not any("whole second" in (text.text or "") for text in found.iter(f"{SVG}text"))


def test_a_mark_does_not_cover_another_of_the_same_second():
    marks = places(picture())
    assert marks["made"][0] == marks["scheduled"][0]
    assert abs(marks["made"][1] - marks["scheduled"][1]) >= lanes._APART
    assert marks["has the model"][1] != marks["ready"][1]


def test_the_legend_has_what_is_there_and_each_kind_a_form_of_its_own():
    legend = [text.text for text in picture().iter(f"{SVG}text") if text.text in lanes.KINDS]
    assert legend == ["made", "scheduled", "model", "ready"]
    assert len(set(lanes._MARKERS)) == len(lanes.KINDS)


def test_a_long_name_keeps_its_end_and_reaches_no_mark():
    name = "a-very-long-name-of-a-pod-that-nobody-cut-x2x9z"
    found = picture([moment._replace(pod=name) for moment in MOMENTS])
    (label,) = [text for text in found.iter(f"{SVG}text") if "x2x9z" in (text.text or "")]
    assert label.text.startswith("…") and len(label.text) == lanes._LETTERS
    first = min(x for x, y in places(found).values() if y < 100)
    assert float(label.get("x")) + 7 * len(label.text) < first


def test_the_words_of_the_picture_tell_all_of_it():
    (alt,) = re.findall('alt="([^"]*)"', lanes.image("Timeline of x", MOMENTS))
    assert alt == (
        "Timeline of x, 1 Pod. x2x9z made after 0 to 1 s; x2x9z scheduled after 0 to 1 s;"
        " x2x9z has the model after 7.4 s; x2x9z ready after 7 to 8 s"
    )
