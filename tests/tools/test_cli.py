"""docs/cli.md says what the parser says."""

from pathlib import Path

from labkit.commands.parser import parser
from tools import cli

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_parser_makes_it():
    text = (ROOT / "docs/cli.md").read_text()
    assert text == cli.wanted(parser()), "run: python -m tools.cli"


def test_a_page_that_is_behind_would_be_found():
    changed = parser()
    changed.epilog = "Exit codes: another"
    assert cli.wanted(changed) != cli.wanted(parser())


def test_every_option_has_a_line_that_explains_it():
    page = cli.wanted(parser())
    assert "| `--route ROUTE` | Where artefacts come from" in page
    assert "one of `auto`, `registry`, `packages` |" in page
    assert "| None |" not in page
    assert "; one of |" not in page
