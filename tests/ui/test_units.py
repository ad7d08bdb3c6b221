"""labkit/ui/units.py: counts with their nouns, here and in every text that a program prints."""

import ast
from pathlib import Path

from labkit.ui import units

ROOT = Path(__file__).parents[2] / "labkit"
NOUNS = """
    addresses arrivals bytes chunks clients containers errors events findings images labs
    layers lines models nodes notebooks objects pins Pods points prompts pulls requests revisions
    steps times tokens workers
""".split()
# the number is never 1, or the text is another program's format
KNOWN = {("chart.py", "points"), ("wire.py", "bytes")}


def bare(tree: ast.AST) -> list[str]:
    """The plural nouns that stand behind a bare number of an f-string."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for value, text in zip(node.values, node.values[1:], strict=False):
                if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant):
                    continue
                spec = ast.unparse(value.format_spec) if value.format_spec else ""
                word = text.value[1:].split(" ")[0].rstrip(".,;:") if text.value[:1] == " " else ""
                if word in NOUNS and not spec.rstrip("'").endswith("f"):
                    found.append(word)
    return found


def test_one_is_singular_and_all_else_plural():
    assert [units.count(n, "Pod") for n in (0, 1, 2)] == ["0 Pods", "1 Pod", "2 Pods"]
    assert units.count(1.0, "model") == "1 model"


def test_the_search_finds_what_it_is_for():
    assert bare(ast.parse('f"{len(found)} Pods lack it"')) == ["Pods"]
    assert bare(ast.parse('f"{count:g} Pods, {seconds:.0f} times as long"')) == ["Pods"]
    assert bare(ast.parse("""f"{units.count(n, 'Pod')} of it" """)) == []


def test_no_text_has_a_bare_number_before_a_plural():
    found = {
        (file.name, word)
        for file in ROOT.rglob("*.py")
        for word in bare(ast.parse(file.read_text()))
    }
    assert found <= KNOWN, sorted(found - KNOWN)
