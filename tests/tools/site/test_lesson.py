"""tools/site/lesson.py: a notebook as a page, with the outputs of a run of these very cells."""

import copy
import json

import pytest

from tools.site import lesson

MARKDOWN = {"cell_type": "markdown", "metadata": {}}
CODE = {"cell_type": "code", "metadata": {}, "outputs": []}
CELLS = [
    MARKDOWN | {"source": "# 00 · Start\n\n| time | 5 minutes |\n"},
    CODE | {"source": ["import labkit as lab\n", "\n", "lab.start()"]},
    MARKDOWN | {"source": "## Next\n\n[01](01-ollama.ipynb)"},
    CODE | {"source": "%%bash\nls", "metadata": {"tags": ["solution"]}},
]


@pytest.fixture
def made(tmp_path):
    """`made(*outputs, failed=…)`: the page; with outputs, those of a run of the second cell."""

    def make(*outputs: dict, failed: str = "", changed: bool = False) -> str:
        book, ran = tmp_path / "00-start.ipynb", tmp_path / "ran.ipynb"
        book.write_text(json.dumps({"cells": CELLS, "metadata": {}}))
        if outputs:
            cells = copy.deepcopy(CELLS)
            cells[1]["outputs"] = list(outputs)
            if changed:
                cells[2]["source"] = "## Before"
            facts = {"seconds": 43.2, "failed": failed, "ended": "2026-11-30T10:00:00+00:00"}
            ran.write_text(json.dumps({"cells": cells, "metadata": {"labkit": facts}}))
        return lesson.page(book, ran)

    return make


STREAM = {
    "output_type": "stream",
    "name": "stdout",
    "text": ["a <b>\n", "\n", "\x1b[1mend\x1b[0m\n"],
}


def test_the_title_comes_first_and_code_is_coloured_as_its_language(made):
    page = made()
    assert page.startswith("# 00 · Start\n")
    assert "```python\nimport labkit as lab\n\nlab.start()\n```" in page
    assert "    ```bash\n    %%bash\n    ls\n    ```" in page


def test_a_link_to_another_notebook_leads_to_its_page(made):
    assert "[01](01-ollama.md)" in made()


def test_a_solution_is_folded(made):
    assert '??? success "A solution"\n\n    ```bash' in made()


def test_without_a_run_the_page_reports_that_it_has_no_outputs(made):
    page = made()
    assert "This page has no outputs: `./lab test notebooks` runs the lessons" in page
    assert "lab-output" not in page


def test_the_outputs_of_a_run_that_passed_are_shown_with_its_day_and_seconds(made):
    page = made(STREAM)
    assert "a run on 2026-11-30 in a real cluster, which passed in 43 s" in page
    assert "<pre>a &lt;b&gt;&#10;&#10;end</pre>" in page
    assert page.count("lab-output") == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [({"failed": "Cell 2"}, "did not pass"), ({"changed": True}, "has changed since")],
)
def test_outputs_of_a_run_that_failed_or_of_other_cells_are_not_shown(made, options, why):
    page = made(STREAM, **options)
    assert why in page
    assert "lab-output" not in page


def test_html_is_shown_before_plain_text_and_no_blank_line_ends_its_block(made):
    data = {"text/plain": "a table", "text/html": "<table>\n\n<tr><td>1</td></tr>\n</table>"}
    page = made({"output_type": "execute_result", "data": data})
    assert '<div class="lab-output" data-search-exclude><table>\n<tr>' in page
    assert "a table" not in page


def test_a_widget_is_shown_as_its_text_and_an_error_as_its_three_lines(made):
    widget = {"text/plain": "Choice: 4", "application/vnd.jupyter.widget-view+json": {}}
    error = {"output_type": "error", "traceback": ["CheckFailed: x\nsaw: y\ntry: z"]}
    page = made({"output_type": "display_data", "data": widget}, error)
    assert "<pre>Choice: 4</pre>" in page
    assert "<pre>CheckFailed: x&#10;saw: y&#10;try: z</pre>" in page


def test_code_with_backticks_stays_in_one_block():
    assert lesson._fenced("print('```')", "python") == "````python\nprint('```')\n````"
