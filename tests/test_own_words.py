"""No decision is taken by a message that labkit wrote itself: an error's fields say what it is.

What kubectl, Helm, Ollama or Prometheus say in words may be matched where it stands in an error's
`saw`: each such place is in OUTSIDE, with whose words they are.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit

PACKAGE = Path(labkit.__file__).parent
TEXTS = {"happened", "saw", "hint", "fix", "why", "cause"}  # of errors, verdicts and changes
METHODS = {"startswith", "endswith", "split", "partition", "rpartition", "find", "index", "count"}
SEARCHES = {"search", "match", "fullmatch", "findall", "finditer"}
# where an outside program's words are matched: file, the text, whose they are
OUTSIDE = {
    ("kube/proxy.py", "said.saw"): "the API server's, of a Pod that refuses a connection",
    ("measure/prometheus.py", "error.saw"): "Prometheus', of a query that took too long",
    ("commands/versions.py", "told.why"): "served.OFFLINE, one constant: any wording of it will do",
    ("setup/build/served.py", "error.saw"): "docker's and apt's, of a network that is away",
    ("setup/cluster/kind.py", "error.saw"): "kind's, of nodes that are there",
    ("setup/cluster/model.py", "error.saw"): "Ollama's, of a registry that refuses a connection",
    ("setup/cluster/services.py", "error.saw"): "kubectl's, of what is not there",
}


def read(source: str) -> Iterator[str]:
    """Each text of an error that a comparison, a search or a method of text reads."""
    for node in ast.walk(ast.parse(source)):
        looked_at: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            looked_at = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_layout = node.func.attr == "split" and not node.args  # of white space
            if node.func.attr in METHODS and not is_layout:
                looked_at = [node.func.value]
            elif node.func.attr in SEARCHES:
                looked_at = node.args
        for one in looked_at:
            if _is_text(one):
                yield ast.unparse(one)


def _is_text(node: ast.expr) -> bool:
    """`error.saw`, also `error.saw.lower()` and `str(error)`."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str" and node.args:
        return getattr(node.args[0], "id", "") in ("error", "failed", "problem")
    return isinstance(node, ast.Attribute) and node.attr in TEXTS


def test_words_of_an_error_are_matched_only_where_another_program_wrote_them():
    found = {
        (file.relative_to(PACKAGE).as_posix(), text)
        for file in PACKAGE.rglob("*.py")
        for text in read(file.read_text())
    }
    assert found - OUTSIDE.keys() == set(), "read a field of the error: its class, reason, status"
    assert OUTSIDE.keys() - found == set(), "it is no more: take it from OUTSIDE"


@pytest.mark.parametrize(
    "line",
    [
        "if 'not there' in error.saw: pass",
        "if error.happened == 'x': pass",
        "count = change.why.partition(' ')[0]",
        "re.search('a', error.saw.lower())",
        "_WORDS.search(error.hint)",
        "if str(error).startswith('no'): pass",
        "if part.saw != _NOTHING: pass",
    ],
)
def test_a_decision_by_words_is_found(line):
    assert len(list(read(line))) == 1


@pytest.mark.parametrize(
    "line",
    ["if error.status == 404: pass", "Seen(False, error.saw)", "print(str(error))", "a in saws"],
)
def test_what_passes_words_on_or_reads_a_field_is_not(line):
    assert list(read(line)) == []
