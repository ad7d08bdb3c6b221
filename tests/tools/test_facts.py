"""docs/facts.md says what labkit/facts/seen says."""

from dataclasses import replace
from pathlib import Path

from labkit.facts.entries import every
from tools import facts

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_entries_make_it():
    text = (ROOT / "docs/facts.md").read_text()
    assert text == facts.wanted(), "run: python tools/facts.py"


def test_a_page_that_is_behind_would_be_found():
    first, *rest = every()
    assert facts.text([replace(first, says="Something else."), *rest]) != facts.wanted()


def test_each_fact_has_its_row_with_version_and_date():
    text = facts.wanted()
    for fact in every():
        (row,) = (line for line in text.splitlines() if f'<a id="{fact.id}">' in line)
        assert fact.says.replace("|", "\\|") in row
        assert all(f"{fact.of} {version}" in row for version in fact.seen)
        assert str(fact.date) in row


def test_a_value_that_depends_on_the_version_is_printed_for_each():
    row = next(line for line in facts.wanted().splitlines() if "ollama-show-unknown" in line)
    assert "Ollama 0.24.0: `status: 404" in row
    assert "Ollama 0.34.2: `status: 404" in row


def test_the_readme_leads_to_it():
    assert "(docs/facts.md)" in (ROOT / "README.md").read_text()
