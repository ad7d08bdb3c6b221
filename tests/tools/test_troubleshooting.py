"""docs/troubleshooting.md says what the table of mistakes says."""

import re
from pathlib import Path

from labkit.diagnosis.mistakes import MISTAKES
from tools import troubleshooting

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_table_makes_it():
    text = (ROOT / "docs/troubleshooting.md").read_text()
    assert text == troubleshooting.wanted(), "run: python tools/troubleshooting.py"


def test_a_page_that_is_behind_would_be_found():
    changed = (MISTAKES[0]._replace(fix="something else"), *MISTAKES[1:])
    assert troubleshooting.text(changed) != troubleshooting.wanted()


def test_each_mistake_has_its_section_and_is_found_by_its_symptom():
    text = troubleshooting.wanted()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [row.id for row in MISTAKES]
    for row in MISTAKES:
        assert f"| {row.symptom} | [{row.id}](#{row.id}) |" in text
        assert all(part in text for part in (row.cause, row.fix, row.look, row.source))


def test_the_readme_leads_to_it():
    section = (ROOT / "README.md").read_text().partition("## Troubleshooting")[2]
    assert "(docs/troubleshooting.md)" in section.partition("\n## ")[0]
