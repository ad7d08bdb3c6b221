import pytest

from labkit.errors import LabError
from labkit.ui.table import Table


def test_html_has_a_caption_and_scopes_and_escapes_everything():
    table = Table(["NAME", "IMAGE"], [["a<b", "x&y"]], caption="<Pods>")
    html = table._repr_html_()
    assert "&lt;Pods&gt;</caption>" in html
    assert html.count('scope="col"') == 2 and html.count('scope="row"') == 1
    assert "a&lt;b</th>" in html and "x&amp;y</td>" in html
    assert "<b" not in html.replace("<body", "").replace("<tbody", "")


def test_text_has_no_blanks_at_line_ends_and_aligns_wide_letters():
    table = Table(["NAME", "STATUS"], [["箱", "Running"], ["ollama", ""]])
    assert repr(table).splitlines() == ["NAME     STATUS", "箱       Running", "ollama"]


def test_an_empty_table_says_so_in_text_and_html():
    table = Table(["NAME"], [], empty="No events <yet>")
    assert repr(table) == "No events <yet>"
    assert "No events &lt;yet&gt;" in table._repr_html_()
    assert len(table) == 0 and list(table) == []


def test_cells_become_text_and_items_stay_objects():
    table = Table(["NAME", "COUNT"], [["x", 3]], items=[{"kind": "Pod"}])
    assert table[0] == ["x", "3"] and table.items == [{"kind": "Pod"}]


def test_an_unknown_column_names_those_that_are_there():
    with pytest.raises(LabError) as caught:
        Table(["NAME", "AGE"], []).column("IP")
    assert caught.value.saw == "columns: NAME, AGE"


def test_the_caption_stands_above_the_text_and_not_in_the_csv():
    table = Table(["NAME"], [["x, y"]], caption="One row")
    assert repr(table).splitlines() == ["One row", "NAME", "x, y"]
    assert table.csv() == 'NAME\n"x, y"\n'


def test_cells_lose_their_escape_sequences():
    table = Table(["NAME"], [["\x1b[1msuccess\x1b[0m [K\x1b[K"]])
    assert table[0] == ["success [K"]
