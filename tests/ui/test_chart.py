import base64
import math
import re
import xml.etree.ElementTree as ET

from labkit.ui.chart import Chart, said, svg, ticks

LOAD = {"1 replica": [(0, 5.0), (1, 9.0), (2, 7.0)], "2 replicas": [(0, 6.0), (2, 14.0)]}


def test_the_image_says_series_min_and_max_in_words():
    html = Chart("Load <1>", "time (s)", "tokens/s", LOAD)._repr_html_()
    alt = re.search(r'<img alt="([^"]*)"', html)[1]
    assert alt == (
        "Load &lt;1&gt;. Line chart of tokens/s over time (s)."
        " 1 replica: 3 points, from 5 to 7, min 5, max 9."
        " 2 replicas: 2 points, from 6 to 14, min 6, max 14."
    )


def test_the_image_is_a_data_uri_of_well_formed_svg_with_units_at_both_axes():
    html = Chart("Load", "time (s)", "tokens/s", LOAD)._repr_html_()
    data = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)[1]
    texts = [node.text for node in ET.fromstring(base64.b64decode(data)).iter() if node.text]
    assert {"Load", "time (s)", "tokens/s", "1 replica", "2 replicas"} <= set(texts)


def test_series_differ_by_dash_and_marker_and_not_by_colour_alone():
    names = [f"run {number}" for number in range(20)]
    drawn = svg("t", "x", "y", {name: [(0, 1), (1, 2)] for name in names})
    lines = re.findall(r'stroke-dasharray="([^"]*)"/>(<g [^>]*>)(<.+?>)', drawn)
    assert len({(dash, marker) for dash, _, marker in lines}) == 20


def test_the_numbers_stand_beside_the_image_as_a_table():
    chart = Chart("Load", "time (s)", "tokens/s", LOAD)
    assert repr(chart).splitlines() == [
        "Load",
        "time (s)   1 replica (tokens/s)   2 replicas (tokens/s)",
        "0          5                      6",
        "1          9                      –",
        "2          7                      14",
    ]
    assert chart.table._repr_html_() in chart._repr_html_()


def test_a_long_series_is_thinned_evenly_and_says_so():
    chart = Chart("Long", "s", "MB", {"a": [(n, n) for n in range(600)]})
    assert len(chart.table) == 40
    assert chart.table.caption == "Long, each 15th of 600 points"


def test_no_points_one_point_and_infinite_points_are_drawn_without_complaint():
    for points in ([], [(3, 4)], [(0, math.nan), (1, math.inf), (2, 5)], [(0, 0), (1, 0)]):
        ET.fromstring(svg("t", "x", "y", {"a": points}))
    ET.fromstring(svg("t", "x", "y", {}))
    assert repr(Chart("t", "x", "y", {})) == "t: no points"
    assert said("t", "x", "y", {"a": []}).endswith("a: no points.")


def test_a_line_ends_where_a_point_is_no_number_and_begins_anew_after_it():
    drawn = svg("t", "x", "y", {"a": [(0, 1), (1, 2), (2, math.nan), (3, 4), (4, 5)]})
    lines = re.findall(r'<polyline points="([^"]+)"', drawn)
    assert [len(line.split()) for line in lines] == [2, 2, 2]  # the last is the legend's
    whole = svg("t", "x", "y", {"a": [(0, 1), (1, 2), (3, 4), (4, 5)]})
    assert [len(line.split()) for line in re.findall(r'<polyline points="([^"]+)"', whole)] == [
        4,
        2,
    ]


def test_ticks_are_round_and_span_the_values():
    for low, high in ((0, 97), (-3, 3), (0.0012, 0.0019), (5, 5), (0, 0), (-4, -4), (1e6, 3e6)):
        found = ticks(low, high)
        assert found[0] <= low and found[-1] >= high
        assert 2 <= len(found) <= 9


def test_charts_that_are_compared_have_one_span_and_a_size_of_their_own():
    drawn = svg("t", "x", "y", {"a": [(-10, 1), (0, 2)]}, size=(400, 200), span=(-60, 0))
    root = ET.fromstring(drawn)
    assert (root.get("width"), root.get("height")) == ("400", "218")  # 18 of them the legend's
    assert [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")][3:7] == [
        "-60",
        "-40",
        "-20",
        "0",
    ]
