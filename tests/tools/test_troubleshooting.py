"""docs/troubleshooting.md says what the tables of mistakes say."""

import re
from pathlib import Path

from labkit.diagnosis.ranking import ROWS
from tools import troubleshooting

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_table_makes_it():
    text = (ROOT / "docs/troubleshooting.md").read_text()
    assert text == troubleshooting.wanted(), "run: python tools/troubleshooting.py"


def test_a_page_that_is_behind_would_be_found():
    changed = (ROWS[0]._replace(fix="something else"), *ROWS[1:])
    assert troubleshooting.text(changed) != troubleshooting.wanted()


def test_each_mistake_has_its_section_and_is_found_by_its_symptom():
    text = troubleshooting.wanted()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [row.id for row in ROWS]
    for row in ROWS:
        assert f"| {row.symptom} | [{row.id}](#{row.id}) |" in text
        assert all(part in text for part in (row.cause, row.fix, row.look, row.source, row.unless))


def test_each_word_of_the_search_leads_to_a_section():
    text = troubleshooting.wanted()
    for word in troubleshooting.WORDS:
        line, *_ = re.findall(rf"^\| {re.escape(word)} \| (.*) \|$", text, re.MULTILINE)
        assert re.findall(r"\(#([a-z-]+)\)", line), word


def test_the_readme_leads_to_it():
    section = (ROOT / "README.md").read_text().partition("## Troubleshooting")[2]
    assert "(docs/troubleshooting.md)" in section.partition("\n## ")[0]
